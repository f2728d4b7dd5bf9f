"""A strict reader of HTTP/1.1 answers and of event streams, and a client on it: own code, so that no library's leniency
hides what a proxy really sent.

A byte that RFC 9112 does not allow is a `Broken`; how the transport ended is kept apart from what was read.
"""

import asyncio
import re
import socket
import struct
from collections.abc import Callable
from enum import Enum
from typing import Final, NamedTuple, cast

_STATUS: Final = re.compile(rb"HTTP/1\.1 (\d{3}) [\t -~\x80-\xff]*")
_HEADER: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*((?:[!-~\x80-\xff]+[ \t]*)*)")
_SIZE: Final = re.compile(rb"[0-9a-fA-F]{1,8}")
_LINE: Final = re.compile(r"\r\n|\n|\r")
#: A head that is longer is none of a proxy of ours (bytes).
_MAX_HEAD: Final = 64 * 1024


class Broken(ValueError):
    """The bytes are no answer."""


class End(Enum):
    """How the transport of an answer ended. Only `CLEAN` tells a client that it has all of it."""

    CLEAN = "clean"
    CUT = "cut"
    RESET = "reset"
    HANG = "hang"


class Reader:
    """One answer; feed it bytes."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: list[tuple[str, str]] = []
        self.body = bytearray()
        self.done = False
        self._data = bytearray()
        self._left: int | None = None  # bytes of the body, or None: chunks
        self._in_chunk = 0

    def feed(self, data: bytes) -> None:
        """Broken if this is no HTTP; `done` when the answer is whole."""
        self._data += data
        if not self.status and not self._head():
            return
        if self._left is None:
            while not self.done and self._chunk():
                pass
        else:
            part = self._data[: self._left]
            self.body += part
            self._left -= len(part)
            del self._data[: len(part)]
            self.done = not self._left
        if self.done and self._data:
            raise Broken(f"{len(self._data)} bytes after the end of the answer: {bytes(self._data[:40])!r}")

    def _head(self) -> bool:
        end = self._data.find(b"\r\n\r\n")
        if end < 0:
            if len(self._data) > _MAX_HEAD:
                raise Broken("a head without end")
            return False
        first, *lines = bytes(self._data[:end]).split(b"\r\n")
        del self._data[: end + 4]
        status = _STATUS.fullmatch(first)
        if status is None:
            raise Broken(f"status line {first[:80]!r}")
        for line in lines:
            header = _HEADER.fullmatch(line)
            if header is None:
                raise Broken(f"header {line[:80]!r}")
            self.headers.append((header[1].decode().lower(), header[2].decode("latin-1").strip()))
        self.status = int(status[1])
        self._frame()
        return True

    def _frame(self) -> None:
        """RFC 9112, section 6.3; an answer that only a closed connection ends cannot be told from a cut one."""
        lengths = [value for name, value in self.headers if name == "content-length"]
        codings = [value for name, value in self.headers if name == "transfer-encoding"]
        if len(lengths) + len(codings) != 1 or codings not in ([], ["chunked"]):
            raise Broken(f"framed by content-length {lengths}, transfer-encoding {codings}")
        if lengths and not lengths[0].isdecimal():
            raise Broken(f"content-length {lengths[0]!r}")
        self._left = int(lengths[0]) if lengths else None

    def _chunk(self) -> bool:
        end = self._data.find(b"\r\n")
        if end < 0:
            return False
        if _SIZE.fullmatch(self._data, 0, end) is None:
            raise Broken(f"chunk size {bytes(self._data[:20])!r}")
        size = int(self._data[:end], 16)
        if len(self._data) < end + 2 + size + 2:
            return False
        if self._data[end + 2 + size : end + 4 + size] != b"\r\n":
            raise Broken("a chunk does not end where it said")
        self.body += self._data[end + 2 : end + 2 + size]
        del self._data[: end + 4 + size]
        self.done = not size
        return True


class Reply(NamedTuple):
    """What came back. `broken` says why it is no HTTP."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    end: End
    broken: str = ""

    def header(self, name: str) -> str:
        """The first value of a header, or nothing."""
        return next((value for key, value in self.headers if key == name), "")


class Connection(asyncio.Protocol):
    """One connection to what is tried; requests one after the other."""

    def __init__(self) -> None:
        self.usable = False
        self.reader = Reader()
        self._waiting: asyncio.Future[End] | None = None
        self._until: Callable[[Reader], bool] | None = None
        self._broken = ""

    @classmethod
    async def open(cls, port: int) -> "Connection":
        """OSError if nobody takes it."""
        _, connection = await asyncio.get_running_loop().create_connection(cls, "127.0.0.1", port)
        return connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but name
        self.usable = True

    async def ask(self, request: bytes, bound_s: float) -> Reply:
        """Send and read the whole answer."""
        self.send(request)
        end = await self.wait(lambda reader: reader.done, bound_s)
        if end is not End.CLEAN or self._broken or self.reader.headers.count(("connection", "close")):
            self.leave()
        reader = self.reader
        return Reply(reader.status, reader.headers, bytes(reader.body), end, self._broken)

    def send(self, request: bytes) -> None:
        """Only send; `wait` for what is wanted of the answer."""
        self.reader, self._broken = Reader(), ""
        self.transport.write(request)

    async def wait(self, until: Callable[[Reader], bool], bound_s: float) -> End:
        """Until the answer is so far (CLEAN), or its transport has ended otherwise."""
        self._waiting, self._until = asyncio.get_running_loop().create_future(), until
        if not self.usable:
            return End.CUT
        if until(self.reader):
            return End.CLEAN
        timer = asyncio.get_running_loop().call_later(bound_s, self._ended, End.HANG)
        try:
            return await self._waiting
        finally:
            timer.cancel()

    def data_received(self, data: bytes) -> None:
        try:
            self.reader.feed(data)
        except Broken as exc:
            self._broken = str(exc)
            self._ended(End.CUT)
            return
        if self._until is not None and self._until(self.reader):
            self._ended(End.CLEAN)

    def connection_lost(self, exc: Exception | None) -> None:
        self.usable = False
        self._ended(End.RESET if isinstance(exc, ConnectionResetError) else End.CUT)

    def _ended(self, how: End) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(how)

    def leave(self, *, reset: bool = False) -> None:
        """Close: with FIN, or with RST."""
        self.usable = False
        raw = self.transport.get_extra_info("socket")
        if reset and raw is not None:  # the other side may have closed it already
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


class Event(NamedTuple):
    """One dispatched event of a stream; its name is empty without an `event` line."""

    name: str
    data: str


def events(body: bytes) -> list[Event]:
    """As the standard reads them: an unfinished one is dropped (WHATWG HTML, section 9.2.6). Broken if not UTF-8."""
    try:
        text = body.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as exc:
        raise Broken(f"the stream is not UTF-8: {exc}") from None
    found: list[Event] = []
    name, data = "", list[str]()
    for line in _LINE.split(text)[:-1]:
        if not line:
            if data:
                found.append(Event(name, "\n".join(data)))
            name, data = "", []
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            name = value
        elif field == "data":
            data.append(value)
    return found
