"""The whole application: the data plane in front, FastAPI behind it for health, models and metrics."""

import asyncio
import signal
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from core import __version__, descriptors, models, resident, restart, snapshots
from core.admission import MIB, Admission
from core.course import Means
from core.data_plane import DataPlane
from core.dialects import CLIENTS
from core.draining import Drain
from core.edge import headers_of
from core.errors import Forbidden, NotFound, ProxyError, public_error, type_of_status
from core.exchange import Refusal
from core.generation import Generation, Generations
from core.housekeeping import Housekeeping
from core.keeping import Keeping
from core.logs import LogWriter
from core.metrics import Metrics
from core.open_connections import Connections
from core.pipeline import Pipeline
from core.redaction import Redactor
from core.refusals import Tally
from core.rolling import Rolling
from core.routing import explicit, permission
from core.routing.driver import HostDriver
from core.rule_events import RuleEvents
from core.schema import PluginSettings, ServerKey
from core.settings import Loaded, cache_dir, state_dir
from core.snapshot_saving import SnapshotSaving
from core.snapshots import SnapshotStore
from core.standing import Standing
from core.state.token_ratios import TokenRatios
from core.target_events import TargetEvents
from core.tokens import TokenCounter
from core.upstream import Upstream
from wasm_host.host import Host


class Proxy:
    """The parts of one process, put together."""

    def __init__(self, load: Callable[[], Loaded], env: Mapping[str, str], log: LogWriter) -> None:
        self.metrics = Metrics()
        self._log, self._writer = log.log, log
        self.tally = Tally(lambda reason: self.metrics.refused.labels(reason).inc())
        self.connections = Connections(self.tally, room=descriptors.raised())
        self.admission = Admission(self.tally)
        self.metrics.watch(self.connections.counting, self.admission, log)
        self._ratios = TokenRatios(state_dir(env), self._problem)
        self._housekeeping = Housekeeping(self.connections, self.admission, log.log, self._ratios.save)
        self._watermark = resident.default_watermark()
        self._host = Host(RuleEvents(self.metrics, log.log), workers=PluginSettings().workers)
        self._upstream = Upstream()
        self.metrics.pools(self._upstream.counts)
        self._standing = Standing(TargetEvents(self.metrics, log.log))
        self.keeping = Keeping(state_dir(env), log.log, self.metrics, self._standing)
        self.metrics.watch_cache(self.keeping.answers)
        self.rolling = Rolling(self.metrics, log.log, self._reload_soon)
        self._reloads: set[asyncio.Task[bool]] = set()
        self._saving = SnapshotSaving(SnapshotStore(state_dir(env) / snapshots.NAME, cache_dir(env)), log.log)
        self.generations = Generations(
            load,
            env,
            report=log.log,
            on_swap=self._swapped,
            on_built=self._built,
            saving=self._saving,
            count=self.metrics.problems.set,
        )
        pipeline = Pipeline(
            means=Means(self._standing),
            upstream=self._upstream,
            counter=TokenCounter(),
            sessions=self.keeping.sessions,
            driver=HostDriver(self._host),
            calibration=self._ratios.calibration,
            answers=self.keeping.answers,
        )
        pipeline.on_decided = self.rolling.decided
        self.drain = Drain(time.monotonic)
        web = _web(self)
        self.asgi = DataPlane(
            self.generations,
            pipeline,
            self.metrics,
            log,
            web,
            self.admission,
            guards=self.keeping.guards,
            record=self.keeping.recording.write,
        )

    def _problem(self, text: str) -> None:
        self._log({"event": "problem", "problem": text}, "warning")

    def _reload_soon(self) -> None:
        task = asyncio.create_task(self.generations.reload())
        self._reloads.add(task)
        task.add_done_callback(self._reloads.discard)

    def _built(self, generation: Generation) -> None:
        """Called off the event loop, before the generation serves."""
        self._host.read(generation.snapshot.rules.on)
        self.keeping.prepare(generation)

    def _swapped(self, generation: Generation, outcome: str) -> None:
        snapshot, server = generation.snapshot, generation.loaded.settings.server
        self._writer.use(generation.loaded.settings.log, generation.loaded.secrets.redactor)
        self.keeping.use(generation)
        self.rolling.use(generation)
        self._standing.keep(snapshot.addresses, breakers=snapshot.settings.resilience.breaker)
        self.connections.use(server)
        if self.connections.cap < server.max_connections:
            self._log({"event": "few_descriptors", "max_connections": self.connections.cap}, "warning")
        self.admission.use(server, server.max_memory_mb * MIB or self._watermark)
        plugins = generation.loaded.settings.plugins
        self._host.use(generation.snapshot.rules.on, isolation=plugins.isolation, workers=plugins.workers)
        self.metrics.reloads.labels(outcome).inc()
        self.metrics.swapped(generation.snapshot.id)

    @asynccontextmanager
    async def lifespan(self, _: FastAPI) -> AsyncGenerator[None, None]:
        """Watch files and SIGHUP while serving; close connections at the end."""
        stop = asyncio.Event()
        self._host.start()
        self._housekeeping.start()
        await self.keeping.start()
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
            await self._host.close()
            await self._upstream.close()
            await self.keeping.close()


def _web(proxy: Proxy) -> FastAPI:
    # No response models and no typed parameters: for the first of them FastAPI imports pydantic's old version, 50 ms.
    web = FastAPI(
        title="Terraphim LLM Proxy", version=__version__, lifespan=proxy.lifespan, docs_url=None, redoc_url=None
    )
    current = proxy.generations

    @web.api_route("/", methods=["GET", "HEAD"], response_model=None)
    def root() -> dict[str, str]:
        return {"name": "terraphim-llm-proxy", "version": __version__}

    @web.api_route("/api/hello", methods=["GET", "HEAD"], response_model=None)
    def hello() -> dict[str, str]:
        return {"message": "hello"}

    @web.get("/health", response_model=None)
    @web.get("/health/ready", response_model=None)
    def ready(request: Request) -> JSONResponse:
        generation = current.current
        stopping = proxy.drain.stopping
        state = {
            "status": "stopping" if stopping else "ok",
            "version": __version__,
            "snapshot": generation.snapshot.id,
            "simulated": generation.loaded.settings.simulated,
            **proxy.keeping.health(),
            "problems": len(current.present.all),
            "restart": list(restart.waiting(current.started, generation.loaded.settings)),
        }
        if _is_here(request) and (rollouts := proxy.rolling.shown()):
            state["rollouts"] = rollouts
        if _trusted(request, generation):
            state["problem"] = current.present.listing()
        return JSONResponse(state, 503 if stopping else 200)

    @web.get("/health/live", response_model=None)
    def live() -> dict[str, str]:
        return {"status": "ok"}

    @web.get("/metrics")
    def metrics(request: Request) -> Response:
        if not _is_here(request):
            _key_of(request, current.current)
        return Response(proxy.metrics.exposition(), media_type=proxy.metrics.content_type)

    _models(web, current)
    _errors(web, current)
    return web


def _trusted(request: Request, generation: Generation) -> bool:
    """Whether who asks may see names of files: somebody on this machine, or with a client's key."""
    try:
        return _is_here(request) or _key_of(request, generation) is not None
    except ProxyError:
        return False


def _models(web: FastAPI, current: Generations) -> None:
    @web.get("/v1/models")
    def list_models(request: Request) -> JSONResponse:
        generation = current.current
        key = _key_of(request, generation)
        return JSONResponse(
            models.listing(
                generation.snapshot,
                request.query_params,
                anthropic="anthropic-version" in request.headers,
                allowed=key.targets if key else (),
            )
        )

    @web.get("/v1/models/{name:path}")
    def one_model(request: Request) -> JSONResponse:
        generation = current.current
        key = _key_of(request, generation)
        name, snapshot = request.path_params["name"], generation.snapshot
        allowed = key.targets if key else ()
        found = explicit.parse(snapshot, name, allowed)
        if isinstance(found, Refusal):
            raise NotFound(found.message)
        if key and found and not permission.permitted(str(found), allowed):
            raise Forbidden(permission.refusal(found, key.name, allowed))
        shown = str(found or name)
        shown = generation.loaded.secrets.redactor.text(shown)  # any name is a model's here
        return JSONResponse(models.entry(snapshot, shown, anthropic="anthropic-version" in request.headers))


def _errors(web: FastAPI, current: Generations) -> None:
    """Errors in the client's shape here, too; they quote what was asked for, and no key."""

    def known() -> Redactor:
        return current.current.loaded.secrets.redactor

    @web.exception_handler(HTTPException)
    def http_error(request: Request, exc: HTTPException) -> Response:
        message = f"{request.method} {request.url.path}: {exc.detail}"
        return _error(request, exc.status_code, type_of_status(exc.status_code), known().text(message))

    @web.exception_handler(ProxyError)
    def proxy_error(request: Request, exc: ProxyError) -> Response:
        status, kind, message = public_error(exc)
        return _error(request, status, kind, known().text(message), headers=exc.headers)


def _is_here(request: Request) -> bool:
    """Whether this machine asks."""
    return request.client is not None and request.client.host in {"127.0.0.1", "::1"}


def _key_of(request: Request, generation: Generation) -> ServerKey | None:
    """The client's key, as on the data plane; Unauthorized without one where one is needed."""
    return generation.client_keys.key_of(headers_of(request.headers.raw))


def _error(
    request: Request, status: int, kind: str, message: str, headers: Mapping[str, str] | None = None
) -> Response:
    dialect = CLIENTS["anthropic" if "anthropic-version" in request.headers else "openai"]
    body = dialect.error_body(status, kind, message, "")
    return Response(body, status_code=status, headers=headers, media_type="application/json")
