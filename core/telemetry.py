"""Every name that leaves the proxy as a header, a metric or a log field, once."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from core.exchange import Exchange
from wasm_host.answer import Outcome

HEADER_PREFIX = "x-terraphim-"
_DECISION_HEADERS = tuple(
    f"{HEADER_PREFIX}{name}".encode()
    for name in ("provider", "model", "phase", "reason", "snapshot", "request-id", "attempts", "simulated")
)


def decision_headers(exchange: Exchange) -> list[tuple[bytes, bytes]]:
    """The headers that say how a request was decided; those not known yet are left out."""
    decision, answered = exchange.decision, exchange.answered_by
    if answered is None and decision is not None:
        answered = decision.target
    values = (
        answered.provider if answered else "",
        answered.model if answered else "",
        decision.phase if decision else "",
        decision.reason if decision else "",
        exchange.snapshot[:12],
        exchange.request_id,
        str(len(exchange.attempts)) if exchange.attempts else "",
        "1" if exchange.simulated else "",
    )
    named = zip(_DECISION_HEADERS, values, strict=True)
    return [(name, header_text(value).encode()) for name, value in named if value]


def header_text(value: str) -> str:
    """Printable ASCII only: a model name or a reason must not be able to end a header."""
    if value.isascii() and value.isprintable():
        return value[:256]
    return "".join(char if " " <= char <= "~" else "?" for char in value[:256])


class Metrics:
    """Counters of one process, in a registry of their own. Labels come from configured names only."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "terraphim_requests", "Requests answered.", ["endpoint", "status"], registry=self.registry
        )
        self.decisions = Counter("terraphim_decisions", "Decisions by phase.", ["phase"], registry=self.registry)
        self.attempts = Counter(
            "terraphim_attempts", "Attempts at providers.", ["provider", "outcome"], registry=self.registry
        )
        self.rules = Counter(
            "terraphim_rule_outcomes", "Outcomes of rules.", ["rule", "outcome"], registry=self.registry
        )
        self.tokens = Counter("terraphim_tokens", "Tokens, as reported.", ["kind"], registry=self.registry)
        self.seconds = Histogram(
            "terraphim_request_seconds",
            "Time from the first byte in to the last byte out.",
            ["endpoint"],
            buckets=(0.005, 0.02, 0.1, 0.5, 1, 5, 20, 60, 300),
            registry=self.registry,
        )
        self.reloads = Counter("terraphim_reloads", "Reloads.", ["outcome"], registry=self.registry)
        self.dropped_logs = Gauge("terraphim_log_lines_dropped", "Log lines dropped.", registry=self.registry)
        self.snapshot = Gauge("terraphim_snapshot", "1 for the current snapshot.", ["id"], registry=self.registry)

    def settled(self, exchange: Exchange, seconds: float) -> None:
        """Count one finished request."""
        self.requests.labels(exchange.endpoint, str(exchange.status)).inc()
        self.seconds.labels(exchange.endpoint).observe(seconds)
        if exchange.decision is not None:
            self.decisions.labels(exchange.decision.phase).inc()
        for attempt in exchange.attempts:
            self.attempts.labels(attempt.target.provider, attempt.outcome).inc()
        usage = exchange.usage
        for kind, count in (("input", usage.input), ("output", usage.output), ("cache_read", usage.cache_read)):
            if count:
                self.tokens.labels(kind).inc(count)

    def ruled(self, outcomes: list[Outcome]) -> None:
        """Count what rules said."""
        for outcome in outcomes:
            self.rules.labels(outcome.rule, outcome.code).inc()

    def swapped(self, snapshot: str) -> None:
        """A new snapshot serves."""
        self.snapshot.clear()
        self.snapshot.labels(snapshot).set(1)

    def exposition(self) -> bytes:
        """The text that Prometheus reads."""
        return generate_latest(self.registry)


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
        fields["attempts"] = [[str(a.target), a.outcome, round(a.ms, 1)] for a in exchange.attempts]
    if exchange.simulated:
        fields["simulated"] = True
    usage = exchange.usage
    if usage.input or usage.output:
        fields["usage"] = {"input": usage.input, "output": usage.output, "cache_read": usage.cache_read}
    if exchange.error:
        fields["error"] = exchange.error
    return fields
