"""Clients on raw sockets that ask while the proxy stops or is replaced, and what they make of what they were sent."""

import asyncio
import re
from typing import Any, Final

import msgspec

#: A hang, in seconds.
BOUND_S: Final = 60.0
#: What an exchange was: an answer as it should be; an error, told as the dialect tells it; or a broken promise.
WHOLE, TOLD = "whole", "told"
_LENGTH: Final = re.compile(rb"\r\ncontent-length: (\d+)\r\n")


def request(model: str, text: str, *, stream: bool = False, close: bool = False) -> bytes:
    """A request in Anthropic's dialect."""
    asked: dict[str, Any] = {"model": model, "max_tokens": 64, "messages": [{"role": "user", "content": text}]}
    body = msgspec.json.encode(asked | ({"stream": True} if stream else {}))
    last = "connection: close\r\n" if close else ""
    head = f"POST /v1/messages HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n{last}"
    return head.encode() + b"content-length: %d\r\n\r\n" % len(body) + body


def judge(data: bytes) -> str:
    """WHOLE, TOLD, or what is wrong. `data` is all that came until the connection was closed."""
    head, blank, body = data.partition(b"\r\n\r\n")
    if not blank:
        return "no answer" if not data else "a head that breaks off"
    length = _LENGTH.search(head + b"\r\n")
    if length is not None and len(body) != int(length[1]):
        return f"{len(body)} of {int(length[1])} bytes"
    if length is None:
        return _stream(body)
    if head.startswith(b"HTTP/1.1 200"):
        return WHOLE if b'"stop_reason"' in body else "an answer without an end"
    if (
        head.startswith((b"HTTP/1.1 529", b"HTTP/1.1 503"))
        and b"overloaded_error" in body
        and b"\r\nretry-after: " in head
    ):
        return TOLD
    return f"status {head[9:12].decode()}"


def _stream(body: bytes) -> str:
    stopped, error = b"event: message_stop" in body, b"event: error" in body
    ended = body.endswith(b"\r\n0\r\n\r\n")
    if stopped and ended and not error:
        return WHOLE
    if error and b"overloaded_error" in body and not stopped and not ended:
        return TOLD
    return f"a stream that ends {'cleanly' if ended else 'cut'}, {'with' if stopped else 'without'} its last event"


async def opened(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection, in no more than `BOUND_S`."""
    return await asyncio.wait_for(asyncio.open_connection("127.0.0.1", port), BOUND_S)


async def rest(reader: asyncio.StreamReader, data: bytes = b"") -> str:
    """The verdict on all that comes until the end."""
    try:
        return judge(data + await asyncio.wait_for(reader.read(), BOUND_S))
    except TimeoutError:
        return "no end"
    except ConnectionError:
        return "reset"


async def once(port: int, asked: bytes) -> str:
    """One request on a connection of its own."""
    try:
        reader, writer = await opened(port)
    except ConnectionRefusedError:
        return "refused"
    except OSError as exc:
        return type(exc).__name__
    try:
        writer.write(asked)
        return await rest(reader)
    finally:
        writer.close()


class Kept:
    """A client that keeps its connection, and leaves it when it is told to or when it was closed."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._open: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.connections = 0

    async def ask(self, asked: bytes) -> str:
        """The verdict on one more request."""
        try:
            reader, writer = await self._connection()
            writer.write(asked)
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), BOUND_S)
            length = _LENGTH.search(head)
            body = await asyncio.wait_for(reader.readexactly(int(length[1]) if length else 0), BOUND_S)
        except (asyncio.IncompleteReadError, OSError, TimeoutError) as exc:
            self.leave()
            return type(exc).__name__
        if b"\r\nconnection: close\r\n" in head.lower():
            self.leave()
        return judge(head + body)

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._open is not None and self._open[0].at_eof():
            self.leave()
        if self._open is None:
            self._open = await opened(self._port)
            self.connections += 1
        return self._open

    def leave(self) -> None:
        """Close it."""
        if self._open is not None:
            self._open[1].close()
            self._open = None
