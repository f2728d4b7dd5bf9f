"""Between a provider's answer and the client: headers by allow-list, errors, and streams held until they are real."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AsyncExitStack

from core.dialects.base import Dialect
from core.dialects.relay import Frame, make_relay
from core.errors import STATUS_OF_TYPE, UpstreamFailed
from core.exchange import Exchange
from core.messages import Request
from core.upstream import Reply

#: Opening frames wait this long for content, in seconds; then the status is committed without it.
HOLD_S = 10.0
#: The largest error body that is read, in bytes.
MAX_ERROR = 64 * 1024

_TO_ANTHROPIC = ("anthropic-version", "anthropic-beta")
_BACK = ("retry-after", "retry-after-ms", "request-id", "x-request-id")
_BACK_PREFIXES = ("anthropic-ratelimit-", "x-ratelimit-")


def request_headers(client: Mapping[str, str], dialect: Dialect, *, same: bool) -> dict[str, str]:
    """What of the client's headers goes upstream: never a credential, a cookie or a forwarding header."""
    headers = {"content-type": "application/json", "accept": client.get("accept", "*/*")}
    if same and dialect.name == "anthropic":
        headers |= {name: client[name] for name in _TO_ANTHROPIC if name in client}
    return headers


def response_headers(provider: Mapping[str, str], *, same: bool) -> dict[str, str]:
    """What of the provider's headers comes back: request ids, retry-after, and rate limits in the same dialect."""
    return {
        name: value for name, value in provider.items() if name in _BACK or (same and name.startswith(_BACK_PREFIXES))
    }


async def failure(reply: Reply, dialect: Dialect, client: Dialect) -> UpstreamFailed:
    """A provider's error answer. Its message is kept verbatim: clients act on its text."""
    body = b""
    async for chunk in reply.chunks:
        body += chunk
        if len(body) >= MAX_ERROR:
            break
    if reply.status < 400:
        return UpstreamFailed(
            502, f"the provider answered {reply.status}; redirects are not followed", stage="answered"
        )
    kind, message = dialect.decode_error(reply.status, body[:MAX_ERROR])
    same = dialect.name == client.name and len(body) < MAX_ERROR
    verbatim = body if same and reply.headers.get("content-type", "").startswith("application/json") else b""
    failed = UpstreamFailed(reply.status, message, stage="answered", type=kind, body=verbatim)
    failed.headers = response_headers(reply.headers, same=same)
    return failed


class _NoMoreError(Exception):
    """The transport has ended."""


class StreamRelay:
    """A provider's stream on its way to the client. `prime` first, then iterate."""

    def __init__(self, chunks: AsyncIterator[bytes], dialect: Dialect, client: Dialect, request: Request) -> None:
        self.relay = make_relay(dialect, client, request)
        self._chunks = chunks
        self._held: list[Frame] = []
        self._next: asyncio.Task[bytes] | None = None
        self._ended = False

    async def prime(self) -> None:
        """Hold opening frames until real content, the end, or `HOLD_S`: until then a fallback stays possible.

        UpstreamFailed if the stream fails before any content.
        """
        deadline: float | None = None
        loop = asyncio.get_running_loop()
        while not self._ended:
            wait = None if deadline is None else max(0.0, deadline - loop.time())
            frames = await self._advance(wait)
            if frames is None:  # held long enough
                return
            self._held += frames
            if error := next((frame for frame in frames if frame.kind == "error"), None):
                raise _before_content(error)
            if any(frame.kind in {"content", "terminal"} for frame in frames):
                return
            if self._held and deadline is None:
                deadline = loop.time() + HOLD_S

    async def _advance(self, wait: float | None) -> list[Frame] | None:
        """Frames of the next chunk or of the end; None if nothing came within `wait` seconds."""
        task = self._next = self._next or asyncio.ensure_future(self._chunk())
        try:
            done, _ = await asyncio.wait([task], timeout=wait)
            if not done:
                return None
            self._next = None
            return self.relay.feed(task.result())
        except _NoMoreError:
            self._ended = True
            return self.relay.end()
        except asyncio.CancelledError:
            task.cancel()
            raise

    async def _chunk(self) -> bytes:
        """The next chunk; a task cannot raise StopAsyncIteration."""
        async for chunk in self._chunks:
            return chunk
        raise _NoMoreError

    async def frames(self) -> AsyncGenerator[list[Frame], None]:
        """All frames, the held ones first."""
        try:
            yield self._held
            if self._next is not None:
                yield await self._advance(None) or []
            if self._ended:
                return
            async for chunk in self._chunks:
                yield self.relay.feed(chunk)
            yield self.relay.end()
        finally:
            if self._next is not None:
                self._next.cancel()


def _before_content(error: Frame) -> UpstreamFailed:
    status = STATUS_OF_TYPE.get(error.error_type, 502)
    return UpstreamFailed(status, error.error_message, stage="answered", type=error.error_type)


async def pieces(stream: StreamRelay, exchange: Exchange, stack: AsyncExitStack) -> AsyncGenerator[bytes, None]:
    """The client's bytes. After an error piece nothing more comes; `exchange.error` then tells the edge to cut."""
    async with stack:
        try:
            async for frames in stream.frames():
                data = b"".join(frame.data for frame in frames)
                if data:
                    yield data
                if error := next((frame for frame in frames if frame.kind == "error"), None):
                    exchange.error = f"{error.error_type}: after the first byte"
                    return
        except UpstreamFailed as failed:
            exchange.error = f"{failed.stage}: after the first byte"
            yield stream.relay.fail(failed.type, failed.message)
        finally:
            exchange.usage = stream.relay.usage
