"""A rule that is tried on one request: what it says, and what would have been decided had it been there. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from core.exchange import Decision, Features, SessionState, TargetState
from core.messages import Request
from core.routing import custom
from core.routing.custom import granted_texts
from core.routing.decide import Deciding
from core.routing.proposal import Ask
from core.routing.runtime import scenarios
from core.routing.snapshot import Snapshot
from wasm_host import abi
from wasm_host.answer import Outcome
from wasm_host.preflight import Refusal
from wasm_host.rule import Rule, RuleSet, wants_of


def with_rule(snapshot: Snapshot, rule: Rule) -> Snapshot:
    """The same snapshot with this rule where its priority puts it, instead of the one by its name, if there is one."""
    others = (each for each in snapshot.rules.rules if each.name != rule.name)
    rules = tuple(sorted((*others, rule), key=lambda each: (each.settings.priority, each.name)))
    return replace(snapshot, rules=RuleSet(rules=rules, wants=wants_of(rules)))


def shown_to(snapshot: Snapshot, features: Features, request: Request, headers: Mapping[str, str]) -> Features:
    """The request's facts with what rules of this snapshot were granted."""
    return msgspec.structs.replace(features, granted=granted_texts(snapshot.rules.wants, request, headers))


def asked_alone(
    snapshot: Snapshot, rule: Rule, features: Features, session: SessionState, states: Mapping[str, TargetState]
) -> Ask:
    """What the rule is asked, if nobody else is and whatever was decided before."""
    deciding = Deciding(snapshot, features, session, scenarios(features, session, snapshot.runtime), states)
    return Ask([rule], custom.view_of(deciding), snapshot.open_to(features.allowed))


def why_not_asked(decision: Decision) -> str:
    """Why a rule that is there was not asked for this decision."""
    last = decision.asked[-1] if decision.asked else None
    if last is not None and last.decides:
        return f"rule {last.rule} decided before"
    return f"the {decision.phase} phase {'refused' if decision.refusal else 'decided'} before"


def refused(name: str, size: int, refusal: Refusal) -> dict[str, Any]:
    """The answer about a file that is no rule."""
    return {"ok": False, "problem": str(refusal), "code": refusal.code, "name": name, "size": size} | _NOTHING


_NOTHING: dict[str, Any] = {
    "sha256": "", "subscribes": [], "ungranted": [], "notes": [], "asked": False, "why": "", "outcome": None,
    "would": None, "differs": False, "logs": "",
}  # fmt: skip


def result(rule: Rule, outcome: Outcome, actual: Decision, other: Decision) -> dict[str, Any]:
    """The answer about a rule. `actual` is what is decided without it, `other` what would be with it; `outcome` is what
    it said, asked by `other` or alone.
    """
    asked = any(each.rule == rule.name for each in other.asked)
    fault = outcome.message or outcome.code if outcome.code in abi.FAULTS else ""
    return {
        "ok": not fault,
        "problem": fault,
        "name": rule.name,
        "sha256": rule.sha256,
        "size": rule.compiled.facts.size,
        "subscribes": sorted(rule.plan.wants()),
        "ungranted": list(rule.plan.ungranted),
        "notes": list(rule.notes),
        "asked": asked,
        "why": "" if asked else why_not_asked(other),
        "outcome": _outcome(outcome),
        "would": _target(other),
        "differs": _target(other) != _target(actual) or (other.refusal is None) != (actual.refusal is None),
        "logs": outcome.log,
    }


def _target(decision: Decision) -> str | None:
    return None if decision.target is None else str(decision.target)


def _outcome(outcome: Outcome) -> dict[str, Any]:
    names = ("code", "route", "reason", "score", "tags", "fuel", "micros", "message", "deny_status", "deny_message")
    return {name: getattr(outcome, name) for name in names}
