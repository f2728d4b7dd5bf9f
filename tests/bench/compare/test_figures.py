import pytest
from turns import S16, turn

from bench.compare.cells import Cell
from bench.compare.figures import Results
from bench.stats import Figure, figure

OTHER = Cell("SSE", "L", 1)


def test_ratios_are_made_within_a_round() -> None:
    """The machine is ten times slower in the second round, and nobody's ratio shows it."""
    results = Results(
        [
            turn("ours", 0, 1000), turn("floor", 0, 4000),
            turn("ours", 1, 100), turn("floor", 1, 400),
            turn("ours", 2, 1000), turn("floor", 2, 2000),
        ]
    )  # fmt: skip
    assert results.ratio(S16, "ours", "floor") == Figure(0.25, 0.25, 0.5)
    assert results.ratio(S16, "floor", "ours") == Figure(4.0, 2.0, 4.0)
    assert results.of(S16, "ours", lambda one: one.seen.rate) == Figure(1000, 100, 1000)


def test_a_round_without_one_of_them_has_no_ratio() -> None:
    results = Results([turn("ours", 0, 10), turn("ours", 1, 30), turn("peer", 1, 10), turn("peer", 2, 99)])
    assert results.ratio(S16, "ours", "peer") == Figure(3, 3, 3)
    assert results.ratio(S16, "ours", "nobody") is None
    assert results.ratio(OTHER, "ours", "peer") is None


def test_the_order_is_that_of_the_turns() -> None:
    results = Results([turn("b", 0, 1), turn("a", 0, 1), turn("b", 1, 1), turn("a", 0, 1, OTHER)])
    assert results.cells() == [S16, OTHER]
    assert results.targets(S16) == ["b", "a"]
    assert [(one.target, one.round) for one in results.all()] == [("b", 0), ("b", 1), ("a", 0), ("a", 0)]


@pytest.mark.parametrize(("values", "found"), [([], None), ([2], (2, 2, 2)), ([9, 1, 2, 3], (2.5, 1, 9))])
def test_a_figure_is_the_median_with_its_ends(values: list[float], found: tuple[float, float, float] | None) -> None:
    assert figure(values) == found
