from xml.etree import ElementTree

import pytest

from bench.scale.curve import Curve, at, pictures, row, slope

SVG = "{http://www.w3.org/2000/svg}"


def curve(*powers: float, name: str = "cost", unit: str = "ms", bound: float = 1.1) -> Curve:
    """One round for each exponent."""
    costs = {size: [2 * size**power for power in powers] for size in (1.0, 10.0, 1000.0)}
    return Curve("Scale", name, "turns", unit, costs, bound)


@pytest.mark.parametrize("power", [-0.5, 0.0, 1.0, 1.27, 2.0])
def test_the_exponent_of_a_power_is_that_power(power: float) -> None:
    sizes = (333, 1000, 33_333, 100_000)
    assert slope(sizes, [3 * size**power for size in sizes]) == pytest.approx(power)


def test_each_round_has_a_fit_of_its_own() -> None:
    found = curve(0.9, 1.3, 1.0).exponent
    assert (found.value, found.lowest, found.highest) == pytest.approx((1.0, 0.9, 1.3))


def test_the_row_says_whether_it_grows_too_fast() -> None:
    assert row(curve(1.0)).verdict == "ok"
    grown = row(curve(1.2))
    assert grown.verdict == "MISSED"
    assert grown.note == "ms by turns: 2.00 at 1, 31.7 at 10, 7,962 at 1,000"
    assert grown.figures["at_10"] == pytest.approx(2 * 10**1.2)


def test_a_cost_at_one_size_has_a_bound_of_its_own() -> None:
    found = at(curve(1.0, 1.1, 1.2), 10, 25.0, "a cost")
    assert [found.value, *(found.spread or ())] == pytest.approx([2 * 10**1.1, 20, 2 * 10**1.2])
    assert found.verdict == "MISSED"


def test_what_grows_with_the_same_is_drawn_together() -> None:
    found = dict(pictures([curve(1.0), curve(0.5, name="other"), curve(1.0, unit="KB/stream")]))
    assert list(found) == ["scale-turns-ms.svg", "scale-turns-KB-stream.svg"]
    svg = ElementTree.fromstring(found["scale-turns-ms.svg"])  # noqa: S314 - our own
    assert len(list(svg.iter(f"{SVG}polyline"))) == 2
    assert "other: exponent 0.50" in found["scale-turns-ms.svg"]
