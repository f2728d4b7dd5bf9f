"""Plots as SVG."""

import re
from xml.etree import ElementTree

from core.lab.plots import WIDTH, columns, flows


def drawn(svg: str, tag: str) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(svg).iter(tag))  # noqa: S314 - our own


def test_bands_are_as_thick_as_they_are_many() -> None:
    bands = drawn(flows([("a", "b", 30), ("a", "c", 10), ("d", "b", 10)]), "path")
    thick = [float(band.attrib["stroke-width"]) for band in bands]
    assert thick == [120.0, 40.0, 40.0]


def test_bands_of_one_name_lie_beside_each_other() -> None:
    first, second = drawn(flows([("a", "b", 30), ("a", "c", 10)]), "path")
    starts = [float(re.findall(r"M\d+ ([\d.]+)", band.attrib["d"])[0]) for band in (first, second)]
    assert starts[1] - starts[0] == (150 + 50) / 2


def test_columns_are_as_high_as_their_values_and_stay_inside() -> None:
    svg = columns(["x", "y"], [("before", [2.0, 1.0]), ("after", [0.0, 4.0])], "USD", "Cost")
    bars = [bar for bar in drawn(svg, "rect") if len(bar)]
    heights = [float(bar.attrib["height"]) for bar in bars]
    assert heights == [85.0, 42.5, 0.0, 170.0]
    assert max(float(bar.attrib["x"]) + float(bar.attrib["width"]) for bar in bars) <= WIDTH


def test_names_are_text() -> None:
    svg = flows([("<b>&", '"', 1)])
    assert "<b>" not in svg
    assert [text.text for text in drawn(svg, "text")] == ["<b>&", '"']


def test_nothing_is_no_plot() -> None:
    assert flows([]) == ""
    assert columns([], [("a", [])], "USD", "Cost") == ""
    assert columns(["x"], [("a", [0.0])], "USD", "Cost") == ""
