import pytest

from core.visible import visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [("plain · ü", "plain · ü"), ("\x1b[2J", "\\x1b[2J"), ("a\nb", "a\\x0ab"), ("\u202ex", "\\u202ex"),
     ("\U000e0041", "\\U000e0041"), ("\ud800", "\\ud800"), (None, "None"), ("", "")],
)  # fmt: skip
def test_nothing_moves_a_cursor(text: object, shown: str) -> None:
    assert visible(text) == shown
    assert visible(text).isprintable()


def test_long_text_is_cut() -> None:
    assert visible("x" * 10, 4) == "xxx…"
    assert len(visible("\x1b" * 1000, 40)) == 40
