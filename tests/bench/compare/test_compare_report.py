import re
from itertools import pairwise
from xml.etree import ElementTree

from turns import S16, turn

from bench.compare.cells import Cell
from bench.compare.figures import Results
from bench.compare.report import pictures

SVG = "{http://www.w3.org/2000/svg}"


def drawn(results: Results) -> dict[str, ElementTree.Element]:
    return {name: ElementTree.fromstring(svg) for name, svg in pictures(results)}  # noqa: S314 - our own


def test_each_form_and_way_has_a_picture_with_a_bar_for_each_figure() -> None:
    results = Results(
        [
            turn("ours", 0, 100), turn("<peer>", 0, 1000), turn("ours", 0, 10, Cell("JSON", "L", 1)),
            turn("ours", 0, 5, Cell("SSE", "L", 1)),
        ]
    )  # fmt: skip
    pictures = drawn(results)
    assert set(pictures) == {"json-same.svg", "sse-same.svg"}
    bars = [rect for rect in pictures["json-same.svg"].iter(f"{SVG}rect") if rect.find(f"{SVG}title") is not None]
    titles = [str(rect.findtext(f"{SVG}title")) for rect in bars]
    assert [title.split(":")[0] for title in titles] == ["ours, S c=16", "<peer>, S c=16", "ours, L c=1"]


def test_ten_times_as_much_is_as_much_higher_everywhere() -> None:
    results = Results([turn(name, 0, 10.0**at) for at, name in enumerate("abcd", 1)])
    bars = drawn(results)["json-same.svg"].iter(f"{SVG}rect")
    tall = [float(rect.get("height", "0")) for rect in bars if rect.find(f"{SVG}title") is not None]
    steps = [after - before for before, after in pairwise(tall)]
    assert tall[0] == 0
    assert max(steps) - min(steps) < 0.2
    assert min(steps) > 50


def test_the_whisker_goes_from_the_lowest_to_the_highest() -> None:
    results = Results([turn("ours", at, rate) for at, rate in enumerate((100, 200, 400))])
    svg = dict(pictures(results))["json-same.svg"]
    assert f"ours, {S16.size} c=16: 200 (100 … 400)" in svg
    found = re.findall(r'y1="([\d.]+)" y2="([\d.]+)" stroke="#000"', svg)
    assert len(found) == 1
    assert float(found[0][0]) > float(found[0][1])


def test_one_round_figure_has_an_axis() -> None:
    assert "ours, S c=16: 100 (100 … 100)" in dict(pictures(Results([turn("ours", 0, 100)])))["json-same.svg"]
