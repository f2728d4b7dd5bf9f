import pytest

from core.group.restarts import LONGEST_S, WELL_S, Restarts, covering


def test_the_first_is_started_again_at_once_and_the_next_ones_later_and_later() -> None:
    restarts = Restarts()
    waits = [restarts.wait_s(1.0) for _ in range(10)]
    assert waits[:4] == [0.0, 0.5, 1.0, 2.0]
    assert waits[-1] == LONGEST_S
    assert restarts.count == 10


def test_who_lived_long_begins_a_new_row() -> None:
    restarts = Restarts()
    for _ in range(5):
        restarts.wait_s(0.0)
    assert restarts.wait_s(WELL_S) == 0.0
    assert restarts.wait_s(0.0) == 0.5


@pytest.mark.parametrize(
    ("ready", "covered"),
    [
        ([True, True], [(), ()]),
        ([False, False], [(), ()]),
        ([True, False], [(1,), ()]),
        ([False, True], [(), (0,)]),
        ([True, False, True], [(), (), (1,)]),
        ([True, False, False], [(1, 2), (), ()]),
        ([False, True, False, True], [(), (0,), (), (2,)]),
    ],
)
def test_each_listener_has_one_that_accepts_from_it(ready: list[bool], covered: list[tuple[int, ...]]) -> None:
    assert covering(ready) == covered
