"""What a rule in shadow would have decided, from the record alone."""

from pathlib import Path

import msgspec
import pytest
from facts import ROOT, features, run, settings, snapshot

from core.decision_record import Record, canonical, record_of
from core.exchange import Decision, Exchange, Inputs, SessionState
from core.lab.again import NotCaptured
from core.lab.drivers import drive
from core.lab.enforce import as_recorded, enforced
from core.routing.decide import decide
from core.routing.snapshot import Snapshot
from wasm_host.answer import Outcome
from wasm_host.registry import load_rules
from wasm_host.rule import RuleSet

NAMES = ("a", "b", "c")
OTHER = "openai,gpt-5-mini"


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> RuleSet:
    """Three rules, of which the second is in shadow; what they answer is said by each test."""
    folder = tmp_path_factory.mktemp("plugins")
    for name in NAMES:
        (folder / f"{name}.wat").write_text((ROOT / "plugins" / "wasm-demo.wat").read_text())
    return load_rules(folder, {"b": {"mode": "shadow"}}, cache=tmp_path_factory.mktemp("cache"))


def recorded(shot: Snapshot, outcomes: list[list[Outcome]], **facts: object) -> tuple[Record, Decision]:
    exchange = Exchange("req_1", "/v1/messages", "anthropic", inputs=Inputs(features(**facts)))
    exchange.decision, _ = run(decide(shot, features(**facts), SessionState()), outcomes)
    record = record_of(exchange, shot, 1.0, capture=False)
    assert record is not None
    return msgspec.json.decode(msgspec.json.encode(record), type=Record), exchange.decision


def said(rule: str, code: str = "abstain", **more: object) -> Outcome:
    return Outcome(rule=rule, code=code, shadow=rule == "b", **more)  # type: ignore[arg-type]


def test_what_the_shadow_answered_decides(rules: RuleSet) -> None:
    shot = snapshot(rules=rules)
    routed = said("b", "route", route=OTHER, reason="cheap", score=7)
    record, decision = recorded(shot, [[said("a"), routed, said("c")]])
    assert decision.reason == "default"
    would = enforced(record, shot, "b")
    assert (would.reason, str(would.target), would.score) == ("rule:b", OTHER, 7)
    assert [step.outcome for step in would.trace if step.phase == "custom"] == ["abstain", "decided"]


def test_rules_behind_it_are_asked_when_the_gate_turns_its_route_away(rules: RuleSet) -> None:
    shot = snapshot(rules=rules)
    routed = said("b", "route", route="deepseek,deepseek-chat")
    last = said("c", "route", route=OTHER)
    record, decision = recorded(shot, [[said("a"), routed, last]], images=1, tools=("x",))
    assert str(decision.target) == OTHER
    would = enforced(record, shot, "b")
    assert (would.reason, str(would.target)) == ("rule:c", OTHER)
    assert [step.outcome for step in would.trace if step.phase == "gate"] == ["removed"]


def test_a_denial_denies(rules: RuleSet) -> None:
    shot = snapshot(rules=rules)
    denied = said("b", "deny", deny_status=429, deny_message="too dear")
    record, _ = recorded(shot, [[said("a"), denied, said("c")]])
    would = enforced(record, shot, "b")
    assert would.refusal is not None
    assert (would.refusal.status, would.refusal.message) == (429, "too dear")


@pytest.mark.parametrize("code", ["abstain", "trap", "fuel"])
def test_what_did_not_decide_changes_only_what_is_said_of_it(rules: RuleSet, code: str) -> None:
    shot = snapshot(rules=rules)
    record, decision = recorded(shot, [[said("a"), said("b", code), said("c", "route", route=OTHER)]])
    would = enforced(record, shot, "b")
    assert would.candidates == decision.candidates
    assert [step.outcome for step in would.trace] == [
        code if step.detail.get("rule") == "b" else step.outcome for step in decision.trace
    ]


def test_a_rule_that_was_not_asked_changes_nothing(rules: RuleSet) -> None:
    shot = snapshot(settings(order=["custom", "default"]), rules=rules)
    record, decision = recorded(shot, [[said("a", "route", route=OTHER)]])
    assert canonical(enforced(record, shot, "b")) == canonical(decision)


def test_an_answer_that_there_is_not_is_not_made_up(rules: RuleSet) -> None:
    with pytest.raises(NotCaptured, match="rule c: it was not asked"):
        drive(decide(snapshot(rules=rules), features(), SessionState()), as_recorded([said("a"), said("b")]))


def test_a_fault_of_a_rule_that_fails_closed_denies(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "b.wat").write_text((ROOT / "plugins" / "wasm-demo.wat").read_text())
    tables = {"b": {"mode": "shadow", "fail": "deny"}}
    shot = snapshot(rules=load_rules(tmp_path / "plugins", tables, cache=tmp_path / "cache"))
    record, decision = recorded(shot, [[said("b", "trap", deny_status=403, deny_message="rule b failed")]])
    assert decision.refusal is None
    refusal = enforced(record, shot, "b").refusal
    assert refusal is not None
    assert refusal.message == "rule b failed"
