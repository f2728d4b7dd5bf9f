"""What is kept of a decision."""

import msgspec
import pytest
from facts import ROOT, features, run, snapshot

from core import decision_record
from core.decision_record import Record, Words, canonical, record_of
from core.exchange import Exchange, Inputs, SessionState
from core.redaction import Redactor
from core.routing.decide import decide
from core.routing.snapshot import Snapshot
from wasm_host.answer import Outcome
from wasm_host.registry import load_rules

PRIVATE = "my grandmother's recipe for plum cake"
CONCEPTS = {"a/frugal.md": "# Frugal\nroute:: deepseek, deepseek-chat\nsynonyms:: grandmother\n"}


@pytest.fixture(scope="module")
def ruled(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """A snapshot with a rule that is granted the human's words."""
    folder = tmp_path_factory.mktemp("plugins")
    (folder / "one.wat").write_text((ROOT / "plugins" / "wasm-demo.wat").read_text())
    operator = {"one": {"input": ["request.last_user"], "grant": ["request.last_user"]}}
    rules = load_rules(folder, operator, cache=tmp_path_factory.mktemp("cache"))
    return snapshot(concepts=CONCEPTS, rules=rules)


def recorded(shot: Snapshot, outcome: Outcome, *, capture: bool = False) -> tuple[Exchange, Record]:
    facts = features(last_user=PRIVATE, granted={"system": PRIVATE})
    exchange = Exchange("req_1", "/v1/messages", "anthropic", inputs=Inputs(facts))
    exchange.decision, _ = run(decide(shot, facts, SessionState()), [[outcome]])
    record = record_of(exchange, shot, 1.0, capture=capture)
    assert record is not None
    return exchange, record


def said(**more: object) -> Outcome:
    words = {"reason": "plum", "message": PRIVATE, "log": PRIVATE, "deny_message": PRIVATE}
    return msgspec.convert({"rule": "one", "code": "abstain", "fuel": 7, "micros": 9, **words, **more}, Outcome)


def test_no_word_is_kept(ruled: Snapshot) -> None:
    exchange, record = recorded(ruled, said(saw_text=True))
    kept = msgspec.json.encode(record)
    assert not [word for word in PRIVATE.encode().split() if len(word) > 3 and word in kept]
    assert (record.chars, record.asked[0].fuel, record.decision.reason) == (len(PRIVATE), 7, "concept:frugal")
    assert record.matches[0].spans == ((3, 14, ""),)
    assert msgspec.json.encode(decision_record.decode(kept)) == kept
    assert exchange.decision is not None
    assert canonical(record.decision) == canonical(exchange.decision)


def test_a_rule_that_saw_no_text_is_quoted(ruled: Snapshot) -> None:
    _, record = recorded(ruled, said(reason="cheap", message="no budget", log="", deny_message=""))
    assert (record.asked[0].reason, record.asked[0].message) == ("cheap", "no budget")
    assert record.decision.trace[1].detail["reason"] == "cheap"


def test_words_are_kept_if_they_are_captured_and_a_rule_was_granted_them(ruled: Snapshot) -> None:
    assert recorded(ruled, said(), capture=True)[1].words == Words(PRIVATE, {"system": PRIVATE})
    facts = features(last_user=PRIVATE)
    exchange = Exchange("req_1", "/v1/messages", "anthropic", inputs=Inputs(facts))
    exchange.decision, _ = run(decide(snapshot(), facts, SessionState()), [])
    record = record_of(exchange, snapshot(), 1.0, capture=True)
    assert record is not None
    assert record.words is None


def test_what_a_provider_makes_up_is_not_kept(ruled: Snapshot) -> None:
    exchange, _ = recorded(ruled, said())
    for error, kept in (
        ("rate_limit_error", "rate_limit_error"),
        ("api_error: after the first byte", "api_error: after the first byte"),
        ("client_left", "client_left"),
        (PRIVATE, "other"),
        (f"api_error: {PRIVATE}", "other"),
        ("", ""),
    ):
        exchange.error, exchange.stop_reason = error, error and PRIVATE
        record = record_of(exchange, ruled, 1.0, capture=False)
        assert record is not None
        assert (record.result.error, record.result.stop_reason) == (kept, error and "other")


def test_words_that_hold_a_key_are_not_captured(ruled: Snapshot) -> None:
    exchange, _ = recorded(ruled, said())
    for secret, kept in (("grandmother's recipe", False), ("somebody else's recipe", True)):
        record = record_of(exchange, ruled, 1.0, capture=True, known=Redactor([secret]))
        assert record is not None
        assert (record.words is not None) is kept


def test_decisions_that_took_another_time_are_equal(ruled: Snapshot) -> None:
    decisions = [recorded(ruled, said(micros=micros))[0].decision for micros in (9, 10)]
    assert decisions[0] is not None
    assert decisions[1] is not None
    assert decisions[0] != decisions[1]
    assert canonical(decisions[0]) == canonical(decisions[1])


def test_nothing_is_kept_of_what_was_not_decided() -> None:
    assert record_of(Exchange("req_1", "/v1/messages", "anthropic"), snapshot(), 1.0, capture=True) is None
