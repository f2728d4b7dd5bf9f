"""As much of HTTP/1.1 as a fake provider needs, over asyncio's streams."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import msgspec


@dataclass
class Recorded:
    """A request as it arrived. Header names are lower-case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    #: The client closed the connection before the answer was complete.
    left_early: bool = False
    answered: bool = False

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


class Broken(Exception):
    """The answer breaks off here, without an end of any kind."""


async def read_request(reader: asyncio.StreamReader, first: bytes) -> Recorded | None:
    """The next request of a connection whose first byte may have been read already; None at its end."""
    first = first or await reader.read(1)
    if not first:
        return None
    request_line, *lines = (first + await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, path, _ = request_line.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    if headers.get("transfer-encoding") == "chunked":
        body = b"".join([part async for part in chunks(reader)])
    else:
        body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Recorded(method, path, headers, body)


async def chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """The parts of a chunked body."""
    while size := int(await reader.readline(), 16):
        yield await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readline()


def head(status: int, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Scripted", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


async def send_json(
    writer: asyncio.StreamWriter,
    status: int,
    value: dict[str, Any],
    headers: dict[str, str] | None = None,
    *,
    head_only: bool = False,
    cut: bool = False,
) -> None:
    """A whole answer; with `cut` only half of it, then Broken."""
    body = msgspec.json.encode(value)
    framing = {"content-type": "application/json", "content-length": str(len(body))}
    writer.write(head(status, framing | (headers or {})))
    if not head_only:
        writer.write(body[: len(body) // 2] if cut else body)
    await writer.drain()
    if cut:
        raise Broken
