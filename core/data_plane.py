"""The data plane's edge: a plain ASGI function for POST /v1/…, which hands everything else on.

It reads the body, asks the pipeline and sends what comes back, and gives up as soon as the client leaves.
"""

import asyncio
import time
import traceback
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Coroutine,
    Generator,
    Iterator,
    MutableMapping,
    Sequence,
)
from contextlib import aclosing, asynccontextmanager, contextmanager
from secrets import token_bytes
from typing import Any

import msgspec

from core import client_address, prices
from core.admission import Admission
from core.call import Answer, Call
from core.client_body import ClientGoneError, whole_body
from core.decision_headers import decision_headers, header_text
from core.dialects import CLIENTS, decode_count
from core.edge import check_host, check_json, headers_of
from core.errors import (
    MethodNotAllowed,
    Overloaded,
    ProxyError,
    ShuttingDown,
    TooSlow,
    UpstreamFailed,
    public_error,
)
from core.exchange import Exchange, Inputs
from core.explain import dialect_of, explanation
from core.generation import Generation, Generations
from core.guarding import Guard, Visit
from core.http1 import CUT
from core.logs import LogWriter
from core.metrics import Metrics
from core.pipeline import Pipeline
from core.redaction import Redactor
from core.request_line import level_of, log_fields
from core.routing.snapshot import Snapshot
from core.traces import Traces
from core.under_way import UnderWay

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

COUNT = "/v1/messages/count_tokens"
ROUTE = "/v1/route"
#: Nobody is asked for these.
ANSWERED_HERE = frozenset({COUNT, ROUTE})
#: Path to the dialect of its bodies; `/v1/route` takes any and finds it out.
DATA_PLANE = {
    "/v1/messages": "anthropic",
    COUNT: "anthropic",
    "/v1/chat/completions": "openai",
    "/v1/responses": "openai-responses",
    ROUTE: "",
}
#: A stream that is silent for so many seconds gets a ping of ours: proxies and clients give up on silence.
PING_S = 15.0


def _request_ids() -> Iterator[str]:
    """128 random bits each. The kernel is asked once for many: a call costs as much as routing a request."""
    while True:
        bits = token_bytes(16 * 64)
        yield from (f"req_{bits[at : at + 16].hex()}" for at in range(0, len(bits), 16))


class DataPlane:
    """The edge of one process."""

    def __init__(
        self,
        generations: Generations,
        pipeline: Pipeline,
        metrics: Metrics,
        log: LogWriter,
        others: App,
        admission: Admission,
        *,
        guards: Sequence[Guard] = (),
        record: Callable[[Exchange, Snapshot, float, Redactor], None] = lambda *_: None,
    ) -> None:
        """`record` is told of each request that was decided and is over, by which snapshot, how long it took (s)."""
        self._generations = generations
        self._pipeline = pipeline
        self._metrics = metrics
        self._log = log
        self._others = others
        self._admission = admission
        self._guards = guards
        self._record = record
        #: Told of every one that was let in, was to be answered by somebody and is over; how long it took (s).
        self.on_over: Callable[[Exchange, float, Snapshot], None] = lambda *_: None
        self._ids = _request_ids()
        self.under_way = UnderWay()
        #: Who makes a trace of a request; nobody, unless the environment says so.
        self.traces = Traces({}, log.log)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._others(scope, receive, send)
            return
        dialect = DATA_PLANE.get(scope["path"])
        if dialect is None:
            await self._others(scope, receive, send)
            return
        headers = headers_of(scope["headers"])
        exchange = Exchange(next(self._ids), scope["path"], dialect)
        exchange.trace = self.traces.begin(scope["method"], headers, exchange)
        await self._serve(scope, receive, send, headers, exchange)

    async def _serve(
        self, scope: Scope, receive: Receive, send: Send, headers: dict[str, str], exchange: Exchange
    ) -> None:
        """One request: answered, counted and logged, whatever happens."""
        exchange.arrived, exchange.began_ms = time.monotonic(), time.time_ns() // 1_000_000
        refused = False
        last_words: Callable[[ProxyError], bytes] | None = None
        visit: Visit | None = None
        generation: Generation | None = None
        try:
            generation = self._check(scope, headers, exchange)
            key = generation.client_keys.key_of(headers)
            exchange.client_key = key.name if key else ""
            address = _address(scope, headers, generation)
            visit = Visit(self._guards, exchange, generation.loaded.settings, key, address)
            with self.under_way.request(exchange):
                self._admission.check()
                async with visit:
                    with self._admission.arriving:
                        call, body = await self._enter(scope, receive, headers, visit, generation)
                    with self._admission:
                        async with _while_client_stays(receive):
                            answer = await self._dispatch(scope["path"], call, body)
                            answer.headers |= visit.headers()
                            if not isinstance(answer.body, bytes):
                                last_words = call.last_words
                            await _send_answer(send, answer, exchange)
                            if exchange.error:  # a clean end would pass for success
                                _cut(scope)
        except ClientGoneError:
            if not exchange.whole:  # who has got everything may leave
                exchange.status, exchange.error = 499, "client_left"
        except Exception as exc:  # noqa: BLE001  # the client gets an error of its own shape for anything
            refused = isinstance(exc, Overloaded | TooSlow)
            if not isinstance(exc, ProxyError):
                self.log_bug(exchange, exc)
            if exchange.status:  # the answer has begun: all that is left is to cut it
                exchange.error = f"{public_error(exc)[1]}: after the first byte"
                if isinstance(exc, ShuttingDown) and last_words:
                    await send({"type": "http.response.body", "body": last_words(exc), "more_body": True})
                _cut(scope)
            else:
                await _send_error(send, exchange, exc, self._known, visit)
        finally:
            seconds = time.monotonic() - exchange.arrived
            with self._whatever_fails(exchange):
                self._over(exchange, seconds, generation)
            if not refused:  # a flood of those is one line in a while, not one each
                with self._whatever_fails(exchange):
                    self._tell(exchange, seconds, generation if visit else None)

    @contextmanager
    def _whatever_fails(self, exchange: Exchange) -> Generator[None, None, None]:
        """In the block, the client has its answer, whatever is wrong with its telling."""
        try:
            yield
        except Exception as exc:  # noqa: BLE001  # whatever it is
            self.log_bug(exchange, exc)

    def _over(self, exchange: Exchange, seconds: float, generation: Generation | None) -> None:
        """What the request cost is known now: it is counted and recorded."""
        if generation is None or exchange.decision is None or exchange.endpoint == ROUTE:
            self._metrics.settled(exchange, seconds, explained=exchange.endpoint == ROUTE)
            return
        snapshot = generation.snapshot
        exchange.cost = prices.cost(exchange.bill(), snapshot.card)
        self._metrics.settled(exchange, seconds, snapshot.card)
        self._record(exchange, snapshot, seconds, generation.loaded.secrets.redactor)

    def _tell(self, exchange: Exchange, seconds: float, generation: Generation | None) -> None:
        """The log, the trace, and the page of what was let in."""
        self._log.log(log_fields(exchange, seconds), level_of(exchange))
        self.traces.end(exchange, seconds)
        if generation is not None and exchange.endpoint not in ANSWERED_HERE:
            self.on_over(exchange, seconds, generation.snapshot)

    @property
    def _known(self) -> Redactor:
        """Every secret of now: no error may carry one on, be it a client that wrote it into a wrong place."""
        return self._generations.current.loaded.secrets.redactor

    def log_bug(self, exchange: Exchange, exc: Exception) -> None:
        """Where it happened and of which type; not its message, which may hold the user's words."""
        where = "".join(traceback.format_tb(exc.__traceback__, limit=-4))
        fields: dict[str, object] = {
            "event": "bug",
            "request_id": exchange.request_id,
            "type": type(exc).__name__,
            "where": where,
        }
        self._log.log(fields, "error")

    def _check(self, scope: Scope, headers: dict[str, str], exchange: Exchange) -> Generation:
        """The rules of the door."""
        generation = self._generations.current
        exchange.snapshot = generation.snapshot.digest
        exchange.dialect = exchange.dialect or "openai"  # until the body is here, for the shape of an error
        check_host(headers, generation.hosts)
        if scope["method"] != "POST":
            refusal = MethodNotAllowed(f"{scope['path']} takes POST, not {scope['method']}")
            refusal.headers["allow"] = "POST"
            raise refusal
        check_json(headers)
        return generation

    async def _enter(
        self, scope: Scope, receive: Receive, headers: dict[str, str], visit: Visit, generation: Generation
    ) -> tuple[Call, bytes]:
        """The body, and what the request begins with."""
        exchange = visit.exchange
        query = scope["query_string"].decode("latin-1")
        body = await whole_body(receive, headers, generation.loaded.settings.server, self._admission)
        if exchange.trace is not None:
            exchange.trace.received_ms = exchange.ms_since_arrival(time.monotonic())
        if scope["path"] == ROUTE:
            exchange.dialect = dialect_of(query, headers, body)
        call = Call(
            exchange=exchange,
            snapshot=generation.snapshot,
            keys=generation.loaded.secrets.providers,
            headers=headers,
            query=query,
            now_ms=time.time_ns() // 1_000_000,
            tz_offset_min=time.localtime().tm_gmtoff // 60,
            visit=visit,
            redactor=generation.loaded.secrets.redactor,
            allowed=visit.key.targets if visit.key else (),
        )
        return call, body

    async def _dispatch(self, path: str, call: Call, body: bytes) -> Answer:
        if path == COUNT:
            tokens = await self._pipeline.count_tokens(call, decode_count(body))
            return Answer(200, {}, msgspec.json.encode({"input_tokens": tokens}))
        if path == ROUTE:
            decision = await self._pipeline.explain(call, body)
            states = {**self._pipeline.states(call), **call.states}
            inputs = Inputs(call.features, call.session, call.states, call.factors)
            shown = msgspec.json.encode(explanation(decision, inputs, call.snapshot, states=states))
            return Answer(200, {}, call.redactor.data(shown))
        return await self._pipeline.answer(call, body)


def _address(scope: Scope, headers: dict[str, str], generation: Generation) -> str:
    """Where the request comes from; empty for a local socket."""
    peer = scope["client"][0] if scope.get("client") else ""
    trusted = generation.loaded.settings.server.trusted_proxies
    return client_address.client(peer, headers, trusted) if trusted else peer


@asynccontextmanager
async def _while_client_stays(receive: Receive) -> AsyncGenerator[None, None]:
    """Cancels the block as soon as the client leaves, and turns that into ClientGoneError."""
    task = asyncio.current_task()
    gone = False

    async def watch() -> None:
        nonlocal gone
        while (await receive())["type"] != "http.disconnect":
            pass
        gone = True
        if task is not None:
            task.cancel()

    watcher = asyncio.create_task(watch())
    try:
        yield
    except asyncio.CancelledError:
        if gone and task is not None and task.uncancel() == 0:
            raise ClientGoneError from None
        raise
    finally:
        watcher.cancel()


async def _send_answer(send: Send, answer: Answer, exchange: Exchange) -> None:
    exchange.status = answer.status
    answer.headers.setdefault("content-type", "application/json")
    headers = _headers(answer.headers, exchange)
    if isinstance(answer.body, bytes):
        await _send_whole(send, answer.status, headers, answer.body)
        exchange.first_ms = exchange.ms_since_arrival(time.monotonic())
        return
    headers.append((b"cache-control", b"no-cache"))
    async with answer.closing, aclosing(answer.body) as pieces:
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        async with _pinging(send, answer.ping, PING_S, lambda: exchange.whole) as say:
            async for piece in pieces:
                await say(piece)
                if exchange.first_ms is None and exchange.has_content:
                    exchange.first_ms = exchange.ms_since_arrival(time.monotonic())
    if not exchange.error:
        await send({"type": "http.response.body", "body": b""})


def _cut(scope: Scope) -> None:
    """End an answer that has begun without its end; a scope that comes from no server of ours has no way to."""
    if cut := scope.get("extensions", {}).get(CUT):
        cut()


@asynccontextmanager
async def _pinging(
    send: Send, ping: bytes, every_s: float, over: Callable[[], bool]
) -> AsyncGenerator[Callable[[bytes], Coroutine[Any, Any, None]], None]:
    """Gives what sends a piece of a stream; sends `ping` itself after each `every_s` seconds in which nothing was sent,
    until the answer is `over`.

    A piece is whole events, and no ping is begun while a piece waits for a client that does not read: so a ping stands
    between events, and never behind the last.
    """
    loop = asyncio.get_running_loop()
    last, busy = loop.time(), False

    async def say(piece: bytes) -> None:
        nonlocal last, busy
        busy = True
        await send({"type": "http.response.body", "body": piece, "more_body": True})
        last, busy = loop.time(), False

    async def keep_alive() -> None:
        nonlocal last
        while not over():
            await asyncio.sleep(max(0.0, last + every_s - loop.time()))
            if busy or loop.time() >= last + every_s:
                last = loop.time()
                if not (busy or over()):
                    await send({"type": "http.response.body", "body": ping, "more_body": True})

    task = asyncio.create_task(keep_alive()) if ping else None
    try:
        yield say
    finally:
        if task is not None:
            task.cancel()


def _headers(headers: dict[str, str], exchange: Exchange) -> Headers:
    headers.setdefault("request-id", exchange.request_id)
    own = [(name.encode(), header_text(value).encode()) for name, value in headers.items()]
    return own + decision_headers(exchange)


async def _send_whole(send: Send, status: int, headers: Headers, body: bytes) -> None:
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _send_error(
    send: Send, exchange: Exchange, exc: Exception, known: Redactor, visit: Visit | None = None
) -> None:
    """The error in the client's dialect; a provider's own error in the same dialect goes through as it came."""
    status, kind, message = public_error(exc)
    if isinstance(exc, Overloaded) and exchange.dialect != "anthropic":
        status = 503  # 529 is Anthropic's own
    exchange.status, exchange.error = status, kind
    details = exc.details if isinstance(exc, ProxyError) else None
    headers = visit.headers() if visit else {}
    headers |= exc.headers if isinstance(exc, ProxyError) else {}
    headers["content-type"] = "application/json"
    body = known.data(exc.body) if isinstance(exc, UpstreamFailed) else b""
    if not body:
        message = known.text(message)
        body = CLIENTS[exchange.dialect].error_body(status, kind, message, exchange.request_id, details)
    await _send_whole(send, status, _headers(headers, exchange), body)
