import random

import pytest

from core.series import MINUTES, STEP_MS, Histogram, Series

AT = 1_700_000_000_000 // STEP_MS * STEP_MS


def test_steps_in_order_and_none_where_nothing_was() -> None:
    series = Series()
    series.began(AT, 3)
    series.began(AT + 1, 2)
    step = series.ended(AT + 2, 100.0, 30.0, 0)
    step.input, step.output, step.micros = 10, 5, 12
    series.ended(AT + 2 * STEP_MS, 10.0, None, 1)
    shown = series.shown(1, AT + 2 * STEP_MS + 5)
    assert shown["step_ms"] == STEP_MS
    assert shown["t"] == [AT + number * STEP_MS for number in range(-3, 3)]
    assert shown["requests"] == [None, None, None, 1, None, 1]
    assert shown["errors"] == [None, None, None, 0, None, 1]
    assert shown["in_flight"] == [None, None, None, 3, None, 0]
    assert shown["tokens_in"] == [None, None, None, 10, None, 0]
    assert shown["tokens_out"][3] == 5
    assert shown["cost_micro_usd"][3] == 12
    assert shown["first_ms_p50"][3] == pytest.approx(30.0, rel=0.07)
    assert shown["first_ms_p50"][5] is None
    assert shown["ms_p50"][3] == pytest.approx(100.0, rel=0.07)


def test_an_hour_is_kept() -> None:
    series = Series()
    for number in range(1000):
        series.ended(AT + number * STEP_MS, 1.0, None, 0)
    shown = series.shown(MINUTES, AT + 999 * STEP_MS)
    assert shown["requests"] == [1] * 360
    assert len(series._steps) == 361
    assert series.shown(MINUTES, AT + 10**9)["requests"] == [None] * 360


def test_a_clock_that_is_put_back_counts_into_the_last_step() -> None:
    series = Series()
    series.ended(AT, 1.0, None, 0)
    series.ended(AT - 50_000, 1.0, None, 0)
    assert series.shown(1, AT)["requests"] == [None] * 5 + [2]


def test_a_clock_that_was_far_ahead_is_forgotten() -> None:
    series, ahead = Series(), 10**9
    series.ended(AT, 1.0, None, 0)
    series.ended(AT + ahead, 1.0, None, 0)
    series.ended(AT + STEP_MS, 1.0, None, 0)
    assert series.shown(1, AT + STEP_MS)["requests"] == [None] * 4 + [1, 1]
    assert series.shown(1, AT + ahead)["requests"] == [None] * 6


@pytest.mark.parametrize("share", [0.0, 0.5, 0.95, 1.0])
@pytest.mark.parametrize("spread", [0.01, 1.0, 2.0])
def test_quantiles_are_near_the_exact_ones(share: float, spread: float) -> None:
    source = random.Random(7)  # noqa: S311
    times = sorted(source.lognormvariate(4, spread) for _ in range(1001))
    histogram = Histogram()
    for ms in times:
        histogram.add(ms)
    rank = max(0, -(-int(share * 1001 * 1000) // 1000) - 1)
    assert histogram.quantile(share) == pytest.approx(times[rank], rel=0.07)


def test_nothing_and_times_beyond_all_bounds() -> None:
    histogram = Histogram()
    assert histogram.quantile(0.5) is None
    for ms in (0.0, -1.0, 1e300):
        histogram.add(ms)
    assert len(histogram.counts) == 2
