"""Decisions made again from their records."""

import msgspec
import pytest
from facts import features, run, settings, snapshot

from core.decision_record import Record, canonical, record_of
from core.exchange import Exchange, Inputs, SessionState
from core.lab.again import NotCaptured, again
from core.routing.decide import decide
from core.routing.snapshot import Snapshot

CONCEPTS = {"a/frugal.md": "# Frugal\nroute:: deepseek, deepseek-chat\nsynonyms:: on the cheap\n"}


def recorded(shot: Snapshot, text: str) -> Record:
    """The record of a decision on this text, as it comes back from where it was kept."""
    exchange = Exchange("req_1", "/v1/messages", "anthropic", inputs=Inputs(features(last_user=text)))
    exchange.decision, _ = run(decide(shot, features(last_user=text), SessionState()), [])
    record = record_of(exchange, shot, 1.0, capture=False)
    return msgspec.json.decode(msgspec.json.encode(record), type=Record)


@pytest.mark.parametrize("text", ["do it on the cheap", "hello"])
def test_what_was_found_then_serves_where_the_words_are_not_there(text: str) -> None:
    shot = snapshot(concepts=CONCEPTS)
    record = recorded(shot, text)
    assert text.encode() not in msgspec.json.encode(record)
    decision, _ = run(again(record, shot, same_patterns=True), [])
    assert canonical(decision) == canonical(record.decision)


def test_another_taxonomy_needs_the_words() -> None:
    record = recorded(snapshot(concepts=CONCEPTS), "do it on the cheap")
    with pytest.raises(NotCaptured, match="the pattern phase"):
        run(again(record, snapshot(), same_patterns=False), [])


def test_what_patterns_would_find_is_kept_where_another_phase_decided() -> None:
    first = settings(order=["default", "runtime", "custom", "pattern"])
    record = recorded(snapshot(first, CONCEPTS), "do it on the cheap")
    decision, _ = run(again(record, snapshot(concepts=CONCEPTS), same_patterns=True), [])
    assert (record.decision.reason, decision.reason) == ("default", "concept:frugal")
