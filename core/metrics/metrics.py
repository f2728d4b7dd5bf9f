"""What one process counts, and when. The names of all of it are `core.telemetry`'s."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from core import telemetry
from core.admission import Admission
from core.cached_answers import CachedAnswers
from core.deadlines import Phase
from core.exchange import Exchange
from core.logs import LogWriter
from core.telemetry import BREAKER_STATES, CONNECTION_STATES, Metric
from wasm_host.answer import Outcome


class Metrics:
    """Counters of one process, in a registry of their own. Labels come from configured names only."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._of_requests()
        self._of_targets()
        self._of_rules()
        self._of_clients()
        self._of_stores()
        self._of_files()

    def _of_requests(self) -> None:
        self.requests = self._counter(telemetry.REQUESTS)
        self.seconds = self._histogram(telemetry.REQUEST_SECONDS)
        self.in_flight = self._gauge(telemetry.IN_FLIGHT)
        self.decisions = self._counter(telemetry.DECISIONS)
        self.tokens = self._counter(telemetry.TOKENS)
        self.cost = self._counter(telemetry.COST)
        self.unpriced = self._counter(telemetry.UNPRICED)

    def _of_targets(self) -> None:
        self.attempts = self._counter(telemetry.ATTEMPTS)
        self.again = self._counter(telemetry.RETRIES)
        self.retries_refused = self._counter(telemetry.RETRIES_REFUSED)
        self.target_breaker = self._gauge(telemetry.TARGET_BREAKER)
        self.key_rests = self._counter(telemetry.KEY_RESTS)
        self.connections = self._gauge(telemetry.UPSTREAM_CONNECTIONS)

    def _of_rules(self) -> None:
        self.rules = self._counter(telemetry.RULE_OUTCOMES)
        self.rule_fuel = self._counter(telemetry.RULE_FUEL)
        self.rule_seconds = self._histogram(telemetry.RULE_SECONDS)
        self.rule_queue = self._histogram(telemetry.RULE_QUEUE_SECONDS)
        self.rule_breaker = self._gauge(telemetry.RULE_BREAKER)
        self.rule_share = self._gauge(telemetry.RULE_SHARE)
        self.rollout_calls = self._counter(telemetry.ROLLOUT_CALLS)
        self.rollout_moves = self._counter(telemetry.ROLLOUT_MOVES)
        self.workers = self._gauge(telemetry.RULE_WORKERS)
        self.worker_exits = self._counter(telemetry.RULE_WORKER_EXITS)
        self.hardening = self._gauge(telemetry.RULE_HARDENING)

    def _of_clients(self) -> None:
        self.refused = self._counter(telemetry.REFUSED)
        self._limited = self._counter(telemetry.LIMITED)
        self.reservations = self._gauge(telemetry.RESERVATIONS)
        self.clients = self._gauge(telemetry.CONNECTIONS)
        self.tasks = self._gauge(telemetry.TASKS)

    def _of_stores(self) -> None:
        self.cache = self._counter(telemetry.CACHE)
        self.cache_kept = self._counter(telemetry.CACHE_KEPT)
        self.cache_bytes = self._gauge(telemetry.CACHE_BYTES)
        self.redis_down = self._gauge(telemetry.REDIS_DOWN)
        self.redis_commands = self._counter(telemetry.REDIS_COMMANDS)
        self.redis_seconds = self._histogram(telemetry.REDIS_SECONDS)
        self.redis_dropped = self._gauge(telemetry.REDIS_DROPPED)
        self.records = self._counter(telemetry.RECORDS)
        self.decision_records = self._counter(telemetry.DECISION_RECORDS)
        for outcome in ("written", "lost"):
            self.records.labels(outcome)
            self.decision_records.labels(outcome)
        self.dropped_logs = self._gauge(telemetry.LOG_DROPPED)

    def _of_files(self) -> None:
        self.reloads = self._counter(telemetry.RELOADS)
        self.problems = self._gauge(telemetry.PROBLEMS)
        self.snapshot = self._gauge(telemetry.SNAPSHOT)

    def _counter(self, metric: Metric) -> Counter:
        return Counter(metric.name, metric.help, metric.labels, registry=self.registry)

    def _gauge(self, metric: Metric) -> Gauge:
        return Gauge(metric.name, metric.help, metric.labels, registry=self.registry)

    def _histogram(self, metric: Metric) -> Histogram:
        return Histogram(metric.name, metric.help, metric.labels, buckets=metric.buckets, registry=self.registry)

    def recorded(self, outcome: str, count: int) -> None:
        """So many usage records were written or lost."""
        self.records.labels(outcome).inc(count)

    def decision_recorded(self, outcome: str, count: int) -> None:
        """So many decision records were written or lost."""
        self.decision_records.labels(outcome).inc(count)

    def hardened(self) -> dict[str, bool]:
        """Which layers hold the workers and this process, as far as is known yet."""
        [family] = self.hardening.collect()
        return {sample.labels["layer"]: sample.value == 1 for sample in family.samples}

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
