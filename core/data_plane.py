"""The data plane's edge: a plain ASGI function for POST /v1/…, which hands everything else on.

It reads the body, asks the pipeline and sends what comes back, and gives up as soon as the client leaves.
"""

import time
import traceback
from collections.abc import Awaitable, Callable, Iterator, MutableMapping, Sequence
from functools import lru_cache
from secrets import token_bytes
from typing import Any

import msgspec

from core import client_address, prices
from core.admission import Admission
from core.call import Answer, Call
from core.client_body import ClientGoneError, Staying, whole_body
from core.dialects import decode_count
from core.edge import check_host, check_json, headers_of
from core.errors import (
    MethodNotAllowed,
    Overloaded,
    ProxyError,
    ShuttingDown,
    TooSlow,
    public_error,
)
from core.exchange import Exchange, Inputs
from core.explain import dialect_of, explanation
from core.generation import Generation, Generations
from core.guarding import Guard, Visit
from core.http1_cycle import CLIENT, Client
from core.logs import LogWriter
from core.metrics import Metrics
from core.pipeline import Pipeline
from core.redaction import Redactor
from core.request_line import level_of, log_fields
from core.routing.snapshot import Snapshot
from core.sending import send_answer, send_error
from core.traces import Traces
from core.under_way import UnderWay

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

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
        client: Client = scope["extensions"][CLIENT]
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
                    with self._admission, Staying(client):
                        answer = await self._dispatch(scope["path"], call, body)
                        answer.headers |= visit.headers()
                        if not isinstance(answer.body, bytes):
                            last_words = call.last_words
                        await send_answer(send, client.say, answer, exchange)
                        if exchange.error:  # a clean end would pass for success
                            client.cut()
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
                client.cut()
            else:
                await send_error(send, exchange, exc, self._known, visit.headers() if visit else None)
        finally:
            seconds = time.monotonic() - exchange.arrived
            self._end(
                exchange, seconds, generation, visit, told=not refused
            )  # a flood of refusals is a line in a while

    def _end(
        self, exchange: Exchange, seconds: float, generation: Generation | None, visit: Visit | None, *, told: bool
    ) -> None:
        """The client has its answer, whatever is wrong with its telling."""
        try:
            self._over(exchange, seconds, generation)
        except Exception as exc:  # noqa: BLE001  # whatever it is
            self.log_bug(exchange, exc)
        try:
            if told:
                self._tell(exchange, seconds, generation if visit else None)
        except Exception as exc:  # noqa: BLE001  # whatever it is
            self.log_bug(exchange, exc)

    def _over(self, exchange: Exchange, seconds: float, generation: Generation | None) -> None:
        """What the request cost is known now: it is counted and recorded."""
        if generation is None or exchange.decision is None or exchange.endpoint == ROUTE:
            self._metrics.settled(exchange, seconds, explained=exchange.endpoint == ROUTE)
            return
        snapshot = generation.snapshot
        exchange.cost = prices.cost(exchange.close_bill(), snapshot.card)
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
        client, limits = scope["extensions"][CLIENT], generation.loaded.settings.server
        body = await whole_body(client, receive, headers, limits, self._admission)
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
            now_ms=(now_ms := time.time_ns() // 1_000_000),
            tz_offset_min=_tz_offset_min(now_ms // 60_000),
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


@lru_cache(maxsize=2)
def _tz_offset_min(minute: int) -> int:
    """Of this machine in that minute (Unix time): it changes between two minutes."""
    return time.localtime(minute * 60).tm_gmtoff // 60


def _address(scope: Scope, headers: dict[str, str], generation: Generation) -> str:
    """Where the request comes from; empty for a local socket."""
    peer = scope["client"][0] if scope.get("client") else ""
    trusted = generation.loaded.settings.server.trusted_proxies
    return client_address.client(peer, headers, trusted) if trusted else peer
