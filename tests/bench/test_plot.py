from itertools import pairwise
from xml.etree import ElementTree

from bench.plot import curves
from bench.stats import Figure

SVG = "{http://www.w3.org/2000/svg}"


def drawn(*lines: tuple[str, list[tuple[float, Figure]]]) -> ElementTree.Element:
    return ElementTree.fromstring(curves("a < b", "turns", lines))  # noqa: S314 - our own


def exact(*pairs: tuple[float, float]) -> list[tuple[float, Figure]]:
    return [(place, Figure(value, value, value)) for place, value in pairs]


def test_a_power_is_a_straight_line() -> None:
    svg = drawn(("power", exact((1, 1), (10, 10**1.5), (1000, 10**4.5))))
    [line] = svg.iter(f"{SVG}polyline")
    points = [tuple(map(float, point.split(","))) for point in str(line.get("points")).split()]
    slopes = [(after[1] - before[1]) / (after[0] - before[0]) for before, after in pairwise(points)]
    assert max(slopes) - min(slopes) < 0.01
    assert max(slopes) < 0  # upwards: the origin is above


def test_points_say_what_they_are_and_strokes_go_from_the_lowest_to_the_highest() -> None:
    svg = drawn(("<one>", [(1, Figure(10, 5, 20)), (100, Figure(20, 20, 20))]))
    said = [circle.findtext(f"{SVG}title") for circle in svg.iter(f"{SVG}circle")]
    assert said == ["<one>, 1: 10.0 (5.00 … 20.0)", "<one>, 100: 20.0 (20.0 … 20.0)"]
    [first, _] = [line for line in svg.iter(f"{SVG}line") if line.get("stroke") == "#000"]
    [circle, _] = svg.iter(f"{SVG}circle")
    assert float(first.get("y1", "")) > float(circle.get("cy", "")) > float(first.get("y2", ""))


def test_lines_that_were_measured_at_other_sizes_share_the_axis() -> None:
    svg = drawn(("a", exact((1, 1), (100, 1))), ("b", exact((10, 1))))
    xs = [float(circle.get("cx", "")) for circle in svg.iter(f"{SVG}circle")]
    assert xs[0] < xs[2] < xs[1]
    assert abs(xs[0] + xs[1] - 2 * xs[2]) < 0.2


def test_one_point_alone_can_be_drawn() -> None:
    assert len(list(drawn(("a", exact((5, 1)))).iter(f"{SVG}circle"))) == 1
