"""Every name that leaves the proxy as a header, a metric or a log field, once."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from core.admission import Admission
from core.cached_answers import CachedAnswers
from core.deadlines import Phase
from core.exchange import Exchange
from core.logs import LogWriter
from wasm_host.answer import Outcome
from wasm_host.breaker import STATES
from wasm_host.health import QUARANTINE

BREAKER_STATES = (*STATES, QUARANTINE)

CONNECTION_STATES = ("acquired", "idle", "waiting")

HEADER_PREFIX = "x-terraphim-"
_DECISION_HEADERS = tuple(
    f"{HEADER_PREFIX}{name}".encode()
    for name in ("provider", "model", "phase", "reason", "snapshot", "request-id", "attempts", "simulated", "cache")
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
        exchange.cache,
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
        self._count_targets()
        self._of_rules()
        self.rule_seconds = Histogram(
            "terraphim_rule_seconds",
            "Time that a rule ran for a request.",
            ["rule"],
            buckets=(0.00005, 0.0002, 0.001, 0.005, 0.02, 0.1, 0.5, 2),
            registry=self.registry,
        )
        self.rule_queue = Histogram(
            "terraphim_rule_queue_seconds",
            "Time that a request waited for its rules beside their own time.",
            buckets=(0.0001, 0.0005, 0.002, 0.01, 0.05, 0.2, 1, 5),
            registry=self.registry,
        )
        self.rule_breaker = Gauge(
            "terraphim_rule_breaker", "1 for the state of a rule's breaker.", ["rule", "state"], registry=self.registry
        )
        self.workers = Gauge("terraphim_rule_workers", "Worker processes that answer.", registry=self.registry)
        self.worker_exits = Counter(
            "terraphim_rule_worker_exits", "Worker processes that ended.", ["cause"], registry=self.registry
        )
        self.hardening = Gauge(
            "terraphim_rule_hardening", "1 if this layer holds the workers.", ["layer"], registry=self.registry
        )
        self.connections = Gauge(
            "terraphim_upstream_connections",
            "Connections to providers: taken by requests, idle, and requests that wait for one.",
            ["state"],
            registry=self.registry,
        )
        self.tokens = Counter("terraphim_tokens", "Tokens, as reported.", ["kind"], registry=self.registry)
        self.seconds = Histogram(
            "terraphim_request_seconds",
            "Time from the first byte in to the last byte out.",
            ["endpoint"],
            buckets=(0.005, 0.02, 0.1, 0.5, 1, 5, 20, 60, 300),
            registry=self.registry,
        )
        self._of_records()
        self._of_cache()
        self._of_redis()
        self._of_clients()
        self.dropped_logs = Gauge("terraphim_log_lines_dropped", "Log lines dropped.", registry=self.registry)
        self._of_files()

    def _of_files(self) -> None:
        self.reloads = Counter("terraphim_reloads", "Reloads.", ["outcome"], registry=self.registry)
        self.problems = Gauge(
            "terraphim_problems",
            "Problems of the configuration, rules and taxonomy that there are.",
            registry=self.registry,
        )
        self.snapshot = Gauge("terraphim_snapshot", "1 for the current snapshot.", ["id"], registry=self.registry)

    def _count_targets(self) -> None:
        self.again = Counter(
            "terraphim_retries", "Further attempts, by what went before.", ["reason", "action"], registry=self.registry
        )
        self.retries_refused = Counter(
            "terraphim_retries_refused", "Retries that the budget had no room for.", registry=self.registry
        )
        self.target_breaker = Gauge(
            "terraphim_target_breaker",
            "1 for the state of a target's breaker.",
            ["target", "state"],
            registry=self.registry,
        )
        self.key_rests = Counter(
            "terraphim_key_rests",
            "Keys that were refused or told to wait.",
            ["provider", "why"],
            registry=self.registry,
        )

    def _of_cache(self) -> None:
        self.cache = Counter(
            "terraphim_cache", "Requests to targets whose answers are kept.", ["outcome"], registry=self.registry
        )
        self.cache_kept = Counter("terraphim_cache_kept", "Answers that were kept.", registry=self.registry)
        self.cache_bytes = Gauge("terraphim_cache_bytes", "Bytes of answers kept in memory.", registry=self.registry)

    def _of_redis(self) -> None:
        self.redis_down = Gauge("terraphim_redis_down", "1 while Redis is left alone.", registry=self.registry)
        self.redis_commands = Counter(
            "terraphim_redis_commands", "Commands to Redis.", ["outcome"], registry=self.registry
        )
        self.redis_seconds = Histogram(
            "terraphim_redis_seconds",
            "Time that a command to Redis took.",
            buckets=(0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1),
            registry=self.registry,
        )
        self.redis_dropped = Gauge(
            "terraphim_redis_writes_dropped", "Writes after an answer that never reached Redis.", registry=self.registry
        )

    def _of_records(self) -> None:
        self.cost = Counter("terraphim_cost_micro_usd", "What requests cost.", registry=self.registry)
        self.unpriced = Counter(
            "terraphim_unpriced_requests", "Requests of which a part has no known price.", registry=self.registry
        )
        self.records = Counter(
            "terraphim_records", "Usage records written and lost.", ["outcome"], registry=self.registry
        )
        self.decision_records = Counter(
            "terraphim_decision_records", "Decision records written and lost.", ["outcome"], registry=self.registry
        )
        for outcome in ("written", "lost"):
            self.records.labels(outcome)
            self.decision_records.labels(outcome)

    def recorded(self, outcome: str, count: int) -> None:
        """So many usage records were written or lost."""
        self.records.labels(outcome).inc(count)

    def decision_recorded(self, outcome: str, count: int) -> None:
        """So many decision records were written or lost."""
        self.decision_records.labels(outcome).inc(count)

    def _of_rules(self) -> None:
        self.rules = Counter(
            "terraphim_rule_outcomes", "Outcomes of rules.", ["rule", "outcome"], registry=self.registry
        )
        self.rule_fuel = Counter(
            "terraphim_rule_fuel", "Instructions that rules executed.", ["rule"], registry=self.registry
        )
        self.rule_share = Gauge(
            "terraphim_rule_share",
            "Per cent of the sessions that a rule decides for.",
            ["rule"],
            registry=self.registry,
        )
        self.rollout_calls = Counter(
            "terraphim_rollout_calls", "Calls of rules that are rolled out.", ["rule", "kind"], registry=self.registry
        )
        self.rollout_moves = Counter(
            "terraphim_rollout_moves",
            "Promotions and roll-backs.",
            ["rule", "action", "automatic"],
            registry=self.registry,
        )

    def staged(self, reach: Mapping[str, float]) -> None:
        """How far each rule reaches now."""
        self.rule_share.clear()
        for rule, share in reach.items():
            self.rule_share.labels(rule).set(share)

    def rolled(self, rule: str, kinds: Sequence[str]) -> None:
        """A call of a rule that is watched."""
        for kind in kinds:
            self.rollout_calls.labels(rule, kind).inc()

    def moved(self, rule: str, action: str, *, automatic: bool) -> None:
        """A rule was promoted or rolled back."""
        self.rollout_moves.labels(rule, action, "yes" if automatic else "no").inc()

    def _of_clients(self) -> None:
        self.refused = Counter(
            "terraphim_refused",
            "Requests and connections refused, by limit.",
            ["reason"],
            registry=self.registry,
        )
        self._limited = Counter(
            "terraphim_limited", "Requests that a limit refused.", ["limit", "scope"], registry=self.registry
        )
        self.reservations = Gauge(
            "terraphim_reservations", "Requests under way that hold something of a limit.", registry=self.registry
        )
        self.clients = Gauge("terraphim_connections", "Open connections.", ["phase"], registry=self.registry)
        self.tasks = Gauge("terraphim_tasks", "Tasks of the event loop.", registry=self.registry)
        self.in_flight = Gauge("terraphim_in_flight", "Requests under way.", registry=self.registry)

    def limited(self, limit: str, scope: str) -> None:
        """This kind of limit, of a key, an address or a target, refused a request."""
        self._limited.labels(limit, scope).inc()

    def watch(self, connections: Callable[[Phase], Callable[[], float]], admission: Admission, log: LogWriter) -> None:
        """Gauges of what is there: looked up when somebody asks."""
        for phase in Phase:
            self.clients.labels(phase).set_function(connections(phase))
        self.in_flight.set_function(lambda: admission.in_flight)
        self.dropped_logs.set_function(lambda: log.dropped)

    def watch_cache(self, answers: CachedAnswers) -> None:
        """What is kept of answers."""
        answers.on_kept = self.cache_kept.inc
        self.cache_bytes.set_function(lambda: answers.size)

    def settled(self, exchange: Exchange, seconds: float) -> None:
        """Count one finished request."""
        self.requests.labels(exchange.endpoint, str(exchange.status)).inc()
        self.seconds.labels(exchange.endpoint).observe(seconds)
        if exchange.cache:
            self.cache.labels(exchange.cache).inc()
        if exchange.decision is not None:
            self.decisions.labels(exchange.decision.phase).inc()
        for attempt in exchange.attempts:
            self.attempts.labels(attempt.target.provider, attempt.outcome).inc()
        usage = exchange.usage.plus(exchange.lost)
        for kind, count in (("input", usage.input), ("output", usage.output), ("cache_read", usage.cache_read)):
            if count:
                self.tokens.labels(kind).inc(count)
        if exchange.cost is not None:
            self.cost.inc(exchange.cost.micros)
            self.unpriced.inc(exchange.cost.unpriced)

    def ruled(self, outcomes: Sequence[Outcome], queue_s: float) -> None:
        """Count what rules said."""
        for outcome in outcomes:
            skipped = outcome.code == "skipped"
            code = f"skipped_{outcome.message.partition(':')[0]}" if skipped else outcome.code
            self.rules.labels(outcome.rule, code).inc()
            if not skipped:
                self.rule_fuel.labels(outcome.rule).inc(outcome.fuel)
                self.rule_seconds.labels(outcome.rule).observe(outcome.micros / 1e6)
        self.rule_queue.observe(queue_s)

    def breaker(self, rule: str, state: str) -> None:
        """A rule's breaker is in this state now."""
        for known in BREAKER_STATES:
            self.rule_breaker.labels(rule, known).set(known == state)

    def pools(self, counts: Callable[[], Sequence[int]]) -> None:
        """Ask for the connections' counts, in the order of `CONNECTION_STATES`, whenever metrics are read."""
        for number, state in enumerate(CONNECTION_STATES):
            self.connections.labels(state).set_function(partial(_nth, counts, number))

    def swapped(self, snapshot: str) -> None:
        """A new snapshot serves."""
        self.snapshot.clear()
        self.snapshot.labels(snapshot).set(1)

    def exposition(self) -> bytes:
        """The text that Prometheus reads."""
        return generate_latest(self.registry)


def _nth(counts: Callable[[], Sequence[int]], number: int) -> float:
    return counts()[number]


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
