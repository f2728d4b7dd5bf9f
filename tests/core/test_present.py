from core.errors import Problem
from core.present import Present

ONE, TWO = Problem("a.toml", 3, "bad", "mend it"), Problem("b.md", 0, "odd")


def present() -> tuple[Present, list[tuple[object, object]], list[int]]:
    said: list[tuple[object, object]] = []
    counts: list[int] = []
    return Present(lambda line, level: said.append((line["event"], level)), counts.append), said, counts


def test_problems_come_and_go() -> None:
    now, said, counts = present()
    now.serves([ONE, TWO])
    assert now.all == (ONE, TWO)
    now.serves([TWO])
    now.serves([])
    assert said == [
        ("problem", "warning"),
        ("problem", "warning"),
        ("problem", "warning"),
        ("problem_gone", "info"),
        ("problem_gone", "info"),
    ]
    assert counts == [2, 1, 0]


def test_a_refused_change_stands_beside_what_serves_until_one_is_taken() -> None:
    now, said, counts = present()
    now.serves([TWO])
    now.refused([ONE])
    assert now.listing() == [
        {"file": "a.toml", "line": 3, "message": "bad", "hint": "mend it", "refused": True},
        {"file": "b.md", "line": 0, "message": "odd", "hint": "", "refused": False},
    ]
    now.refused([TWO])
    assert now.all == (TWO, TWO)
    now.serves([TWO])
    assert [event for event, _ in said] == ["problem", "reload_failed", "reload_failed", "problem_gone", "problem"]
    assert counts == [1, 2, 2, 1]
