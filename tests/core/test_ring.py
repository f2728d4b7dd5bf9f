"""Counts by time."""

from hypothesis import given
from hypothesis import strategies as st

from core.ring import Ring


def test_counts_stand_at_their_steps_the_present_last() -> None:
    ring = Ring(10, 4)
    for now in (100, 105, 112, 139):
        ring.add(now)
    assert ring.counts(139) == [2, 1, 0, 1]
    assert ring.counts(140) == [1, 0, 1, 0]
    assert ring.counts(169) == [1, 0, 0, 0]
    assert ring.counts(170) == [0, 0, 0, 0]
    assert ring.counts(10_000) == [0, 0, 0, 0]


def test_what_is_too_old_is_forgotten_when_its_place_is_taken() -> None:
    ring = Ring(10, 4)
    ring.add(100, 7)
    ring.add(140, 2)
    assert ring.counts(149) == [0, 0, 0, 2]
    ring.add(1_000_000, 3)
    assert (ring.counts(1_000_000), ring.total(1_000_000)) == ([0, 0, 0, 3], 3)


def test_a_clock_that_goes_back_breaks_nothing() -> None:
    ring = Ring(10, 4)
    ring.add(200)
    ring.add(185)
    assert ring.counts(200) == [0, 0, 0, 2]
    ring.add(50)
    assert (ring.counts(50), ring.counts(200)) == ([0, 0, 0, 1], [0, 0, 0, 0])


@given(st.lists(st.tuples(st.integers(0, 2_000), st.integers(1, 9))), st.integers(0, 500))
def test_it_holds_what_a_list_of_all_would_say(events: list[tuple[int, int]], later: int) -> None:
    ring, steps = Ring(10, 8), 8
    events.sort()
    for at, count in events:
        ring.add(at, count)
    now = (events[-1][0] if events else 0) + later
    last = now // 10
    expected = [sum(c for at, c in events if at // 10 == step) for step in range(last - steps + 1, last + 1)]
    assert ring.counts(now) == expected
    assert ring.total(now) == sum(expected)
