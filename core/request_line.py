"""One request as one log line: who asked for what, how it was decided and why, who answered, what it took. Pure.

Names and numbers only: no text of the request, no key, no URL. What a rule says for people is left out, for it may
have seen the request's words.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from core.exchange import Decision, Exchange, Inputs, Step
from core.messages import Usage
from core.names import cut
from core.session import mark_of
from wasm_host.answer import Outcome

Fields = dict[str, object]
#: What the gate turned away, and what no configured provider could be asked for.
REMOVED: Final = frozenset({"removed", "skipped"})
#: Of the concepts that were found, as many of the best.
CONCEPTS: Final = 5


def log_fields(exchange: Exchange, seconds: float) -> Fields:
    """The line's fields; those that mean nothing for this request are left out."""
    fields: Fields = {
        "event": "request",
        "request_id": exchange.request_id,
        "endpoint": exchange.endpoint,
        "status": exchange.status,
        "ms": round(seconds * 1000, 2),
        "snapshot": exchange.snapshot[:12],
    }
    if exchange.trace is not None and exchange.trace.recorded:
        fields |= {"trace_id": exchange.trace.trace_id, "span_id": exchange.trace.span_id}
    if exchange.error:
        fields["error"] = exchange.error
    for name in ("decided_ms", "first_ms"):
        if (ms := getattr(exchange, name)) is not None:
            fields[name] = round(ms, 2)
    if exchange.client_key:
        fields["client"] = exchange.client_key
    if exchange.inputs is not None:
        _asked(fields, exchange.inputs)
    if exchange.decision is not None:
        _decided(fields, exchange.decision)
    _answered(fields, exchange)
    return fields


def level_of(exchange: Exchange) -> str:
    """A request that failed here or at a provider is a warning; one that its client got wrong, or left, is not."""
    broke_off = exchange.error != "" and exchange.status < 400
    return "warning" if exchange.status >= 500 or broke_off else "info"


def _asked(fields: Fields, inputs: Inputs) -> None:
    features, session = inputs.features, inputs.session
    fields["requested"] = cut(features.model)
    fields["tokens"] = features.token_count
    if features.stream:
        fields["stream"] = True
    if features.agent:
        fields["agent"] = features.agent
    if features.request_class:
        fields["class"] = features.request_class
    if features.session_id:
        fields["session"] = {"id": mark_of(features), "turns": session.turns, "home": session.home}


def _decided(fields: Fields, decision: Decision) -> None:
    fields["phase"] = decision.phase
    fields["reason"] = decision.reason
    if decision.score is not None:
        fields["score"] = decision.score
    if decision.tags:
        fields["tags"] = decision.tags
    fields["scenarios"] = decision.scenarios
    fields["decided"] = str(decision.target) if decision.target else None
    if len(decision.candidates) > 1:
        fields["candidates"] = [str(candidate.target) for candidate in decision.candidates[1:]]
    if removed := [[found["target"], found["why"]] for found in _removed(decision.trace)]:
        fields["removed"] = removed
    if decision.asked:
        fields["rules"] = [[each.rule, _said(each), each.fuel, each.micros] for each in decision.asked]
    if decision.matches:
        fields["concepts"] = [[found.concept, found.score] for found in decision.matches[:CONCEPTS]]


def _removed(trace: Iterable[Step]) -> list[Mapping[str, Any]]:
    """Targets that were not taken; a rule that was not asked is skipped too, and no target."""
    return [step.detail for step in trace if step.outcome in REMOVED and "rule" not in step.detail]


def _said(outcome: Outcome) -> str:
    return f"shadow:{outcome.code}" if outcome.shadow else outcome.code


def _answered(fields: Fields, exchange: Exchange) -> None:
    if exchange.answered_by is not None:
        fields["provider"] = exchange.answered_by.provider
        fields["model"] = exchange.answered_by.model
    if exchange.attempts:
        fields["attempts"] = [[str(a.target), a.outcome, round(a.ms, 1), a.key] for a in exchange.attempts]
    if exchange.passed_over:
        fields["passed_over"] = [[str(target), why] for target, why in exchange.passed_over]
    if exchange.simulated:
        fields["simulated"] = True
    if exchange.cache:
        fields["cache"] = exchange.cache
    for name, usage in (("usage", exchange.usage), ("lost", exchange.lost)):
        if usage.input or usage.output:
            fields[name] = _used(usage)
    if exchange.cost is not None:
        fields["cost_micro_usd"] = None if exchange.cost.unpriced else exchange.cost.micros


def _used(usage: Usage) -> dict[str, int]:
    used = {"input": usage.input, "output": usage.output, "cache_read": usage.cache_read}
    return used | {"cache_write": usage.cache_write} if usage.cache_write else used
