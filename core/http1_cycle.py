"""A request of a connection and its answer: what the connection read comes in, what the application sends goes out.

uvicorn's own cycle judges each header of an answer by itself, and whoever wants to know that the client has left must
wait for it in a task.
"""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final, Protocol

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE
from uvicorn.server import ServerState

#: The ASGI extension that is who asked: `scope["extensions"][CLIENT]`, a `Client`.
CLIENT: Final = "terraphim.client"
#: What no name of a header holds (RFC 9110, section 5.6.2), and what no value does (section 5.5).
_NO_NAME: Final = re.compile(rb'[\x00-\x1f\x7f()<>@,;:\\[\]={} \t"]')
_NO_VALUE: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_FRAMING: Final = frozenset({b"content-length", b"transfer-encoding", b"connection"})
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_FAILED: Final = b"Internal Server Error"

_LOG = logging.getLogger(__name__)

Message = MutableMapping[str, Any]
App = Callable[..., Awaitable[None]]


class Holder(Protocol):
    """The connection, as a cycle sees it."""

    transport: Any
    flow: FlowControl
    #: Its `default_headers` are what every answer carries.
    server_state: ServerState

    def owed(self) -> "Cycle | None":
        """The request under way, if its answer is not complete."""
        ...

    def cut(self) -> None:
        """See `Client.cut`."""
        ...

    def on_response_complete(self) -> None:
        """The answer is sent."""
        ...


class Cycle:
    """One request. `keep_alive`: the connection outlives it. `expects`: its client waits for a word before it sends the
    body (100-continue). `body` is what has come of that, and was not taken yet.
    """

    __slots__ = (
        "_chunked", "_expects", "_holder", "_left", "body", "gone", "keep_alive", "more_body", "news",
        "on_leaving", "response_complete", "response_started", "scope",
    )  # fmt: skip

    def __init__(self, holder: Holder, scope: Any, *, keep_alive: bool, expects: bool) -> None:
        self._holder, self.scope, self.keep_alive, self._expects = holder, scope, keep_alive, expects
        self.body = b""
        self.more_body = True
        self.gone = self.response_started = self.response_complete = False
        self.on_leaving: Callable[[], None] | None = None
        #: What `receive` waits for.
        self.news = asyncio.Event()
        self._chunked: bool | None = None
        self._left = 0  # bytes of the answer's body that are still due

    async def run(self, app: App) -> None:
        """Have it answered; if it is not, with an error, or as far as it was."""
        try:
            await app(self.scope, self.receive, self.send)
        except BaseException as exc:  # noqa: BLE001  # whatever it was, the client waits for an answer
            _LOG.error("the application failed", exc_info=exc)
        else:
            if self.response_complete or self.gone:
                return
            _LOG.error("the application ended before its answer did")
        if self.response_started:
            self._holder.transport.close()
        else:
            await self._fail()

    async def _fail(self) -> None:
        length = b"%d" % len(_FAILED)
        headers = [(b"content-type", b"text/plain"), (b"content-length", length), (b"connection", b"close")]
        await self.send({"type": "http.response.start", "status": 500, "headers": headers})
        await self.send({"type": "http.response.body", "body": _FAILED})

    def leave(self) -> None:
        """The client has left, or is not answered any further."""
        if self.response_complete or self.gone:
            return
        self.gone = True
        self.news.set()
        tell, self.on_leaving = self.on_leaving, None
        if tell is not None:
            tell()

    def take(self) -> bytes:
        """What has come of the body since the last time."""
        self.news.clear()
        body, self.body = self.body, b""
        return body

    async def receive(self) -> Message:
        """ASGI."""
        self._say_continue()
        if not (self.gone or self.response_complete):
            self._holder.flow.resume_reading()
            await self.news.wait()
        if self.gone or self.response_complete:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": self.take(), "more_body": self.more_body}

    def _say_continue(self) -> None:
        if self._expects and not self._holder.transport.is_closing():
            self._expects = False
            self._holder.transport.write(_CONTINUE)

    async def send(self, message: Message) -> None:
        """ASGI."""
        if self._holder.flow.write_paused and not self.gone:
            await self._holder.flow.drain()
        if self.gone:
            return
        if not self.response_started:
            if message["type"] != "http.response.start":
                raise RuntimeError(f"an answer begins with its status, not with {message['type']}")
            self._begin(message["status"], message.get("headers", ()))
        elif not self.response_complete:
            if message["type"] != "http.response.body":
                raise RuntimeError(f"behind an answer's status comes its body, not {message['type']}")
            self.go_on(message.get("body", b""), more=message.get("more_body", False))
        else:
            raise RuntimeError(f"the answer is complete, and {message['type']} comes behind it")

    def _begin(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        fields = [*self._holder.server_state.default_headers, *headers]
        if _NO_NAME.search(b"".join([name for name, _ in fields])):
            raise RuntimeError("a header's name is none")
        if _NO_VALUE.search(b"".join([value for _, value in fields])):
            raise RuntimeError("a header's value would end it")
        self.response_started, self._expects = True, False
        parts, closes = [STATUS_LINE[status]], False
        for field, value in fields:
            name = field.lower()
            parts += (name, b": ", value, b"\r\n")
            if name in _FRAMING:
                closes |= self._framed(name, value.lower())
        if not (self.keep_alive or closes):
            parts.append(b"connection: close\r\n")
        if self._chunked is None and self.scope["method"] != "HEAD" and status not in {204, 304}:
            self._chunked = True
            parts.append(b"transfer-encoding: chunked\r\n")
        parts.append(b"\r\n")
        self._holder.transport.write(b"".join(parts))

    def _framed(self, name: bytes, value: bytes) -> bool:
        """Take note of a field that says where the answer ends; whether the connection ends with it."""
        if name == b"content-length" and self._chunked is None:
            self._chunked, self._left = False, int(value)
        elif name == b"transfer-encoding" and value == b"chunked":
            self._chunked, self._left = True, 0
        elif name == b"connection" and b"close" in [token.strip() for token in value.split(b",")]:
            self.keep_alive = False
            return True
        return False

    def go_on(self, body: bytes, *, more: bool) -> None:
        """Write a piece of the body now."""
        if self.scope["method"] == "HEAD":
            self._left = 0
        elif self._chunked:
            chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            self._holder.transport.write(chunk if more else chunk + b"0\r\n\r\n")
        else:
            if len(body) > self._left:
                raise RuntimeError("the answer is longer than its Content-Length")
            self._left -= len(body)
            self._holder.transport.write(body)
        if not more:
            self._complete()

    def _complete(self) -> None:
        if self._left:
            raise RuntimeError("the answer is shorter than its Content-Length")
        self.response_complete = True
        self.news.set()
        if not self.keep_alive:
            self._holder.transport.close()
        self._holder.on_response_complete()


class Client:
    """Who asked, as the application may ask them back, as long as it answers."""

    def __init__(self, holder: Holder) -> None:
        self._holder = holder

    def whole_body(self) -> bytes | None:
        """The request's body, as `receive` would give it, if all of it is here; None if it is to be received."""
        cycle = self._holder.owed()
        return None if cycle is None or cycle.gone or cycle.more_body else cycle.take()

    def tell_leaving(self, tell: Callable[[], None] | None) -> bool:
        """`tell` is called when the client leaves before its answer is complete, once and in no task; None: nobody is
        told any more. Whether it is still there. The body must have been received.
        """
        cycle = self._holder.owed()
        if cycle is None or cycle.gone:
            return False
        cycle.on_leaving = tell
        if tell is not None:
            self._holder.flow.resume_reading()  # or nobody would see it
        return True

    def say(self, piece: bytes) -> None:
        """A piece of the body of an answer that has begun, at once; not if the client is not reading, or has left."""
        cycle = self._holder.owed()
        if cycle is not None and cycle.response_started and not (cycle.gone or self._holder.flow.write_paused):
            cycle.go_on(piece, more=True)

    def cut(self) -> None:
        """End the answer that has begun without its end; see `http1.Connection.cut`."""
        self._holder.cut()
