import pytest

from core.exchange import Target
from core.feed_summary import OTHER
from core.flow import EDGES, MINUTE_MS, QUARTER, SHOWN, Edge, Flow

AT = 1_700_000_000_000 // (QUARTER * MINUTE_MS) * QUARTER * MINUTE_MS
A: Edge = ("laptop", "pattern", "concept:research", Target("one", "main"))
B: Edge = ("claude-code", "default", "default", Target("one", "main"))

NAMED = {"target": "one,main"}


def add(flow: Flow, edge: Edge, minute: int, **what: int) -> None:
    flow.add(edge, AT + minute * MINUTE_MS, what.get("error", 0), what.get("micros", 0), 7)


def test_edges_are_counted_and_ranked() -> None:
    flow = Flow()
    add(flow, A, 0, micros=5)
    add(flow, B, 0)
    add(flow, B, 1, error=1, micros=2)
    shown = flow.shown(60, AT + 90_000)
    assert shown["edges"] == [
        {
            **NAMED,
            "client": "claude-code",
            "phase": "default",
            "reason": "default",
            "count": 2,
            "errors": 1,
            "cost_micro_usd": 2,
            "tokens": 14,
        },
        {
            **NAMED,
            "client": "laptop",
            "phase": "pattern",
            "reason": "concept:research",
            "count": 1,
            "errors": 0,
            "cost_micro_usd": 5,
            "tokens": 7,
        },
    ]
    assert shown["to_ms"] == AT + 90_000
    assert shown["from_ms"] == AT - 58 * MINUTE_MS


@pytest.mark.parametrize(("minutes", "after", "count"), [
    (5, 4, 1), (5, 5, 0), (60, 59, 1), (60, 60, 0), (1440, 60, 1), (1440, 1440, 1), (1440, 1439 + 15, 0),
])  # fmt: skip
def test_a_window_ends(minutes: int, after: int, count: int) -> None:
    flow = Flow()
    add(flow, A, 0)
    shown = flow.shown(minutes, AT + after * MINUTE_MS)
    assert sum(edge["count"] for edge in shown["edges"]) == count


def test_a_day_with_a_request_a_minute_is_whole_and_bounded() -> None:
    flow = Flow()
    for minute in range(3 * 1440):
        add(flow, A, minute)
    end = AT + 3 * 1440 * MINUTE_MS - 1
    assert flow.shown(5, end)["edges"][0]["count"] == 5
    assert flow.shown(60, end)["edges"][0]["count"] == 60
    day = flow.shown(1440, end)
    assert day["edges"][0]["count"] == (end + 1 - day["from_ms"]) // MINUTE_MS
    assert 1440 <= day["edges"][0]["count"] < 1440 + 15
    assert len(flow._minutes) <= 61
    assert len(flow._quarters) <= 97


def test_a_clock_that_is_put_back_loses_nothing() -> None:
    flow = Flow()
    add(flow, A, 10)
    add(flow, A, 5)
    assert flow.shown(5, AT + 10 * MINUTE_MS)["edges"][0]["count"] == 2


def test_a_clock_that_was_far_ahead_is_forgotten() -> None:
    flow, ahead = Flow(), 10_000
    add(flow, A, 0)
    for minute in range(100):
        add(flow, A, ahead + minute)
    add(flow, A, 1)
    assert flow.shown(1440, AT + MINUTE_MS)["edges"][0]["count"] == 2
    assert flow.shown(1440, AT + (ahead + 100) * MINUTE_MS)["edges"] == []


def test_names_without_end_are_one_edge() -> None:
    flow = Flow()
    for minute in range(70):
        for number in range(EDGES + 50):
            add(flow, (*A[:3], Target("one", f"m{minute}-{number}")), minute)
    assert all(len(edges) <= EDGES + 1 for _, edges in (*flow._minutes, *flow._quarters))
    for minutes in (5, 60, 1440):
        shown = flow.shown(minutes, AT + 69 * MINUTE_MS)["edges"]
        assert SHOWN - 1 <= len(shown) <= SHOWN
        assert sum(edge["count"] for edge in shown) == min(minutes, 70) * (EDGES + 50)
        rest = [edge for edge in shown if edge["target"] == OTHER]
        assert len(rest) == 1
