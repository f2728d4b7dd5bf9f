"""The page's pure modules, run where they live: values in, words, numbers and places out."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from browsing import chromium
from playwright.sync_api import Page
from proxy import RunningProxy


@pytest.fixture(scope="module")
def page(embedded: RunningProxy) -> Iterator[Page]:
    with chromium() as browser:
        page = browser.new_page()
        page.goto(f"{embedded.url}/ui/icon.svg")  # the origin, and nothing that runs
        yield page


def call(page: Page, module: str, function: str, *values: Any) -> Any:
    """What `function` of `/ui/MODULE` gives for JSON values."""
    script = "async ([module, name, values]) => (await import(`/ui/${module}`))[name](...values)"
    return page.evaluate(script, [module, function, list(values)])


@pytest.mark.parametrize(
    ("function", "value", "words"),
    [
        ("count", 1234567, "1,234,567"),
        ("count", None, "–"),
        ("brief", 999, "999"),
        ("brief", 1234, "1.2k"),
        ("brief", 45_600_000, "46M"),
        ("brief", 0.25, "0.3"),
        ("money", 0, "$0"),
        ("money", None, "–"),
        ("money", 4, "$0.000004"),
        ("money", 4213, "$0.0042"),
        ("money", 500_000, "$0.50"),
        ("money", 10_000, "$0.01"),
        ("money", 1_234_567_890, "$1,234.57"),
        ("duration", 0, "0 ms"),
        ("duration", 0.42, "0.42 ms"),
        ("duration", 120.4, "120 ms"),
        ("duration", 3400, "3.4 s"),
        ("duration", 59_900, "1 min 0 s"),
        ("duration", 125_000, "2 min 5 s"),
        ("duration", 3_700_000, "1 h 1 min"),
        ("duration", 200_000_000, "2 d 7 h"),
        ("micros", 391, "391 µs"),
        ("micros", 2500, "2.50 ms"),
        ("percent", 0.004, "0.4%"),
        ("percent", 0.5, "50%"),
        ("parts", "a,b,c/d", ["a", "b,c/d"]),
        ("parts", "auto", ["", "auto"]),
        ("parts", None, ["", ""]),
        ("plain", {"a_b": [1, "x"], "c": None}, "a b 1, x, c –"),
        ("plain", [], "none"),
        ("plain", True, "yes"),
    ],
)
def test_values_become_words(page: Page, function: str, value: Any, words: Any) -> None:
    assert call(page, "format.js", function, value) == words


def test_places_are_read_and_written(page: Page) -> None:
    there = {"view": "live", "rest": "req_1", "params": {"q": "a b&c"}}
    assert call(page, "router.js", "place", "#/live/req_1?q=a+b%26c") == there
    assert call(page, "router.js", "address", "live", "req_1", {"q": "a b&c", "none": ""}) == "#/live/req_1?q=a+b%26c"
    odd = call(page, "router.js", "address", "live", "a/b?<i>", {})
    assert call(page, "router.js", "place", odd) == {"view": "live", "rest": "a/b?<i>", "params": {}}
    assert call(page, "router.js", "place", "#/live/%zz")["rest"] == "%zz"
    assert call(page, "router.js", "place", "") == {"view": "", "rest": "", "params": {}}


def test_events_are_read_however_they_are_cut(page: Page) -> None:
    stream = ': ping\n\nevent: tick\ndata: {"a":1}\n\ndata: one\ndata: two\n\nevent: request\ndata:x\n\nevent: cut\nda'
    script = """async ([text, size]) => {
      const parse = (await import("/ui/sse.js")).eventParser();
      const found = [];
      for (let at = 0; at < text.length; at += size) found.push(...parse(text.slice(at, at + size)));
      return found.map(({ event, data }) => [event, data]);
    }"""
    whole = [["tick", '{"a":1}'], ["message", "one\ntwo"], ["request", "x"]]
    for size in range(1, len(stream) + 1):
        assert page.evaluate(script, [stream, size]) == whole


@pytest.mark.parametrize(
    ("query", "fits"),
    [
        ("", True),
        ("opus", True),
        ("OPUS pattern", True),
        ("opus custom", False),
        ("phase:pattern", True),
        ("phase:opus", False),
        ("status:529 error:over", True),
        ("reason:concept:use", True),
        ("unknown:opus", False),
        ("requested:", True),
        ("session:ab12", True),
        ("class:sub", False),
    ],
)
def test_the_filter_means_what_it_says(page: Page, query: str, fits: bool) -> None:
    summary: dict[str, Any] = {
        "id": "req_1",
        "requested": "auto",
        "target": "anthropic,claude-opus-4-5",
        "phase": "pattern",
    }
    summary |= {"reason": "concept:use_opus", "status": 529, "error": "overloaded", "answered_by": None}
    summary |= {"session": "ab12cd34", "class": "main"}
    script = "async ([query, summary]) => (await import('/ui/filter.js')).wanted(query)(summary)"
    assert page.evaluate(script, [query, summary]) is fits


EDGES: list[dict[str, Any]] = [
    {"client": f"c{at % 3}", "phase": phase, "reason": f"r{at}", "target": f"p,m{at % 5}", "count": at + 1}
    | {"errors": at % 2, "cost_micro_usd": None if at % 4 == 0 else at * 10, "tokens": at}
    for at, phase in enumerate(["runtime", "pattern", "default", "custom"] * 10)
]

LAID_OUT = """async ([edges, by]) => {
  const { merged, layout } = await import("/ui/sankey.js");
  const ribbons = merged(edges, by === "count" ? (edge) => edge.count : (edge) => edge.cost_micro_usd);
  return layout(ribbons, { width: 900, room: 400, order: ["runtime", "custom", "pattern", "default"] });
}"""


def test_the_picture_loses_nobody(page: Page) -> None:
    drawn = page.evaluate(LAID_OUT, [EDGES, "count"])
    total = sum(edge["count"] for edge in EDGES)
    assert sum(ribbon["count"] for ribbon in drawn["ribbons"]) == total
    for column in range(4):
        nodes = [node for node in drawn["nodes"] if node["column"] == column]
        assert sum(node["value"] for node in nodes) == total
        assert len(nodes) <= 15
        assert len({node["name"] for node in nodes}) == len(nodes)
    phases = [node["name"] for node in drawn["nodes"] if node["column"] == 1]
    assert phases == ["runtime", "custom", "pattern", "default"]
    assert [node["name"] for node in drawn["nodes"] if node["column"] == 2][-1] == "other"
    assert sum(ribbon["errors"] for ribbon in drawn["ribbons"]) == 20


def test_nodes_lie_below_each_other_within_the_picture(page: Page) -> None:
    drawn = page.evaluate(LAID_OUT, [EDGES, "count"])
    for column in range(4):
        nodes = sorted((node for node in drawn["nodes"] if node["column"] == column), key=lambda node: node["y"])
        for above, below in pairwise(nodes):
            assert above["y"] + above["height"] < below["y"]
        assert nodes[0]["y"] >= 0
        assert nodes[-1]["y"] + nodes[-1]["height"] <= drawn["height"] + 0.5


def test_what_has_no_price_is_not_drawn_by_cost(page: Page) -> None:
    drawn = page.evaluate(LAID_OUT, [EDGES, "cost"])
    priced = [edge for edge in EDGES if edge["cost_micro_usd"]]
    assert sum(ribbon["count"] for ribbon in drawn["ribbons"]) == sum(edge["count"] for edge in priced)
