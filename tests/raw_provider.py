"""Providers that are a raw socket and a script: what they send is what a test says, to the byte."""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from core.schema import ProviderSettings

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
BODY = b"{}"
Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def says(*parts: bytes, then: Callable[[asyncio.StreamWriter], None] | None = None) -> Script:
    """Sends these parts, then does `then`; without it the connection stays open until the other side ends it."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()
        if then is None:
            await reader.read()
        else:
            await asyncio.sleep(0.02)  # so that what was sent is read before a reset throws it away
            then(writer)

    return script


def fin(writer: asyncio.StreamWriter) -> None:
    writer.close()


def rst(writer: asyncio.StreamWriter) -> None:
    """Close so that the other side sees a reset."""
    raw: socket.socket = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class Seen:
    """What a provider has seen."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self.names: list[str | None] = []
        self.ended = asyncio.Event()


@asynccontextmanager
async def provider(
    script: Script, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[tuple[ProviderSettings, Seen]]:
    """A provider that reads a request with the body `BODY`, plays the script, and reads the next.

    `seen.ended` is set when the other side has ended a connection.
    """
    seen = Seen()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.connections += 1
        try:
            while not writer.is_closing():
                seen.requests.append(await reader.readuntil(b"\r\n\r\n"))
                await reader.readexactly(len(BODY))
                await script(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            seen.ended.set()
            writer.transport.abort()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    if tls is not None:
        tls.sni_callback = lambda _, name, __: seen.names.append(name)
    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    try:
        port = server.sockets[0].getsockname()[1]
        url = f"{'https' if tls else 'http'}://{host}:{port}"
        yield ProviderSettings(dialect="anthropic", base_url=url, allow_private=True), seen
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def full_backlog() -> AsyncIterator[str]:
    """Where nobody takes a connection: a request comes to a stand while it connects."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, socket.socket() as one, socket.socket() as two:
        for taken in (one, two):
            taken.setblocking(False)
            taken.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
