"""One request as one log line: who asked for what, how it was decided and why, who answered, what it took. Pure.

Names and numbers only: no text of the request, no key, no URL. What a rule says for people is left out, for it may
have seen the request's words.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from core.exchange import Decision, Exchange, Inputs, Step
from core.messages import Usage
from core.names import cut
from core.session import mark_of
from wasm_host.answer import Outcome

#: What the gate turned away, and what no configured provider could be asked for.
REMOVED: Final = frozenset({"removed", "skipped"})
#: Of the concepts that were found, as many of the best.
CONCEPTS: Final = 5


def log_fields(exchange: Exchange, seconds: float) -> dict[str, object]:
    """The line's fields; those that mean nothing for this request are left out."""
    fields: dict[str, object] = {
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
        fields.update(_asked(exchange.inputs))
    if exchange.decision is not None:
        fields.update(_decided(exchange.decision))
    fields.update(_answered(exchange))
    return fields


def level_of(exchange: Exchange) -> str:
    """A request that failed here or at a provider is a warning; one that its client got wrong, or left, is not."""
    broke_off = exchange.error != "" and exchange.status < 400
    return "warning" if exchange.status >= 500 or broke_off else "info"


def _asked(inputs: Inputs) -> Iterator[tuple[str, object]]:
    features, session = inputs.features, inputs.session
    yield "requested", cut(features.model)
    yield "tokens", features.token_count
    if features.stream:
        yield "stream", True
    if features.agent:
        yield "agent", features.agent
    if features.request_class:
        yield "class", features.request_class
    if features.session_id:
        yield "session", {"id": mark_of(features), "turns": session.turns, "home": session.home}


def _decided(decision: Decision) -> Iterator[tuple[str, object]]:
    yield "phase", decision.phase
    yield "reason", decision.reason
    if decision.score is not None:
        yield "score", decision.score
    if decision.tags:
        yield "tags", decision.tags
    yield "scenarios", decision.scenarios
    yield "decided", str(decision.target) if decision.target else None
    if len(decision.candidates) > 1:
        yield "candidates", [str(candidate.target) for candidate in decision.candidates[1:]]
    if removed := [[found["target"], found["why"]] for found in _removed(decision.trace)]:
        yield "removed", removed
    if decision.asked:
        yield "rules", [[each.rule, _said(each), each.fuel, each.micros] for each in decision.asked]
    if decision.matches:
        yield "concepts", [[found.concept, found.score] for found in decision.matches[:CONCEPTS]]


def _removed(trace: Iterable[Step]) -> Iterator[Mapping[str, Any]]:
    """Targets that were not taken; a rule that was not asked is skipped too, and no target."""
    return (step.detail for step in trace if step.outcome in REMOVED and "rule" not in step.detail)


def _said(outcome: Outcome) -> str:
    return f"shadow:{outcome.code}" if outcome.shadow else outcome.code


def _answered(exchange: Exchange) -> Iterator[tuple[str, object]]:
    if exchange.answered_by is not None:
        yield "provider", exchange.answered_by.provider
        yield "model", exchange.answered_by.model
    if exchange.attempts:
        yield "attempts", [[str(a.target), a.outcome, round(a.ms, 1), a.key] for a in exchange.attempts]
    if exchange.passed_over:
        yield "passed_over", [[str(target), why] for target, why in exchange.passed_over]
    if exchange.simulated:
        yield "simulated", True
    if exchange.cache:
        yield "cache", exchange.cache
    for name, usage in (("usage", exchange.usage), ("lost", exchange.lost)):
        if usage.input or usage.output:
            yield name, _used(usage)
    if exchange.cost is not None:
        yield "cost_micro_usd", None if exchange.cost.unpriced else exchange.cost.micros


def _used(usage: Usage) -> dict[str, int]:
    used = {"input": usage.input, "output": usage.output, "cache_read": usage.cache_read}
    return used | {"cache_write": usage.cache_write} if usage.cache_write else used
