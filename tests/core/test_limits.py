from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.limits import NEVER, UNIT, WINDOW_MS, Level, Rate, drained, idle, said, settled, taken, wait_ms

LIMITS = (1, 2, 9, 10, 11, 99, 600, 10**9)


@dataclass
class Bucket:
    """A bucket with a log of what it let in: the moment, and how much was used in the end."""

    rate: Rate
    level: Level | None = None
    log: list[list[int]] = field(default_factory=list)

    def now(self, at: int) -> Level:
        return drained(self.rate, self.level, at) if self.level else idle(self.rate, at)

    def ask(self, at: int, units: int) -> int:
        """The wait; 0 if it was let in."""
        if wait := wait_ms(self.rate, self.now(at), units):
            return wait
        self.level = taken(self.now(at), units)
        self.log.append([at, units])
        return 0

    def settle(self, entry: int, mark: Level, at: int, used: int) -> None:
        reserved = self.log[entry][1]
        self.level = settled(self.rate, self.now(at), mark, reserved, used)
        self.log[entry][1] = used

    def worst(self) -> int:
        """The most that any 60 s hold, by looking at all of them."""
        starts = [at for at, _ in self.log]
        return max((sum(n for at, n in self.log if start <= at < start + WINDOW_MS) for start in starts), default=0)


@pytest.mark.parametrize("limit", LIMITS)
def test_an_idle_bucket_takes_its_burst_at_once_and_no_more(limit: int) -> None:
    bucket = Bucket(Rate(limit))
    if limit <= 600:
        assert [bucket.ask(0, 1) for _ in range(bucket.rate.burst)] == [0] * bucket.rate.burst
    else:
        assert bucket.ask(0, bucket.rate.burst) == 0
    wait = bucket.ask(0, 1)
    assert wait == -(-WINDOW_MS // bucket.rate.refill)
    assert bucket.ask(wait - 1, 1) == 1
    assert bucket.ask(wait, 1) == 0


@pytest.mark.parametrize("limit", LIMITS)
def test_who_always_asks_gets_the_rate_and_never_more_than_the_limit(limit: int) -> None:
    bucket, step = Bucket(Rate(limit)), max(1, limit // 200)
    at = 0
    while at < 3 * WINDOW_MS:
        at += bucket.ask(at, min(step, limit)) or 0
    assert bucket.worst() <= limit
    third = sum(units for when, units in bucket.log if when >= 2 * WINDOW_MS)
    assert bucket.rate.refill - 2 * step <= third <= limit


@pytest.mark.parametrize("limit", [limit for limit in LIMITS if limit > 2])
def test_a_request_of_the_whole_limit_needs_an_idle_minute_before_it_and_after_it(limit: int) -> None:
    bucket = Bucket(Rate(limit))
    assert bucket.ask(0, limit) == 0
    assert bucket.ask(0, 1) >= WINDOW_MS - -(-WINDOW_MS // bucket.rate.refill)
    assert bucket.ask(WINDOW_MS + -(-WINDOW_MS // bucket.rate.refill), 1) == 0
    small = Bucket(Rate(limit))
    assert small.ask(0, 1) == 0
    wait = small.ask(1, limit)
    assert wait >= WINDOW_MS - 1
    assert small.ask(1 + wait, limit) == 0
    assert small.worst() <= limit


@pytest.mark.parametrize("limit", LIMITS)
def test_what_is_larger_than_the_limit_never_passes(limit: int) -> None:
    assert wait_ms(Rate(limit), idle(Rate(limit), 0), limit + 1) == NEVER


STEPS = st.lists(
    st.tuples(st.integers(0, 9_000), st.integers(0, 130), st.integers(0, 130), st.integers(0, 40_000)), max_size=40
)


@given(st.sampled_from([1, 2, 9, 10, 11, 30, 100]), STEPS)
def test_no_60_seconds_hold_more_than_the_limit_whatever_comes_and_is_given_back(
    limit: int, steps: list[tuple[int, int, int, int]]
) -> None:
    """Against all windows: reservations come, and are settled in any order with what they used, which is less."""
    bucket, now = Bucket(Rate(limit)), 0
    due: list[tuple[int, int, int, Level]] = []
    for pause, units, used, lasts in steps:
        now += pause
        for when, entry, took, mark in sorted(entry for entry in due if entry[0] <= now):
            bucket.settle(entry, mark, when if when > (bucket.level or mark).at else now, took)
        due = [entry for entry in due if entry[0] > now]
        if units and bucket.ask(now, units) == 0:
            assert bucket.level is not None
            due.append((now + lasts, len(bucket.log) - 1, min(used, units), bucket.level))
    for _, entry, took, mark in due:
        bucket.settle(entry, mark, now, took)
    assert bucket.worst() <= limit


@given(st.sampled_from([1, 2, 9, 10, 11, 100]), STEPS)
def test_what_is_given_back_at_once_was_never_taken(limit: int, steps: list[tuple[int, int, int, int]]) -> None:
    rate, now = Rate(limit), 0
    given_back = once = idle(rate, 0)
    for pause, units, most, _ in steps:
        now, used = now + pause, min(most, units)
        given_back, once = drained(rate, given_back, now), drained(rate, once, now)
        if wait_ms(rate, given_back, units) == 0:
            mark = taken(given_back, units)
            given_back = settled(rate, mark, mark, units, used)
            once = taken(once, used)
        assert given_back.ticks == once.ticks or max(given_back.ticks, once.ticks) <= 0


def test_what_drained_meanwhile_is_not_given_back() -> None:
    rate = Rate(100)
    mark = taken(idle(rate, 0), 100)
    later = drained(rate, mark, 30_000)
    back = settled(rate, later, mark, 100, 0)
    assert later.ticks == 55 * UNIT
    assert (back.ticks, back.returned) == (0, 55 * UNIT)
    gone = taken(drained(rate, mark, 90_000), 50)
    assert settled(rate, gone, mark, 100, 0) == gone


def test_what_is_given_back_to_one_is_not_given_back_to_another_again() -> None:
    rate = Rate(1000)
    first = taken(idle(rate, 0), 100)
    second = taken(first, 100)
    level = settled(rate, second, first, 100, 0)
    level = taken(drained(rate, level, -(-100 * UNIT // rate.refill)), 50)
    assert settled(rate, level, second, 100, 0) == level


def test_what_was_used_beyond_the_reservation_counts_up_to_the_limit() -> None:
    rate = Rate(100)
    mark = taken(idle(rate, 0), 10)
    assert settled(rate, mark, mark, 10, 15).ticks == 15 * UNIT
    assert settled(rate, drained(rate, mark, WINDOW_MS), mark, 10, 15).ticks == 5 * UNIT
    assert settled(rate, mark, mark, 10, 10**8).ticks == 100 * UNIT


def test_a_bucket_that_was_forgotten_gives_nothing_back() -> None:
    rate = Rate(100)
    mark = Level(0, 50 * UNIT, returned=9)
    fresh = taken(idle(rate, 0), 5)
    assert settled(rate, fresh, mark, 50, 0) == fresh


def test_a_clock_that_goes_back_drains_nothing() -> None:
    rate = Rate(100)
    level = Level(1000, 5 * UNIT)
    assert drained(rate, level, 0) == level


def test_a_lower_limit_bounds_what_stands_in_a_bucket() -> None:
    assert drained(Rate(10), Level(0, 500 * UNIT), 0).ticks == 10 * UNIT
    assert drained(Rate(10), Level(0, -(10**9)), 0).ticks == -WINDOW_MS * 9


def test_what_is_said_of_a_bucket() -> None:
    rate = Rate(600)
    fresh = said(rate, idle(rate, 0), 0)
    assert (fresh.left, fresh.reset_ms) == (600, 0)
    after = said(rate, taken(idle(rate, 0), 1), 0)
    assert (after.left, after.reset_ms) == (599, 112)
