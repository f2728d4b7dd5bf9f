"""Metrics and log lines of the rules' host."""

from typing import Any

import pytest
from scraped import number

from core.metrics import Metrics
from core.rule_events import RuleEvents
from core.telemetry import BREAKER_STATES
from wasm_host.answer import Outcome
from wasm_host.pool import Change


class Said:
    def __init__(self) -> None:
        self.metrics = Metrics()
        self.metrics.known.learn("rule", ["a", "b"])
        self.lines: list[tuple[dict[str, object], str]] = []
        self.events = RuleEvents(self.metrics, lambda fields, level: self.lines.append((fields, level)))

    def value(self, name: str, **labels: str) -> float | None:
        return number(self.metrics.exposition(), f"terraphim_rule_{name}", **labels)


@pytest.fixture
def said() -> Said:
    return Said()


def test_outcomes_are_counted_with_their_fuel_and_time(said: Said) -> None:
    trap = Outcome(rule="a", code="trap", fuel=7, micros=300)
    said.events.asked([trap, trap, Outcome(rule="b", code="route", fuel=3, micros=10)], 0.001)
    assert (said.value("outcomes_total", rule="a", outcome="trap"), said.value("fuel_total", rule="a")) == (2, 14)
    assert said.value("seconds_sum", rule="a") == pytest.approx(0.0006)
    assert said.value("seconds_bucket", rule="a", le="0.0002") == 0
    assert said.value("queue_seconds_sum") == pytest.approx(0.001)


@pytest.mark.parametrize("why", ["breaker", "quarantine", "oversize"])
def test_why_a_rule_was_skipped_is_part_of_the_code(said: Said, why: str) -> None:
    said.events.asked([Outcome(rule="a", code="skipped", message=f"{why}: the user's words")], 0)
    assert said.value("outcomes_total", rule="a", outcome=f"skipped_{why}") == 1
    assert said.value("seconds_count", rule="a") is None
    assert b"words" not in said.metrics.exposition()


def test_a_breaker_is_in_one_state_and_its_changes_are_said_once(said: Said) -> None:
    for state, reason in (("closed", ""), ("open", "the last outcome is trap"), ("open", ""), ("closed", "")):
        said.events.breaker("a", state, reason)
        assert [known for known in BREAKER_STATES if said.value("breaker", rule="a", state=known)] == [state]
    told: list[tuple[Any, Any, str]] = [(fields["state"], fields.get("reason"), level) for fields, level in said.lines]
    assert told == [("open", "the last outcome is trap", "warning"), ("closed", None, "info")]


def test_workers_are_counted_and_their_ends_are_said(said: Said) -> None:
    for _ in range(2):
        said.events.worker(Change("ready", layers={"seccomp": "on", "landlock": "the kernel has none"}, path="native"))
    assert said.value("workers") == 2
    assert (said.value("hardening", layer="seccomp"), said.value("hardening", layer="landlock")) == (1, 0)
    said.events.worker(Change("crash", "signal 11"))
    assert (said.value("workers"), said.value("worker_exits_total", cause="crash")) == (1, 1)
    assert said.lines == [({"event": "rule_worker_lost", "cause": "crash", "detail": "signal 11"}, "warning")]


def test_the_slow_way_is_said(said: Said) -> None:
    said.events.worker(Change("ready", path="public native differs"))
    assert said.lines == [({"event": "rule_path", "path": "public native differs"}, "warning")]


def test_an_orderly_end_is_no_news_and_a_failed_start_no_exit(said: Said) -> None:
    said.events.worker(Change("ready", path="native"))
    said.events.worker(Change("closed", "signal 9"))
    assert said.lines == []
    said.events.worker(Change("failed", "no memory"))
    assert said.value("workers") == 0
    assert said.lines[0][0]["detail"] == "no memory"


def test_a_rule_that_serves_no_more_is_in_no_state(said: Said) -> None:
    said.events.gone("a")  # of which nothing was ever said
    said.events.breaker("a", "quarantine", "a worker died")
    said.events.breaker("b", "open")
    said.events.gone("a")
    assert [said.value("breaker", rule="a", state=known) for known in BREAKER_STATES] == [None] * 4
    assert said.value("breaker", rule="b", state="open") == 1
    said.events.breaker("a", "closed")
    assert (said.value("breaker", rule="a", state="closed"), len(said.lines)) == (1, 2)
