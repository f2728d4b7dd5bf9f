import gc
from dataclasses import replace
from typing import Any
from weakref import ref

import msgspec
import pytest
from facts import features
from fed import SHOT, exchange, undecided

from core.exchange import Inputs, TargetState
from core.feed import Entry, Feed, found
from core.feed_kept import detail
from core.feed_summary import Summary
from core.messages import Usage
from wasm_host.answer import Outcome


def fed(count: int, **facts: Any) -> Feed:
    feed = Feed(lambda: 2, keep=100)
    for number in range(count):
        made = exchange(number, at_ms=number, **facts)
        feed.decided(made, SHOT)
        feed.over(made, 0.12, SHOT)
    return feed


def ids(feed: Feed, limit: int, before: str = "", query: str = "") -> list[int]:
    return [int(each["id"][4:], 16) for each in shown(feed, limit, before, query)]


def shown(feed: Feed, limit: int, before: str = "", query: str = "") -> list[Summary]:
    return found(feed.newest(before), limit, query)


def test_the_newest_first_page_by_page() -> None:
    feed = fed(150)
    assert len(feed) == 100
    assert ids(feed, 3) == [149, 148, 147]
    assert ids(feed, 3, f"req_{147:032x}") == [146, 145, 144]
    assert ids(feed, 1000) == list(range(149, 49, -1))
    assert ids(feed, 3, f"req_{50:032x}") == []
    assert ids(feed, 2, "req_gone") == [149, 148]


def test_a_filter_looks_at_all_of_them() -> None:
    feed = fed(20)
    made = exchange(20, client="other-machine")
    feed.decided(made, SHOT)
    assert ids(feed, 10, query="client:other") == [20]
    assert ids(feed, 10, query="nowhere") == []
    assert ids(feed, 2, f"req_{10:032x}", "laptop") == [9, 8]


def test_one_request_is_open_and_then_done_and_listeners_hear_both() -> None:
    feed, heard = Feed(lambda: 1), list[str]()
    feed.listeners.append(lambda entry: heard.append(entry.summary["state"]))
    made = exchange(1)
    feed.decided(made, SHOT)
    assert shown(feed, 10)[0]["state"] == "open"
    assert (feed.total, feed.errors) == (0, 0)
    feed.over(made, 0.5, SHOT)
    [done] = shown(feed, 10)
    assert (done["state"], done["ms"]) == ("done", 500.0)
    assert heard == ["open", "done"]
    assert (feed.total, feed.errors) == (1, 0)


def test_what_failed_before_it_was_decided_is_shown_too() -> None:
    feed = Feed(lambda: 0)
    feed.over(undecided(1), 0.001, SHOT)
    assert [(each["status"], each["state"]) for each in shown(feed, 10)] == [(400, "done")]
    assert (feed.total, feed.errors) == (1, 1)
    assert feed.flow.shown(5, 0)["edges"] == []
    kept = feed.find(f"req_{1:032x}")
    assert kept is not None
    assert kept[0].inputs is None


def test_one_that_outlives_a_thousand_others_is_counted_and_told_but_not_listed_again() -> None:
    feed, heard = Feed(lambda: 0, keep=2), list[Entry]()
    long = exchange(0)
    feed.decided(long, SHOT)
    for number in range(1, 5):
        feed.decided(exchange(number), SHOT)
    feed.listeners.append(heard.append)
    feed.over(long, 99.0, SHOT)
    assert ids(feed, 10) == [4, 3]
    assert (feed.total, heard[0].summary["ms"]) == (1, 99_000.0)
    assert feed.find(f"req_{0:032x}") is None


def test_words_are_held_within_bounds_and_what_is_packed_says_the_same() -> None:
    feed, plain = Feed(lambda: 0, room=10_000), Feed(lambda: 0)
    for number in range(50):
        made = exchange(number, last_user="x" * 999 + " look into")
        for each in (feed, plain):
            each.decided(made, SHOT)
            each.over(made, 0.1, SHOT)
    waiting = [entry for entry in feed._entries.values() if entry.exchange is not None]
    assert sum(entry.size for entry in waiting) == feed._held <= 10_000
    assert len(waiting) == 9
    assert shown(feed, 50) == shown(plain, 50)
    packed, whole = feed.find(f"req_{3:032x}"), plain.find(f"req_{3:032x}")
    assert packed is not None
    assert whole is not None
    assert packed[1] is whole[1] is SHOT
    assert msgspec.json.encode(detail(*packed)) == msgspec.json.encode(detail(*whole))


def test_one_alone_that_has_no_room_is_packed_at_once() -> None:
    feed = Feed(lambda: 0, room=10)
    made = exchange(1, last_user="x" * 100)
    feed.decided(made, SHOT)
    feed.over(made, 0.1, SHOT)
    assert (feed._held, len(feed._waiting)) == (0, 0)
    assert ids(feed, 1) == [1]


@pytest.mark.parametrize(
    "held",
    [
        {"last_user": "x" * 1000},
        {"granted": {"system": "x" * 1000}},
        {"granted": {"messages": msgspec.Raw(b"x" * 1000)}},
        {"granted": {"headers": {"x-one": "x" * 500, "x-two": "x" * 500}}},
        {"tools": ("t",) * 1000},
    ],
)
def test_all_that_may_be_large_has_its_weight(held: dict[str, Any]) -> None:
    feed, made = Feed(lambda: 0), exchange(1)
    made.inputs = Inputs(features(**held))
    feed.decided(made, SHOT)
    feed.over(made, 0.1, SHOT)
    assert feed._held >= 1000


def test_what_rules_logged_and_was_known_of_targets_has_its_weight() -> None:
    logged, known = exchange(1), exchange(2)
    assert logged.decision is not None
    assert known.inputs is not None
    logged.decision = msgspec.structs.replace(
        logged.decision, asked=(Outcome(rule="r", code="abstain", log="x" * 1000),)
    )
    states = {f"p,{number}": TargetState() for number in range(100)}
    known.inputs = msgspec.structs.replace(known.inputs, states=states)
    for made in (logged, known):
        feed = Feed(lambda: 0)
        feed.decided(made, SHOT)
        feed.over(made, 0.1, SHOT)
        assert feed._held >= 1000


def test_what_leaves_the_ring_leaves_the_sum() -> None:
    feed = fed(500, last_user="x" * 1000)
    assert feed._held == sum(entry.size for entry in feed._entries.values())
    assert len(feed._waiting) == 100


def test_no_snapshot_is_kept_alive() -> None:
    feed, old = Feed(lambda: 0), replace(SHOT)
    made, gone = exchange(1), ref(old)
    feed.decided(made, old)
    feed.over(made, 0.1, old)
    kept = feed.find(made.request_id)
    assert kept is not None
    assert kept[1] is old
    del old, kept
    gc.collect()
    assert gone() is None
    again = feed.find(made.request_id)
    assert again is not None
    assert again[1] is None


def test_a_flow_has_configured_names_only() -> None:
    feed = Feed(lambda: 0)
    for number, agent in enumerate(("claude-code", "my-own-tool", "")):
        made = exchange(number, client="", agent=agent)
        feed.decided(made, SHOT)
        feed.over(made, 0.1, SHOT)
    made = exchange(4)
    assert made.answered_by is not None
    made.answered_by = made.answered_by._replace(model="made-up-by-a-client")
    feed.over(made, 0.1, SHOT)
    edges = feed.flow.shown(5, 0)["edges"]
    assert {edge["client"] for edge in edges} == {"claude-code", "other", "laptop"}
    assert {edge["target"].partition(",")[2] for edge in edges} == {"claude-sonnet-4-6", "other"}


def test_sums_and_series() -> None:
    feed = Feed(lambda: 7)
    made = exchange(1, at_ms=1_000_000)
    made.lost = Usage(input=1000, output=1)
    feed.decided(made, SHOT)
    feed.over(made, 2.0, SHOT)
    steps = feed.series.shown(1, 1_002_000)
    assert [steps[name][-1] for name in ("requests", "errors", "tokens_in", "tokens_out", "cost_micro_usd")] == [
        1, 0, 1100, 21, 12,
    ]  # fmt: skip
    assert steps["in_flight"][-1] == 7
    [edge] = feed.flow.shown(5, 1_002_000)["edges"]
    assert (edge["count"], edge["tokens"], edge["cost_micro_usd"]) == (1, 1121, 12)
