import pytest

from bench.stats import median, milliseconds, percentile, spread


@pytest.mark.parametrize(("percent", "value"), [(50, 50), (99, 99), (100, 100), (0, 1), (0.5, 1)])
def test_percentiles_are_nearest_ranks(percent: float, value: float) -> None:
    assert percentile(list(range(100, 0, -1)), percent) == value


def test_the_middle() -> None:
    assert median([3, 1, 2]) == 2
    assert median([4, 1, 2, 3]) == 2.5


def test_calls_that_warm_up_do_not_count() -> None:
    calls: list[int] = []
    samples = milliseconds(lambda: calls.append(1), 5, warm=2)
    assert (len(samples), len(calls)) == (5, 7)


def test_the_spread_is_that_of_blocks_not_of_samples() -> None:
    assert spread([1, 1, 9, 2, 2, 9, 3, 3, 9], blocks=3) == (1, 3)
    assert spread([4], blocks=5) == (4, 4)
