"""The whole application: the data plane in front, everything else (`core.web`) behind it."""

import asyncio
import signal
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager, suppress

from core import descriptors, resident, snapshots
from core.admin_door import Brake
from core.admin_token import AdminToken, made_token
from core.admission import MIB, Admission
from core.course import Means
from core.data_plane import DataPlane
from core.draining import Drain
from core.exchange import Exchange
from core.feed import Feed
from core.feed_readers import Readers
from core.figures import Figures
from core.generation import Generation, Generations
from core.group.member import Member
from core.housekeeping import Housekeeping
from core.keeping import Keeping
from core.logs import LogWriter
from core.metrics import Metrics
from core.metrics.scraping import Scraping
from core.metrics.sharing import Busy, Sharing, folder_of
from core.open_connections import Connections
from core.pipeline import Pipeline
from core.playground import Playground
from core.redaction import Redactor
from core.refusals import Tally
from core.reload_history import ReloadHistory
from core.rolling import Rolling
from core.routing.driver import HostDriver
from core.routing.snapshot import Snapshot
from core.rule_events import RuleEvents
from core.schema import PluginSettings
from core.settings import Loaded, cache_dir, state_dir
from core.snapshot_saving import SnapshotSaving
from core.snapshots import SnapshotStore
from core.standing import Standing
from core.state.token_ratios import TokenRatios
from core.target_events import TargetEvents
from core.tokens import TokenCounter
from core.traces import Traces, secrets_of
from core.upstream import Upstream
from core.web import site
from core.web.admin_overview import overview
from core.web.door import Door
from wasm_host.host import Host


class Proxy:
    """The parts of one process, put together."""

    def __init__(
        self, load: Callable[[], Loaded], env: Mapping[str, str], log: LogWriter, member: Member | None = None
    ) -> None:
        #: Its place among several processes that serve one port, if it is one of them.
        self.member, self.metrics = member, Metrics()
        self.scraping = Scraping(self.metrics.text, self.metrics.scrapes.observe)
        self._log, self._state = log.log, state_dir(env)
        self.log = log
        log.hide(secrets_of(env))
        self.traces = Traces(env, log.log, lambda outcome, count: self.metrics.spans.labels(outcome).inc(count))
        #: Where it listens, as `host:port`; empty until somebody says so.
        self.address = ""
        self.reloads = ReloadHistory(_now_ms)
        self.tally = Tally(lambda reason: self.metrics.refused.labels(reason).inc())
        self.connections = Connections(self.tally, room=descriptors.raised())
        self.admission = Admission(self.tally)
        self.metrics.watch(self.connections.counting, self.admission, log)
        self._ratios = TokenRatios(state_dir(env), self._problem)
        self._housekeeping = Housekeeping(self.connections, self.admission, log.log, self._ratios.save)
        self._watermark = resident.default_watermark() // (member.count if member else 1)
        self.figures = Figures(_now_ms)
        self.host = Host(RuleEvents(self.metrics, log.log, self.figures.rules.asked), workers=PluginSettings().workers)
        self.upstream = Upstream()
        self.metrics.pools(self.upstream.counts)
        self.standing = Standing(TargetEvents(self.metrics, log.log))
        self.keeping = Keeping(state_dir(env), log.log, self.metrics, self.standing, member)
        self.metrics.watch_cache(self.keeping.answers)
        self.rolling = Rolling(self.metrics, log.log, self._reload_soon)
        self._reloads: set[asyncio.Task[bool]] = set()
        self._saving = SnapshotSaving(SnapshotStore(state_dir(env) / snapshots.NAME, cache_dir(env)), log.log)
        self.feed = Feed(lambda: self.admission.in_flight)
        self.readers = Readers(self.feed, lambda: self.known)
        token = AdminToken(state_dir(env), (lambda: member.token) if member else made_token)
        self.generations = Generations(
            lambda: token.completed(load()),
            env,
            report=log.log,
            on_swap=self._swapped,
            on_built=self._built,
            saving=self._saving,
            count=self._count_problems,
            looked=self._looked,
        )
        self.pipeline = self._made_pipeline()
        self.playground = Playground(self.pipeline, self.host.resting)
        self.drain = Drain(time.monotonic)
        self.brake = Brake(time.monotonic)
        web = Door(site.build(self), self.generations, self.admission, self.brake, log.log)
        self.asgi = DataPlane(
            self.generations,
            self.pipeline,
            self.metrics,
            log,
            web,
            self.admission,
            guards=self.keeping.guards,
            record=self._over,
        )
        self.asgi.on_over = self.feed.over
        self.asgi.traces = self.traces

    def _made_pipeline(self) -> Pipeline:
        pipeline = Pipeline(
            means=Means(self.standing),
            upstream=self.upstream,
            counter=TokenCounter(),
            sessions=self.keeping.sessions,
            driver=HostDriver(self.host),
            calibration=self._ratios.calibration,
            answers=self.keeping.answers,
        )
        pipeline.on_decided = self._decided
        return pipeline

    @property
    def known(self) -> Redactor:
        """Every secret of now: no answer may carry one."""
        return self.generations.current.loaded.secrets.redactor

    def share_metrics(self, host: str, port: int) -> None:
        """Processes that serve this address answer for each other from now on, each with the sums of all."""
        try:
            self.metrics.sharing = Sharing(folder_of(self._state, host, port), self.metrics.samples, self._log)
        except (OSError, Busy) as exc:
            self._log({"event": "metrics_not_shared", "problem": str(exc)}, "warning")

    def _decided(self, exchange: Exchange, snapshot: Snapshot) -> None:
        try:
            self.metrics.decided(exchange)
            self.rolling.decided(exchange, snapshot)
            self.feed.decided(exchange, snapshot)
            self.figures.decided(exchange)
        except Exception as exc:  # noqa: BLE001  # who only watches fails no request
            self.asgi.log_bug(exchange, exc)

    def _over(self, exchange: Exchange, snapshot: Snapshot, seconds: float, known: Redactor) -> None:
        self.keeping.recording.write(exchange, snapshot, seconds, known)
        self.figures.over(exchange, snapshot)

    def _problem(self, text: str) -> None:
        self._log({"event": "problem", "problem": text}, "warning")

    def _looked(self, seconds: float, good: bool) -> None:  # noqa: FBT001  # a callback
        self.metrics.looked(seconds, good)
        if good:
            self.reloads.mended()

    def _reload_soon(self) -> None:
        task = asyncio.create_task(self.generations.reload())
        self._reloads.add(task)
        task.add_done_callback(self._reloads.discard)

    def _count_problems(self, count: int) -> None:
        self.metrics.problems.set(count)
        self._tell_reload()

    def _tell_reload(self) -> None:
        """The pages, once what happened has happened whole: problems are said after a swap, refusals before."""
        if self.readers:
            loop = asyncio.get_running_loop()
            loop.call_soon(lambda: self.readers.say("reload", overview(self)))

    def _built(self, generation: Generation) -> None:
        """Called off the event loop, before the generation serves."""
        self.host.read(generation.snapshot.rules.on)
        self.keeping.prepare(generation)

    def _swapped(self, generation: Generation, outcome: str) -> None:
        snapshot, server = generation.snapshot, generation.loaded.settings.server
        self.metrics.swapped(snapshot, outcome)  # its names are labels of what follows
        self.log.use(generation.loaded.settings.log, generation.loaded.secrets.redactor)
        self.keeping.use(generation)
        self.rolling.use(generation)
        self.traces.use(generation)
        self.figures.use(generation)
        self.standing.keep(snapshot.addresses, breakers=snapshot.settings.resilience.breaker)
        self.connections.use(server)
        if self.connections.cap < server.max_connections:
            self._log({"event": "few_descriptors", "max_connections": self.connections.cap}, "warning")
        self.admission.use(server, server.max_memory_mb * MIB or self._watermark)
        plugins = generation.loaded.settings.plugins
        self.host.use(generation.snapshot.rules.on, isolation=plugins.isolation, workers=plugins.workers)
        if self.member is not None:
            self.member.serves(snapshot.digest)
        self._tell_reload()
        self.reloads.add(outcome, None if outcome == "started" else self.generations.took_ms)

    @asynccontextmanager
    async def lifespan(self, _: object) -> AsyncGenerator[None, None]:
        """Watch files and SIGHUP while serving; close connections at the end."""
        stop = asyncio.Event()
        self.host.start()
        self._housekeeping.start()
        await self.keeping.start()
        if self.member is not None:
            self.member.on_reload = self._reload_soon
            await self.member.start()
        watcher = asyncio.create_task(self.generations.watch(stop))
        loop = asyncio.get_running_loop()
        self.metrics.tasks.set_function(lambda: len(asyncio.all_tasks(loop)))  # metrics are read in a thread
        with suppress(NotImplementedError, ValueError, RuntimeError):  # only the main thread may handle signals
            loop.add_signal_handler(signal.SIGHUP, self._reload_soon)
        try:
            yield
        finally:
            stop.set()
            self._housekeeping.stop()
            await watcher
            await asyncio.to_thread(self._ratios.close)
            self._saving.close()
            await self.playground.close()
            await self.host.close()
            await self.upstream.close()
            await self.keeping.close()
            await asyncio.to_thread(self.traces.close)
            if self.metrics.sharing is not None:
                await asyncio.to_thread(self.metrics.sharing.leave)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
