"""The whole proxy in the test's own loop, so that what it leaves behind can be counted:

async with inside(folder, provider_url) as proxy, proxy.asks(stream=True) as client: …
"""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from asgi import served, until
from configs import write_config

from core import settings
from core.app import Proxy
from core.logs import LogWriter
from core.upstream import Counts

PATHS = {"anthropic": "/v1/messages", "openai": "/v1/chat/completions"}
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
#: A whole answer of an Anthropic provider, and the head before it.
BODY = (
    b'{"id":"m","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"hi"}],'
    b'"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":7,"output_tokens":1}}'
)
PLAIN = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY)
#: The beginning of an Anthropic stream, event by event.
START = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"m","model":"m","usage":{"input_tokens":7}}}'
    b"\n\n"
)
OPEN = (
    b'event: content_block_start\ndata: {"type":"content_block_start","index":0,'
    b'"content_block":{"type":"text","text":""}}\n\n'
)
SAY = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
    b'"delta":{"type":"text_delta","text":"hi"}}\n\n'
)
Script = Callable[[asyncio.StreamWriter], Awaitable[None]]


def chunk(data: bytes) -> bytes:
    """One HTTP chunk; an empty one ends the body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


class Log:
    """What a `LogWriter` writes to."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._text = b""

    def write(self, data: memoryview, /) -> int:
        with self._lock:
            self._text += data
        return len(data)

    def lines(self, event: str = "request") -> list[dict[str, Any]]:
        with self._lock:
            records = [msgspec.json.decode(line) for line in self._text.splitlines()]
        return [record for record in records if record["event"] == event]


class Inside:
    """A running proxy."""

    def __init__(self, proxy: Proxy, port: int, log: Log) -> None:
        self.proxy, self.port, self.log = proxy, port, log

    @property
    def counts(self) -> Counts:
        return self.proxy.upstream.counts()

    def held(self) -> tuple[int, int, int, int, int]:
        """Tasks, descriptors, connections of clients, requests under way, and slots that requests hold."""
        descriptors = len(list(Path("/proc/self/fd").iterdir())) - self.counts.idle
        clients = len(self.proxy.connections.open)
        held = self.counts.acquired + self.counts.waiting
        return len(asyncio.all_tasks()), descriptors, clients, self.proxy.admission.in_flight, held

    @asynccontextmanager
    async def asks(
        self, dialect: str = "anthropic", *, stream: bool = True, times: int = 1
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """A client with a small receive buffer, which has sent its request, so many times in one write."""
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.setblocking(False)
        await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", self.port))
        reader, writer = await asyncio.open_connection(sock=raw, limit=4096)
        writer.write(request(dialect, stream=stream) * times)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()

    async def logged(self, count: int = 1) -> dict[str, Any]:
        """The last request's line, when there are so many."""
        await until(lambda: len(self.log.lines()) >= count)
        assert len(self.log.lines()) == count
        return self.log.lines()[-1]


def request(dialect: str, *, stream: bool) -> bytes:
    """A request as bytes."""
    messages = [{"role": "user", "content": "hello"}]
    body = msgspec.json.encode({"model": "one,main", "max_tokens": 9, "stream": stream, "messages": messages})
    head = f"POST {PATHS[dialect]} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


@asynccontextmanager
async def inside(folder: Path, url: str, more: str = "", *, attempts: int = 2) -> AsyncIterator[Inside]:
    """A proxy whose only provider is at `url`; `more` is more configuration."""
    path = write_config(folder, url)
    text = path.read_text().replace('fallback = ["two,spare"]\n', "")
    more += '\n[records]\nstore = "none"\n'  # or the first request opens a database, which then stays open
    path.write_text(text.replace("[resilience]", f"[resilience]\nattempts = {attempts}") + more)
    env = {"HOME": str(folder), "ONE_KEY": "sk-canary", "TERRAPHIM_DISCOVERY": "off"}
    log = Log()
    writer = LogWriter(log)
    proxy = Proxy(lambda: settings.load(path, env), env, writer)
    try:
        async with served(proxy.asgi, proxy.connections) as port:
            _, idle = await asyncio.open_connection("127.0.0.1", port)  # a loop keeps what its first one opens
            await until(lambda: bool(proxy.connections.open))
            idle.close()
            await until(lambda: not proxy.connections.open)
            yield Inside(proxy, port, log)
    finally:
        await proxy.upstream.close()
        await proxy.host.close()
        await proxy.keeping.close()
        writer.close()


class Provider:
    """Reads requests and plays `script` for each; `left` counts connections that the other side ended early."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.requests = self.left = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
                await reader.readexactly(int(length))
                self.requests += 1
                playing = asyncio.ensure_future(self._play(writer))
                ended = asyncio.ensure_future(reader.read(1))
                await asyncio.wait({playing, ended}, return_when=asyncio.FIRST_COMPLETED)
                self.left += not playing.done()
                playing.cancel()
                if ended.done():
                    ended.exception()  # a reset is no surprise
                    return
                ended.cancel()
                await asyncio.wait({ended})
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()

    async def _play(self, writer: asyncio.StreamWriter) -> None:
        try:
            await self.script(writer)
        except OSError:  # the reader has seen it too
            await asyncio.sleep(600)


@asynccontextmanager
async def provider(script: Script) -> AsyncIterator[tuple[str, Provider]]:
    """Its URL and itself."""
    made = Provider(script)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", made
    finally:
        server.close()


def says(*parts: bytes, then: Callable[[asyncio.StreamWriter], None] | None = None, every_s: float = 0.0) -> Script:
    """Send these parts, then do `then`; without it, nothing more is said."""

    async def script(writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(every_s)
        if then is None:
            await asyncio.sleep(600)
        else:
            await asyncio.sleep(0.02)  # so that what was sent is read before a reset throws it away
            then(writer)

    return script
