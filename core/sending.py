"""How an answer is sent: whole, as a stream that shows signs of life, or as an error of the client's shape."""

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import aclosing
from types import TracebackType
from typing import Any, Final, Self

from core.call import Answer
from core.decision_headers import decision_headers, header_text
from core.dialects import CLIENTS
from core.errors import Overloaded, ProxyError, UpstreamFailed, public_error
from core.exchange import Exchange
from core.redaction import Redactor

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

#: A stream that was silent for so many seconds gets a ping of ours: proxies and clients give up on silence.
PING_S = 15.0
#: What says that there is too much load to who does not know Anthropic's own status, 529.
_UNAVAILABLE: Final = 503


async def send_answer(send: Send, say: Callable[[bytes], None], answer: Answer, exchange: Exchange) -> None:
    """All of it. `say` sends a piece of the body at once, from outside of what is sent here."""
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
        with Pings(say, answer.ping, PING_S, lambda: exchange.whole) as pings:
            async for piece in pieces:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                pings.put_off()
                if exchange.first_ms is None and exchange.has_content:
                    exchange.first_ms = exchange.ms_since_arrival(time.monotonic())
    if not exchange.error:
        await send({"type": "http.response.body", "body": b""})


class Pings:
    """In the block, `ping` is said after each `every_s` seconds in which nothing was sent, until the answer is `over`;
    an empty one never.

    A piece of the answer is whole events, and `say` says nothing while a piece waits for a client that does not read:
    so a ping stands between events, and never behind the last.
    """

    def __init__(self, say: Callable[[bytes], None], ping: bytes, every_s: float, over: Callable[[], bool]) -> None:
        self._say, self._ping, self._every_s, self._over = say, ping, every_s, over
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._last = 0.0

    def __enter__(self) -> Self:
        self._last = self._loop.time()
        if self._ping:
            self._timer = self._loop.call_later(self._every_s, self._due)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def put_off(self) -> None:
        """Something was sent. The timer stays: it looks when it is due how much longer it has to wait."""
        self._last = self._loop.time()

    def _due(self) -> None:
        if self._over():
            return
        now = self._loop.time()
        if now >= self._last + self._every_s:
            self._last = now
            self._say(self._ping)
        self._timer = self._loop.call_later(self._last + self._every_s - now, self._due)


def _headers(headers: dict[str, str], exchange: Exchange) -> Headers:
    headers.setdefault("request-id", exchange.request_id)
    own = [(name.encode(), header_text(value).encode()) for name, value in headers.items()]
    return own + decision_headers(exchange)


async def _send_whole(send: Send, status: int, headers: Headers, body: bytes) -> None:
    headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def send_error(
    send: Send, exchange: Exchange, exc: Exception, known: Redactor, limits: dict[str, str] | None = None
) -> None:
    """The error in the client's dialect; a provider's own error in the same dialect goes through as it came. `limits`:
    headers that tell the client of its limits.
    """
    status, kind, message = public_error(exc)
    if isinstance(exc, Overloaded) and exchange.dialect != "anthropic":
        status = _UNAVAILABLE
    exchange.status, exchange.error = status, kind
    details = exc.details if isinstance(exc, ProxyError) else None
    headers = limits or {}
    headers |= exc.headers if isinstance(exc, ProxyError) else {}
    headers["content-type"] = "application/json"
    body = known.data(exc.body) if isinstance(exc, UpstreamFailed) else b""
    if not body:
        message = known.text(message)
        body = CLIENTS[exchange.dialect].error_body(status, kind, message, exchange.request_id, details)
    await _send_whole(send, status, _headers(headers, exchange), body)
