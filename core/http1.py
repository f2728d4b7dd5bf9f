"""The server's HTTP/1.1 protocol, with the bounds that it lacks: how large a request's head may be, and how late.

uvicorn's own has neither. It also loses the body of a request that offers an upgrade (Java's client offers HTTP/2 so),
and tells only the last of several pipelined requests that their client has left.
"""

import asyncio
import re
from array import array
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from fcntl import ioctl
from termios import FIONREAD
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

#: The largest request line and headers that arrive in more than one read, in bytes.
MAX_HEAD = 64 * 1024
#: A new connection's first head, and every begun one, must be whole after so many seconds.
HEAD_S = 30.0
#: The ASGI extension that ends an answer without its end: `scope["extensions"][CUT]()`, see `Connection.cut`.
CUT = "terraphim.cut"

_UPGRADE = re.compile(rb"\r\nupgrade:[^\r\n]*", re.IGNORECASE)


def without_upgrade(data: bytes) -> bytes:
    """The bytes of a POST's head without the offer to upgrade: RFC 9110, section 7.8 lets a server ignore it.

    Only what begins a request is looked at; no JSON body begins so.
    """
    if not (data.startswith(b"POST ") and _UPGRADE.search(data)):
        return data
    head, blank, rest = data.partition(b"\r\n\r\n")
    return _UPGRADE.sub(b"", head) + blank + rest


def _has_input(transport: asyncio.Transport) -> bool:
    """Whether the kernel has bytes of this connection that nobody has read."""
    there = array("i", [0])
    with suppress(OSError):
        ioctl(transport.get_extra_info("socket").fileno(), FIONREAD, there)
    return there[0] > 0


class Phase(StrEnum):
    """What a connection is doing."""

    HEAD = "head"  # a request's head has begun, or the first one is awaited
    BODY = "body"  # the rest of a request's body is awaited
    ANSWERING = "answering"
    IDLE = "idle"  # between two requests
    CLOSING = "closing"  # nothing more is read; what was written is on its way out


class Connections:
    """The open connections of a process; `protocol` makes one, as uvicorn's `http` setting wants it."""

    def __init__(self) -> None:
        self.open: set[Connection] = set()

    def protocol(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> "Connection":
        return Connection(self.open, config, server_state, app_state, _loop)


class Connection(HttpToolsProtocol):
    """One connection; one request is answered at a time, further ones wait in `pipeline`."""

    def __init__(
        self,
        register: "set[Connection]",
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.phase = Phase.HEAD
        self._register = register
        self._answering: RequestResponseCycle | None = None
        self._extensions: dict[str, Callable[[], None]] = {CUT: self.cut}
        self._in_head = False
        self._head = 0
        self._late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._register.add(self)
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self.phase = Phase.CLOSING
        self._register.discard(self)
        self._stop_waiting()
        self._abandon()
        super().connection_lost(exc)

    def cut(self) -> None:
        """End the answer under way here. For a stream that failed after its status was sent.

        What was written still reaches the client (the error event, so write it first), then the connection is closed
        without the end that chunked coding demands: no client takes the answer for whole (RFC 9112, section 8). What
        is sent afterwards is dropped, `receive` says `http.disconnect`, and uvicorn logs nothing. Pipelined requests
        are dropped too. An ASGI application calls `scope["extensions"][CUT]()`; a scope that comes from no server has
        no extensions. Harmless when there is nothing to cut.
        """
        self.phase = Phase.CLOSING
        self._abandon()
        if not self.transport.is_closing():
            self.transport.close()

    def _abandon(self) -> None:
        """No request of this connection has a client any more. uvicorn tells only the last one that was read."""
        waiting = [cycle for cycle, _ in self.pipeline]
        self.pipeline.clear()
        for cycle in (self._answering, self.cycle, *waiting):
            if cycle is not None and not cycle.response_complete:
                cycle.disconnected = True
                cycle.message_event.set()

    def data_received(self, data: bytes) -> None:
        super().data_received(without_upgrade(data))
        self._head = self._head + len(data) if self._in_head else 0
        if self._head > MAX_HEAD and not self.transport.is_closing():
            self.send_400_response(f"The request's headers are over {MAX_HEAD} bytes.")

    @property
    def idle(self) -> bool:
        """Between two requests, or before the first, and no byte of the next one is here."""
        cycle: RequestResponseCycle | None = self.cycle
        answered = cycle is None or cycle.response_complete
        return answered and not self._in_head and not _has_input(self.transport)

    def answer_no_more(self) -> None:
        """Close when the answers under way are complete."""
        for cycle in (self._answering, self.cycle):
            if cycle is not None:
                cycle.keep_alive = False

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = self._extensions  # type: ignore[typeddict-item]
        self._in_head = True
        if self.phase is Phase.IDLE:
            self.phase = Phase.HEAD
        self._wait_for_head()

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._stop_waiting()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        if self.phase is Phase.BODY:
            self.phase = Phase.ANSWERING

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._answering = cycle
        self.phase = Phase.BODY if cycle.more_body else Phase.ANSWERING
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        if self.phase is not Phase.CLOSING:
            self.phase = Phase.HEAD if self._in_head else Phase.IDLE
        super().on_response_complete()

    def _wait_for_head(self) -> None:
        self._stop_waiting()
        self._late = self.loop.call_later(HEAD_S, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None
