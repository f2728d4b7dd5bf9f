"""The custom phase, driven with recorded outcomes: what rules say, and what becomes of it."""

import sys
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from facts import ROOT, decided, features, run, snapshot

from core.exchange import SessionState, TargetState
from core.messages import Block, Message, Request
from core.routing.custom import granted_texts, view_of
from core.routing.decide import Deciding, decide
from core.routing.snapshot import Snapshot
from wasm_host.answer import Outcome
from wasm_host.registry import load_rules

NAMES = ("first", "second", "third")
TARGET = "deepseek,deepseek-chat"


@pytest.fixture(scope="module")
def ruled(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """A snapshot with three real rules; what they would say is not asked, the tests say it."""
    folder = tmp_path_factory.mktemp("plugins")
    source = (ROOT / "plugins" / "wasm-demo.wat").read_text()
    for name in NAMES:
        (folder / f"{name}.wat").write_text(source)
    return snapshot(rules=load_rules(folder, {}, cache=tmp_path_factory.mktemp("cache")))


def outcome(rule: str, code: str = "abstain", **fields: Any) -> Outcome:
    return Outcome(rule=rule, code=code, **fields)


def route(rule: str, target: str = TARGET, **fields: Any) -> Outcome:
    return outcome(rule, "route", route=target, **fields)


def test_rules_are_asked_in_order_with_the_configured_targets(ruled: Snapshot) -> None:
    _, asked = run(decide(ruled, features(), SessionState()), [[outcome(name) for name in NAMES]])
    assert [rule.name for rule in asked[0].rules] == list(NAMES)
    assert asked[0].targets == ruled.target_names


def test_rules_see_and_may_route_to_what_the_clients_key_may_ask(ruled: Snapshot) -> None:
    facts = features(client_key="ci", allowed=("anthropic,*", "openai,*"))
    decision, asked = run(decide(ruled, facts, SessionState()), [[route(name) for name in NAMES]])
    allowed = {name for name in ruled.target_names if name.startswith(("anthropic,", "openai,"))}
    assert asked[0].targets == allowed < ruled.target_names
    assert decision.reason == "default"  # a host that let the answer through is not believed
    for wants in ({"targets"}, {"targets", "targets.facts"}):
        shot = replace(ruled, rules=msgspec.structs.replace(ruled.rules, wants=frozenset(wants)))
        states = {TARGET: TargetState(healthy=False), "openai,gpt-5": TargetState(p50_ms=900)}
        view = view_of(Deciding(shot, facts, SessionState(), (), states))
        assert {target["name"] for target in view["targets"]} == allowed


def test_the_first_that_routes_wins(ruled: Snapshot) -> None:
    decision = decided(ruled, outcomes=[[outcome("first"), route("second", score=700, tags={"team": "a"})]])
    assert (decision.phase, decision.reason, str(decision.target)) == ("custom", "rule:second", TARGET)
    assert (decision.score, decision.tags) == (700, {"team": "a"})


@pytest.mark.parametrize("code", ["abstain", "error", "trap", "fuel", "timeout", "crash", "refused", "skipped"])
def test_a_fault_asks_the_next_phase_and_is_named(ruled: Snapshot, code: str) -> None:
    decision = decided(ruled, outcomes=[[outcome(name, code) for name in NAMES]])
    assert decision.reason == "default"
    assert [step.outcome for step in decision.trace if step.phase == "custom"] == [code] * 3


def test_rules_that_want_facts_see_what_is_left_of_the_keys_budget(ruled: Snapshot) -> None:
    wants = msgspec.structs.replace(ruled.rules, wants=frozenset({"targets", "targets.facts"}))
    states = {TARGET: TargetState(budget_left=0)}
    view = view_of(Deciding(replace(ruled, rules=wants), features(), SessionState(), (), states))
    assert {target["name"]: target.get("budget_left") for target in view["targets"]}[TARGET] == 0


def test_rules_that_want_facts_see_how_targets_are(ruled: Snapshot) -> None:
    states = {TARGET: TargetState(healthy=False), "openai,gpt-5": TargetState(p50_ms=900)}
    wants = msgspec.structs.replace(ruled.rules, wants=frozenset({"targets", "targets.facts"}))
    shot = replace(ruled, rules=wants)
    views = [
        {view["name"]: view for view in view_of(Deciding(shot, features(), SessionState(), (), known))["targets"]}
        for known in (states, {})
    ]
    facts = [
        [(view[name]["healthy"], view[name].get("p50_ms")) for name in (TARGET, "openai,gpt-5", "openai,gpt-5-mini")]
        for view in views
    ]
    assert facts == [[(False, None), (True, 900), (True, None)], [(True, None)] * 3]
    asked = [run(decide(shot, features(), SessionState(), states), [[]])[1][0].view for _ in range(2)]
    assert msgspec.json.encode(asked[0]) == msgspec.json.encode(asked[1])


def test_a_route_that_the_gate_turns_away_asks_the_rules_after_it(ruled: Snapshot) -> None:
    generator = decide(ruled, features(images=1), SessionState())
    decision, asked = run(generator, [[route("first")], [outcome("second"), route("third", "openai,gpt-5")]])
    assert [rule.name for rule in asked[1].rules] == ["second", "third"]
    assert (decision.reason, str(decision.target)) == ("rule:third", "openai,gpt-5")


def test_a_denial_is_a_refusal_with_its_status(ruled: Snapshot) -> None:
    denial = outcome("first", "deny", deny_status=429, deny_message="over budget")
    decision = decided(ruled, outcomes=[[denial]])
    assert decision.refusal is not None
    assert (decision.phase, decision.refusal.status, decision.refusal.message) == ("custom", 429, "over budget")


def test_a_denial_by_a_rule_that_saw_text_is_told_in_the_hosts_words(ruled: Snapshot) -> None:
    denial = outcome("first", "deny", deny_status=403, deny_message="the user wrote: secret", saw_text=True)
    decision = decided(ruled, outcomes=[[denial]])
    assert decision.refusal is not None
    assert decision.refusal.message == "denied by rule first"
    told = [step.detail["deny_message"] for step in decision.trace if "deny_message" in step.detail]
    assert told == ["the user wrote: secret"]  # which only `explain` shows
    failed = outcome("first", "trap", deny_status=503, deny_message="rule first failed", saw_text=True)
    decision = decided(ruled, outcomes=[[failed]])
    assert decision.refusal is not None
    assert decision.refusal.message == "rule first failed"


def test_a_failed_rule_that_the_operator_wants_to_deny_denies(ruled: Snapshot) -> None:
    failed = outcome("first", "trap", deny_status=503, deny_message="rule first failed")
    refusal = decided(ruled, outcomes=[[failed]]).refusal
    assert refusal is not None
    assert refusal.status == 503


def test_a_shadow_rule_never_decides(ruled: Snapshot) -> None:
    decision = decided(ruled, outcomes=[[route("first", shadow=True), outcome("second"), outcome("third")]])
    assert decision.reason == "default"
    assert any(step.outcome == "shadow" and step.detail["route"] == TARGET for step in decision.trace)


def test_rules_see_what_the_abi_names(ruled: Snapshot) -> None:
    facts = features(model="m", effort="high", tools=("Read",), client_key="laptop", agent="codex", now_ms=5, seed=7)
    view = view_of(Deciding(ruled, facts, SessionState(turns=3), ("thinking",)))
    assert (view["now_ms"], view["seed"], view["scenario"]) == (5, 7, ("thinking",))
    assert view["request"]["thinking"] == "high"
    assert view["client"] == {"key": "laptop", "agent": "codex"}
    assert {"name": TARGET} in view["targets"]
    assert "session" not in view


def test_texts_and_headers_are_prepared_only_for_those_who_want_them() -> None:
    raw = b'{"messages":[{"role":"user","content":"hi"}]}'
    messages = [Message(role="user", content=[Block(type="text", text="hi")])]
    request = Request(
        dialect="anthropic", raw=raw, model="m", messages=messages, system=[Block(type="text", text="be brief")]
    )
    assert granted_texts(frozenset({"request", "targets"}), request, {"x-team": "a"}) == {}
    wants = frozenset({"request.system", "request.messages", "headers", "headers[x-team]", "headers[x-none]"})
    granted = granted_texts(wants, request, {"x-team": "a", "x-other": "b"})
    assert granted["system"] == "be brief"
    assert msgspec.json.encode(granted["messages"]) == b'[{"role":"user","content":"hi"}]'
    assert granted["headers"] == {"x-team": "a"}


@pytest.mark.parametrize(("system", "kept"), [(1000, 0), (0, 1)])
def test_a_small_part_that_is_granted_does_not_keep_the_whole_body(system: int, kept: int) -> None:
    raw = b'{"system":"' + b"x" * system + b'","messages":[{"role":"user","content":"hi"}]}'
    request = Request(dialect="anthropic", raw=raw, model="m", messages=[])
    before = sys.getrefcount(raw)
    granted = granted_texts(frozenset({"request.messages"}), request, {})
    assert sys.getrefcount(raw) - before == kept
    assert bytes(granted["messages"]) == b'[{"role":"user","content":"hi"}]'
