"""What one process counts, and when. The names of all of it are `core.telemetry`'s."""

import platform
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from importlib.metadata import version

from core import __version__, telemetry
from core.admission import Admission
from core.budgets import Spending
from core.cached_answers import CachedAnswers
from core.deadlines import Phase
from core.exchange import Exchange
from core.logs import LogWriter
from core.metrics import exposition
from core.metrics.instruments import Instruments
from core.metrics.known import Known
from core.metrics.process import Process
from core.metrics.requests import RequestMetrics
from core.metrics.sharing import Sharing
from core.metrics.totals import NONE, Samples, samples
from core.prices import Cards
from core.routing.snapshot import Snapshot
from core.state.sessions import ChosenSessions
from core.telemetry import BREAKER_STATES, CONNECTION_STATES
from wasm_host.answer import Outcome


class Metrics:
    """Counters of one process. Labels come from configured names only (`known`)."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        """`now` gives Unix time."""
        self._now = now
        self.known = Known()
        self._make = make = Instruments(self.known.admit)
        self._process = Process()
        #: How the processes that serve this address answer for each other, once there may be several.
        self.sharing: Sharing | None = None
        #: By format, what the last scrape was told.
        self._kept = {form: exposition.Kept() for form in (exposition.PLAIN, exposition.OPENMETRICS)}
        self._spending: Callable[[], Iterable[Spending]] = tuple
        self.of_requests = RequestMetrics(make)
        self._of_targets()
        self._of_rules()
        self._of_clients()
        self._of_stores()
        self._of_files()
        make.gauge(telemetry.PROCESSES).set(1)
        make.gauge(telemetry.SERIES).set_function(lambda: len(make))
        self.scrapes = make.histogram(telemetry.SCRAPE_SECONDS)

    def _of_targets(self) -> None:
        make = self._make
        self.again = make.counter(telemetry.RETRIES)
        self.retries_refused = make.counter(telemetry.RETRIES_REFUSED)
        self.target_breaker = make.gauge(telemetry.TARGET_BREAKER)
        self.key_rests = make.counter(telemetry.KEY_RESTS)
        self.connections = make.gauge(telemetry.UPSTREAM_CONNECTIONS)

    def _of_rules(self) -> None:
        make = self._make
        self.rules = make.counter(telemetry.RULE_OUTCOMES)
        self.rule_fuel = make.counter(telemetry.RULE_FUEL)
        self.rule_seconds = make.histogram(telemetry.RULE_SECONDS)
        self.rule_queue = make.histogram(telemetry.RULE_QUEUE_SECONDS)
        self.rule_breaker = make.gauge(telemetry.RULE_BREAKER)
        self.rule_share = make.gauge(telemetry.RULE_SHARE)
        self.rollout_calls = make.counter(telemetry.ROLLOUT_CALLS)
        self.rollout_moves = make.counter(telemetry.ROLLOUT_MOVES)
        self.workers = make.gauge(telemetry.RULE_WORKERS)
        self.worker_exits = make.counter(telemetry.RULE_WORKER_EXITS)
        self.hardening = make.gauge(telemetry.RULE_HARDENING)

    def _of_clients(self) -> None:
        make = self._make
        self.in_flight = make.gauge(telemetry.IN_FLIGHT)
        self.refused = make.counter(telemetry.REFUSED)
        self._limited = make.counter(telemetry.LIMITED)
        self.reservations = make.gauge(telemetry.RESERVATIONS)
        self._budget_limit = make.gauge(telemetry.BUDGET_LIMIT)
        self._budget_spent = make.gauge(telemetry.BUDGET_SPENT)
        self.clients = make.gauge(telemetry.CONNECTIONS)
        self.tasks = make.gauge(telemetry.TASKS)

    def _of_stores(self) -> None:
        make = self._make
        self.sessions = make.gauge(telemetry.SESSIONS)
        reads = make.counter(telemetry.SESSION_READS)
        self._session_hits, self._session_misses = reads.labels("hit"), reads.labels("miss")
        self.cache_kept = make.counter(telemetry.CACHE_KEPT)
        self.cache_bytes = make.gauge(telemetry.CACHE_BYTES)
        self.redis_down = make.gauge(telemetry.REDIS_DOWN)
        self.redis_commands = make.counter(telemetry.REDIS_COMMANDS)
        self.redis_seconds = make.histogram(telemetry.REDIS_SECONDS)
        self.redis_dropped = make.counter(telemetry.REDIS_DROPPED)
        self.records = make.counter(telemetry.RECORDS)
        self.decision_records = make.counter(telemetry.DECISION_RECORDS)
        for outcome in ("written", "lost"):
            self.records.labels(outcome)
            self.decision_records.labels(outcome)
        self.dropped_logs = make.counter(telemetry.LOG_DROPPED)
        self.spans = make.counter(telemetry.SPANS)

    def _of_files(self) -> None:
        make = self._make
        self.reloads = make.counter(telemetry.RELOADS)
        self.reload_seconds = make.histogram(telemetry.RELOAD_SECONDS)
        self.reloaded = make.gauge(telemetry.RELOADED)
        self.reload_failed = make.gauge(telemetry.RELOAD_FAILED)
        self.problems = make.gauge(telemetry.PROBLEMS)
        self.snapshot = make.gauge(telemetry.SNAPSHOT)
        self._build = make.gauge(telemetry.BUILD)

    def settled(
        self, exchange: Exchange, seconds: float, card: Cards | None = None, *, explained: bool = False
    ) -> None:
        """Count one finished request; see `RequestMetrics.settled`."""
        self.of_requests.settled(exchange, seconds, card, explained=explained)

    def recorded(self, outcome: str, count: int) -> None:
        """So many usage records were written or lost."""
        self.records.labels(outcome).inc(count)

    def decision_recorded(self, outcome: str, count: int) -> None:
        """So many decision records were written or lost."""
        self.decision_records.labels(outcome).inc(count)

    def hardened(self) -> dict[str, bool]:
        """Which layers hold the workers and this process, as far as is known yet."""
        return {layer: held == 1 for (layer,), (held,) in self.hardening.read()}

    def staged(self, reach: Mapping[str, float]) -> None:
        """How far each rule reaches now."""
        self.known.learn("rule", reach)
        self.rule_share.replace({(rule,): share for rule, share in reach.items()})

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

    def watch_budgets(self, spending: Callable[[], Iterable[Spending]]) -> None:
        """Budgets are asked for whenever metrics are read."""
        self._spending = spending

    def watch_sessions(self, sessions: ChosenSessions) -> None:
        """What is remembered."""
        self.sessions.set_function(lambda: len(sessions))

    def decided(self, exchange: Exchange) -> None:
        """A request that is to be answered was decided: whether something was known of its session."""
        inputs = exchange.inputs
        if inputs is not None and inputs.features.session_id:
            (self._session_hits if inputs.session.turns > 0 else self._session_misses).inc()

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

    def breaker_gone(self, rule: str) -> None:
        """A rule serves no more, in whatever state its breaker was."""
        for known in BREAKER_STATES:
            with suppress(KeyError):
                self.rule_breaker.remove(rule, known)

    def pools(self, counts: Callable[[], Sequence[int]]) -> None:
        """Ask for the connections' counts, in the order of `CONNECTION_STATES`, whenever metrics are read."""
        for number, state in enumerate(CONNECTION_STATES):
            self.connections.labels(state).set_function(partial(_nth, counts, number))

    def looked(self, seconds: float, good: bool) -> None:  # noqa: FBT001  # a callback
        """All files were read, which took so long, and can be used or not."""
        self.reload_seconds.observe(seconds)
        self.reload_failed.set(not good)
        if good:
            self.reloaded.set(self._now())

    def swapped(self, snapshot: Snapshot, outcome: str) -> None:
        """What came of a reload (started, swapped, failed); this one serves now."""
        self.reloads.labels(outcome).inc()
        self.learn(snapshot)
        self.snapshot.replace({(snapshot.id,): 1})
        simulated = "yes" if snapshot.settings.simulated else "no"
        self._build.replace({(__version__, platform.python_version(), version("wasmtime"), simulated): 1})

    def learn(self, snapshot: Snapshot) -> None:
        """Its names may be labels from now on; those of configurations of long ago are no more."""
        known, settings = self.known, snapshot.settings
        known.turn()
        known.learn_targets(snapshot.targets)
        known.learn_providers(settings.providers)
        rules = [rule.name for rule in snapshot.rules.rules]
        known.learn("rule", rules)
        known.learn("client", (key.name for key in settings.server.keys))
        names = {concept.name for concept in snapshot.taxonomy.concepts}
        known.learn("reason", [*(f"rule:{name}" for name in rules), *(f"concept:{name}" for name in sorted(names))])
        if known.forget():
            self._make.fold()

    def samples(self) -> Samples:
        """All of it as it is now. Any thread may ask."""
        spending = list(self._spending())
        self._budget_limit.replace({(each.client, each.period): each.limit for each in spending})
        self._budget_spent.replace({(each.client, each.period): each.spent for each in spending})
        return samples(self._make.read() | self._process.read())

    def text(self, form: str) -> bytes:
        """What Prometheus reads in this format, of all processes that serve the address, or else of this one.

        It takes its time: not for the event loop, and one after the other. `Busy` if another process is in the way.
        """
        living, dead = self.sharing.gather() if self.sharing else ([self.samples()], NONE)
        return exposition.text(living, dead, form, kept=self._kept[form])

    def exposition(self) -> bytes:
        """As plain text, of this process alone, at once."""
        return exposition.text([self.samples()], pause=lambda _: None)


def _nth(counts: Callable[[], Sequence[int]], number: int) -> float:
    return counts()[number]
