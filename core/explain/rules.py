"""What each rule was shown and said, and why the others were not asked. Pure."""

from collections.abc import Mapping
from typing import Any

from core.exchange import Decision, Inputs
from core.routing import custom
from core.routing.decide import Deciding
from core.routing.snapshot import Snapshot
from wasm_host import asking
from wasm_host.answer import Outcome
from wasm_host.rule import Rule

#: What an outcome says beside its figures; each is left out where the rule said none.
_SAID = ("route", "reason", "score", "tags", "deny_status", "deny_message", "message")


def of_decision(decision: Decision, inputs: Inputs, snapshot: Snapshot | None) -> list[dict[str, Any]]:
    """All rules in the order in which they are asked; without a snapshot those that were."""
    asked = {outcome.rule: outcome for outcome in decision.asked}
    if snapshot is None:
        return [_outcome(outcome, None) for outcome in decision.asked]
    rules, sides = snapshot.canaries.sides(inputs.features)
    view = _view(decision, inputs, snapshot) if asked else {}
    shown = []
    for rule in rules:
        outcome = asked.get(rule.name)
        line = _outcome(outcome, _bytes(rule, view, outcome)) if outcome else _unasked(rule, decision)
        if side := sides.get(rule.name):
            line["canary"] = side
        shown.append(line | {"priority": rule.settings.priority})
    off = (rule for rule in snapshot.rules.rules if rule.settings.mode == "off")
    shown += [
        {"rule": rule.name, "asked": False, "why": "it is off", "priority": rule.settings.priority} for rule in off
    ]
    return shown


def _outcome(outcome: Outcome, size: int | None) -> dict[str, Any]:
    """`shown.bytes` is None where what it was shown is not there any more."""
    line: dict[str, Any] = {"rule": outcome.rule, "asked": True, "outcome": outcome.code}
    line |= {key: value for key in _SAID if (value := getattr(outcome, key)) not in ("", None, 0, {})}
    if outcome.shadow:
        line["shadow"] = True
    line |= {"fuel": outcome.fuel, "micros": outcome.micros, "memory_kib": outcome.pages * 64}
    line["module"] = outcome.module
    if outcome.seen:
        line["shown"] = {"bytes": size, "digest": outcome.seen, "text": outcome.saw_text}
    return line


def _unasked(rule: Rule, decision: Decision) -> dict[str, Any]:
    last = decision.asked[-1] if decision.asked else None
    if last is not None and last.decides:
        why = f"rule {last.rule} decided"
    elif not any(step.phase == "custom" for step in decision.trace):
        why = f"the {decision.phase} phase {'refused' if decision.refusal else 'decided'} before"
    else:
        why = "nobody ran it"
    return {"rule": rule.name, "asked": False, "why": why}


def _view(decision: Decision, inputs: Inputs, snapshot: Snapshot) -> Mapping[str, Any]:
    states, factors = inputs.states, inputs.factors
    return custom.view_of(Deciding(snapshot, inputs.features, inputs.session, decision.scenarios, states, factors))


def _bytes(rule: Rule, view: Mapping[str, Any], outcome: Outcome) -> int | None:
    """How much the rule was shown, if it can still be made."""
    prepared, unasked = asking.prepare([rule], view)
    if unasked is not None or not outcome.seen:
        return None
    [request] = prepared.ask.requests
    return len(request) if asking.digest(request) == outcome.seen else None
