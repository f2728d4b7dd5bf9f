"""A provider that misbehaves as it is asked to: `python -m prove.faultd`, prints its ports as one JSON line.

`main` plays whatever a request's directive names (`faultd_table`). The faults of a connection have ports of their own:
`refused`, `backlog`, `tls`, `close`, `stale`. `trap` is where redirects lead. `control` answers a line `seen` with what
became of each request, by nonce, and forgets it.
"""

import asyncio
import contextlib
import json
import re
import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, cast

import msgspec
import uvloop

from prove import faultd_bodies, faultd_heads, faultd_streams
from prove.certificate import certificate
from prove.faultd_dialects import DIALECTS, Dialect
from prove.faultd_play import Play
from prove.faultd_table import Directive, read_directive

PLAYS: Final = faultd_heads.PLAYS | faultd_bodies.PLAYS | faultd_streams.PLAYS
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_KEY: Final = re.compile(rb"\r\n(?:x-api-key|x-goog-api-key|authorization): *(?:Bearer )?([^\r\n]+)", re.IGNORECASE)
_STREAMED: Final = re.compile(rb'"stream"\s*:\s*true|^POST [^ ]*:streamGenerateContent')
#: Written but not yet taken by the peer, in bytes: above it, `send` waits.
_HIGH_WATER: Final = 256 * 1024


class Seen(msgspec.Struct):
    """Requests with one nonce: how many, when the last one was read, and when its connection was lost before its answer
    was whole (the machine's monotonic clock, s; 0: not so).
    """

    asked: int = 0
    begun: float = 0.0
    lost: float = 0.0


class Server:
    """What the connections share."""

    def __init__(self) -> None:
        self.seen: dict[str, Seen] = {}
        self.trapped = 0
        self.open = 0
        self.trap = 0
        self.accepted = 0


class Connection(asyncio.Protocol):
    """One connection: a request, its answer, the next request."""

    def __init__(self, server: Server, *, stale: bool = False) -> None:
        self._server, self._stale = server, stale
        self._data = bytearray()
        self._task: asyncio.Task[None] | None = None
        self._current: Seen | None = None
        self._answered = 0
        self._writable = asyncio.Event()
        self._writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but name
        self._transport.set_write_buffer_limits(_HIGH_WATER)
        self._server.open += 1

    def data_received(self, data: bytes) -> None:
        self._data += data
        if self._stale and self._answered:
            self.reset()
        elif self._task is None:
            self._begin()

    def _begin(self) -> None:
        head = self._data.find(b"\r\n\r\n")
        if head < 0:
            return
        length = _LENGTH.search(self._data, 0, head + 2)
        end = head + 4 + int(length[1] if length else 0)
        if len(self._data) < end:
            return
        request = bytes(self._data[:end])
        del self._data[:end]
        self._task = asyncio.get_running_loop().create_task(self._serve(request, head))

    async def _serve(self, request: bytes, head: int) -> None:
        directive = read_directive(request)
        path = request.split(b" ", 2)[1].partition(b"?")[0]
        dialect = next((each for each in DIALECTS if path.endswith(each.path)), None)
        if directive is None or dialect is None:
            await self.send(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
        else:
            self._current = self._server.seen.setdefault(directive.nonce, Seen())
            self._current.asked += 1
            self._current.begun = time.monotonic()
            await self._play(directive, dialect, request, head)
        self._current, self._task = None, None
        self._answered += 1
        if self._data and not self._transport.is_closing():
            self._begin()

    async def _play(self, directive: Directive, dialect: Dialect, request: bytes, head: int) -> None:
        key = _KEY.search(request, 0, head + 2)
        streamed = _STREAMED.search(request) is not None
        said = key[1].decode("latin-1") if key else ""
        play = Play(directive, dialect, self, streamed=streamed, key=said, trap=self._server.trap)
        await PLAYS[directive.fault](play)

    async def send(self, data: bytes) -> None:
        self._transport.write(data)
        if not self._writable.is_set():
            await self._writable.wait()

    def close(self) -> None:
        self._current = None
        self._transport.close()

    def reset(self) -> None:
        self._current = None
        _linger_none(self._transport)
        self._transport.abort()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def eof_received(self) -> None:
        self._lost()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost()
        self._server.open -= 1

    def _lost(self) -> None:
        if self._current is not None:
            self._current.lost = time.monotonic()
            self._current = None
        if self._task is not None:
            self._task.cancel()


def _linger_none(transport: asyncio.BaseTransport) -> None:
    """Closing sends RST."""
    raw = transport.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Closing(asyncio.Protocol):
    """Closes at once: every second one with RST."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._server.accepted += 1
        if self._server.accepted % 2:
            _linger_none(transport)
        transport.close()


class Trap(asyncio.Protocol):
    """Nobody should come here."""

    def __init__(self, server: Server) -> None:
        server.trapped += 1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


class Control(asyncio.Protocol):
    """Answers questions about this process."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        server = self._server
        said = {"seen": server.seen, "trapped": server.trapped, "open": server.open}
        server.seen = {}
        self._transport.write(msgspec.json.encode(said) + b"\n")


def _socket(*, backlog: int | None) -> socket.socket:
    """On a free port; without a backlog nobody listens there, and nobody else can."""
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    if backlog is not None:
        bound.listen(backlog)
    return bound


def _full(listener: socket.socket) -> list[socket.socket]:
    """Fill a backlog: connections that nobody accepts, until one more is left waiting."""
    waiting = []
    for _ in range(4):
        one = socket.socket()
        one.setblocking(False)
        one.connect_ex(listener.getsockname())
        waiting.append(one)
    return waiting


async def _main() -> None:
    loop, server = asyncio.get_running_loop(), Server()
    with contextlib.ExitStack() as stack:
        refused, backlog = (stack.enter_context(_socket(backlog=size)) for size in (None, 0))
        for one in _full(backlog):
            stack.enter_context(one)
        tls, _ = certificate(Path(stack.enter_context(TemporaryDirectory())), "elsewhere.invalid")
        listening: dict[str, Callable[[], asyncio.Protocol]] = {
            "main": lambda: Connection(server),
            "tls": lambda: Connection(server),
            "close": lambda: Closing(server),
            "stale": lambda: Connection(server, stale=True),
            "trap": lambda: Trap(server),
            "control": lambda: Control(server),
        }
        ports = {"refused": refused.getsockname()[1], "backlog": backlog.getsockname()[1]}
        for name, protocol in listening.items():
            made = await loop.create_server(protocol, "127.0.0.1", 0, backlog=4096, ssl=tls if name == "tls" else None)
            ports[name] = made.sockets[0].getsockname()[1]
        server.trap = ports["trap"]
        print(json.dumps(ports), flush=True)
        await loop.create_future()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(_main())
