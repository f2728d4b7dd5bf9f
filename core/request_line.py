"""One request as one log line."""

from core.exchange import Exchange


def log_fields(exchange: Exchange, seconds: float) -> dict[str, object]:
    """One request as one log line. No text of the request, no key, no URL: names and numbers only."""
    decision, answered = exchange.decision, exchange.answered_by
    fields: dict[str, object] = {
        "event": "request",
        "request_id": exchange.request_id,
        "endpoint": exchange.endpoint,
        "status": exchange.status,
        "ms": round(seconds * 1000, 2),
        "snapshot": exchange.snapshot[:12],
    }
    if exchange.client_key:
        fields["client"] = exchange.client_key
    if decision is not None:
        fields |= {"phase": decision.phase, "reason": decision.reason, "scenarios": list(decision.scenarios)}
        fields["decided"] = str(decision.target) if decision.target else None
    if answered is not None:
        fields |= {"provider": answered.provider, "model": answered.model}
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
            fields[name] = {"input": usage.input, "output": usage.output, "cache_read": usage.cache_read}
    if exchange.cost is not None:
        fields["cost_micro_usd"] = None if exchange.cost.unpriced else exchange.cost.micros
    if exchange.error:
        fields["error"] = exchange.error
    return fields
