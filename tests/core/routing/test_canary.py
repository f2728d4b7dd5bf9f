"""Which sessions a canary decides for: stays, grows, is met, and is each rule's own."""

import math
from typing import Any

import pytest
from facts import ROOT, features, run, snapshot

from core.exchange import Decision, SessionState
from core.routing.canary import is_in, place
from core.routing.decide import decide
from core.routing.proposal import Ask
from core.routing.snapshot import Snapshot
from core.session import mark_of
from wasm_host.answer import Outcome
from wasm_host.registry import load_rules

TARGET = "deepseek,deepseek-chat"


@pytest.fixture(scope="module")
def marks() -> list[str]:
    return [mark_of(features(session_id=f"session-{number}", client_key="laptop")) for number in range(100_000)]


def off(found: int, share: float, of: int) -> float:
    """Standard deviations that a count is away from its share."""
    part = share / 100
    return abs(found - of * part) / math.sqrt(of * part * (1 - part))


@pytest.mark.parametrize("share", [0.5, 5, 25, 90])
def test_the_share_is_met(marks: list[str], share: float) -> None:
    assert off(sum(is_in("cost_guard", share, mark) for mark in marks), share, len(marks)) < 4


def test_who_is_in_stays_in_as_the_share_grows(marks: list[str]) -> None:
    shares = (0.01, 1, 5, 20, 99.99, 100)
    sides = ([is_in("cost_guard", share, mark) for share in shares] for mark in marks[:20_000])
    assert all(sorted(chosen) == chosen and chosen[-1] for chosen in sides)


def test_rules_choose_independently_of_each_other_also_those_of_like_names(marks: list[str]) -> None:
    for other in ("cost_guard2", "cost-guard", "zz"):
        both = sum(is_in("cost_guard", 20, mark) and is_in(other, 20, mark) for mark in marks)
        assert off(both, 4, len(marks)) < 4


def test_a_place_is_the_same_everywhere_and_always() -> None:
    """By `b2sum -l 64`: another hash would move every session of every canary."""
    assert place("cost_guard", "~0123456789abcdef") == 0x81E571CAB141BD21


def shot(tmp_path: Any, **operator: Any) -> Snapshot:
    folder = tmp_path / "plugins"
    folder.mkdir(exist_ok=True)
    source = (ROOT / "plugins" / "wasm-demo.wat").read_text()
    for name in ("careful", "other"):
        (folder / f"{name}.wat").write_text(source)
    return snapshot(rules=load_rules(folder, {"careful": operator}, cache=tmp_path / "cache"))


def ask(snapshot: Snapshot, **facts: Any) -> tuple[Decision, Ask]:
    """A decision on which `careful` routes and `other` abstains, as a host would say it."""
    generator = decide(snapshot, features(**facts), SessionState())
    [first] = run(decide(snapshot, features(**facts), SessionState()), [[]])[1]
    shadow = first.rules[0].settings.mode != "enforce"
    outcomes = [
        Outcome(rule="careful", code="route", route=TARGET, shadow=shadow),
        Outcome(rule="other", code="abstain"),
    ]
    return run(generator, [outcomes if shadow else outcomes[:1]])[0], first


def test_a_canary_decides_for_its_sessions_and_is_a_shadow_for_the_others(tmp_path: Any) -> None:
    canary = shot(tmp_path, mode="canary", share=30)
    sides = {"in": set[str](), "out": set[str]()}
    for number in range(200):
        decision, asked = ask(canary, session_id=f"s{number}")
        step = next(step for step in decision.trace if step.detail.get("rule") == "careful")
        side = step.detail["canary"]
        assert is_in("careful", 30, mark_of(features(session_id=f"s{number}"))) == (side == "in")
        mode, share = asked.rules[0].settings.mode, asked.rules[0].settings.share
        assert (mode, share) == ("enforce" if side == "in" else "shadow", None)
        assert (decision.reason, step.outcome) == (
            ("rule:careful", "decided") if side == "in" else ("default", "shadow")
        )
        assert "canary" not in next((s.detail for s in decision.trace if s.detail.get("rule") == "other"), {})
        sides[side].add(f"s{number}")
    assert min(map(len, sides.values())) > 30


@pytest.mark.parametrize(
    "facts", [{"thread": "agent:1", "subagent": True}, {"thread": "side"}, {"seed": 9, "now_ms": 5}]
)
def test_all_of_a_session_is_on_one_side(tmp_path: Any, facts: dict[str, Any]) -> None:
    canary = shot(tmp_path, mode="canary", share=50)
    reasons = [[ask(canary, session_id=f"s{n}", **more)[0].reason for more in ({}, facts)] for n in range(50)]
    assert all(main == beside for main, beside in reasons)
    assert len({main for main, _ in reasons}) == 2


def test_a_canary_of_all_sessions_decides_as_an_enforced_rule(tmp_path: Any) -> None:
    whole, enforced = shot(tmp_path, mode="canary", share=100), shot(tmp_path)
    assert whole.digest != enforced.digest
    for number in range(20):
        assert ask(whole, session_id=f"s{number}")[0].target == ask(enforced, session_id=f"s{number}")[0].target
