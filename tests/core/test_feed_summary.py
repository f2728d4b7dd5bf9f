from typing import Any

import msgspec
import pytest
from fed import exchange, undecided

from core.exchange import Cost
from core.feed_summary import MOST, SEARCHED, matching, summary


def test_of_a_request_that_is_over() -> None:
    shown = summary(exchange(1, at_ms=1000, last_user="look into it", agent="claude-code", model="auto"), 120.456)
    assert shown == {
        "id": f"req_{1:032x}", "at_ms": 1000, "endpoint": "/v1/messages", "client": "laptop", "agent": "claude-code",
        "class": "", "session": shown["session"], "requested": "auto", "target": "openrouter,deepseek/deepseek-chat",
        "answered_by": "openrouter,deepseek/deepseek-chat", "phase": "pattern", "reason": "concept:research",
        "status": 200, "error": "", "stream": False, "state": "done",
        "tokens": {"input": 100, "output": 20, "cache_read": 5, "cache_write": 0}, "cost_micro_usd": 12, "ms": 120.46,
        "decided_ms": 0.4, "first_ms": 33.0, "attempts": 1, "simulated": False, "cache": "",
        "snapshot": shown["snapshot"],
    }  # fmt: skip
    assert msgspec.json.decode(msgspec.json.encode(shown)) == shown
    assert len(shown["session"]) == 8
    assert len(shown["snapshot"]) == 12


def test_of_one_that_is_open_and_of_one_that_was_not_decided() -> None:
    opened = summary(exchange(), None)
    assert (opened["state"], opened["ms"]) == ("open", None)
    refused = summary(undecided(), 1.0)
    assert (refused["target"], refused["phase"], refused["requested"]) == (None, "", "")
    assert (refused["status"], refused["error"], refused["state"]) == (400, "invalid_request_error", "done")


def test_what_a_provider_made_up_is_no_name_of_an_error() -> None:
    made = exchange()
    made.error = "api_error: <script>the user's own words</script>"
    assert summary(made, 1.0)["error"] == "other"


def test_a_cost_of_which_a_part_is_unknown_is_unknown() -> None:
    made = exchange()
    made.cost = Cost(12, unpriced=True)
    assert summary(made, 1.0)["cost_micro_usd"] is None


def test_a_session_is_told_apart_and_not_told() -> None:
    shown = [summary(exchange(session_id=name), 1.0)["session"] for name in ("a-long-session-id", "another", "another")]
    assert shown[0] != shown[1] == shown[2]
    assert "a-long-session-id" not in shown


def test_a_long_name_is_cut() -> None:
    assert summary(exchange(model="x" * 10_000), 1.0)["requested"] == "x" * MOST


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", True), ("  ", True), ("LAPTOP", True), ("laptop claude", True), ("laptop codex", False),
        ("client:lap", True), ("client:claude", False), ("agent:claude-code", True), ("status:200", True),
        ("status:20", True), ("200", True), ("404", False), ("concept:research", True), ("reason:concept:res", True),
        ("phase:pattern target:openrouter", True), ("requested:auto", True), ("error:x", False), ("error:", True),
        ("snapshot:", False), ("nothing:laptop", False), ("look", False), ("session", False),
    ],
)  # fmt: skip
def test_a_filter(query: str, found: bool) -> None:
    shown: dict[str, Any] = summary(exchange(last_user="look into it", agent="claude-code", model="auto"), 1.0)
    assert matching(query)(shown) is found


def test_every_searched_field_is_there() -> None:
    assert set(SEARCHED) <= set(summary(exchange(), 1.0))
