"""Between a provider's answer and the client: headers by allow-list, errors, and streams held until they are real."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, suppress

import msgspec

from core.dialects.base import Dialect
from core.dialects.relay import Frame, make_relay
from core.errors import STATUS_OF_TYPE, UpstreamFailed
from core.exchange import Exchange, ProviderKey
from core.messages import Request
from core.upstream import Reply

#: Opening frames wait this long for content, in seconds; then the status is committed without it.
HOLD_S = 10.0
#: After the terminal marker the transport's own end is awaited so long, in seconds, that its connection can be reused.
LINGER_S = 0.5
#: The largest error body that is read, in bytes.
MAX_ERROR = 64 * 1024
#: A shorter key is a word like "none" for a server that wants no real one; words are not redacted.
SHORTEST_SECRET = 8
#: Media types of a page or a whole answer, where a stream was asked for. Servers label streams in many other ways.
NO_STREAM = ("application/json", "text/html")

_TO_ANTHROPIC = ("anthropic-version", "anthropic-beta")
_BACK = ("retry-after", "retry-after-ms", "request-id", "x-request-id")
_BACK_PREFIXES = ("anthropic-ratelimit-", "x-ratelimit-")


def request_headers(client: Mapping[str, str], dialect: Dialect, *, same: bool) -> dict[str, str]:
    """What of the client's headers goes upstream: never a credential, a cookie or a forwarding header."""
    headers = {"content-type": "application/json", "accept": client.get("accept", "*/*")}
    if same and dialect.name == "anthropic":
        headers |= {name: client[name] for name in _TO_ANTHROPIC if name in client}
    # Clients may send any Latin-1; what goes out is ASCII.
    return {name: value for name, value in headers.items() if value.isascii() and value.isprintable()}


def response_headers(provider: Mapping[str, str], *, same: bool) -> dict[str, str]:
    """What of the provider's headers comes back: request ids, retry-after, and rate limits in the same dialect."""
    return {
        name: value for name, value in provider.items() if name in _BACK or (same and name.startswith(_BACK_PREFIXES))
    }


async def failure(reply: Reply, dialect: Dialect, client: Dialect) -> UpstreamFailed:
    """A provider's error answer. Its message is kept verbatim: clients act on its text."""
    if not 400 <= reply.status < 600:
        why = "redirects are not followed" if 300 <= reply.status < 400 else "200 or an error was expected"
        return UpstreamFailed(502, f"the provider answered {reply.status}; {why}", stage="answered")
    body = b""
    with suppress(UpstreamFailed):  # the status counts, even if its body broke off
        async for chunk in reply.chunks:
            body += chunk
            if len(body) >= MAX_ERROR:
                break
    kind, message = dialect.decode_error(reply.status, body[:MAX_ERROR])
    same = dialect.name == client.name and len(body) < MAX_ERROR
    verbatim = body if same and _is_object(body) else b""
    failed = UpstreamFailed(reply.status, message, stage="answered", type=kind, body=verbatim)
    failed.headers = response_headers(reply.headers, same=same)
    return failed


async def no_stream(reply: Reply, dialect: Dialect) -> UpstreamFailed:
    """What it means that a 200 is a page or a whole answer: often it is an error, with a message of its own."""
    try:
        dialect.decode_response(await reply.body())
    except UpstreamFailed as failed:
        return failed
    return UpstreamFailed(502, "the provider sent a whole answer, but a stream was asked for", stage="answered")


def _is_object(body: bytes) -> bool:
    """Whether clients can read it as an error: whatever its label says, a cut or compressed body is none."""
    try:
        msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True


def redact(failed: UpstreamFailed, keys: Sequence[ProviderKey]) -> None:
    """Take our keys out of what the provider said: some repeat one in the message that refuses it."""
    failed.message = _without(failed.message.encode("utf-8", "replace"), keys).decode()
    failed.body = _without(failed.body, keys)
    for key in keys:
        failed.headers = {name: value for name, value in failed.headers.items() if key.secret not in value}


def _without(data: bytes, keys: Sequence[ProviderKey]) -> bytes:
    # The longest first: a key may begin with another.
    for key in sorted(keys, key=lambda key: -len(key.secret)):
        if len(key.secret) >= SHORTEST_SECRET:
            data = data.replace(key.secret.encode(), b"[redacted]")
    return data


class _NoMoreError(Exception):
    """The transport has ended."""


class StreamRelay:
    """A provider's stream on its way to the client. `prime` first, then iterate.

    Pings and comments keep its transport alive, but are no progress: after `quiet_s` seconds of nothing else it fails.
    """

    def __init__(
        self,
        chunks: AsyncIterator[bytes],
        dialect: Dialect,
        client: Dialect,
        request: Request,
        *,
        quiet_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.relay = make_relay(dialect, client, request)
        self._chunks = chunks
        self._quiet_s = quiet_s
        self._clock = clock
        self._progress = clock()
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
            return self._feed(task.result())
        except _NoMoreError:
            self._ended = True
            return self.relay.end()
        except asyncio.CancelledError:
            task.cancel()
            raise

    def _feed(self, chunk: bytes) -> list[Frame]:
        """Frames of a chunk; UpstreamFailed if there has been no progress for too long."""
        frames = self.relay.feed(chunk)
        now = self._clock()
        if any(frame.kind != "ping" for frame in frames):
            self._progress = now
        elif now - self._progress > self._quiet_s:
            what = f"for {self._quiet_s:.0f} s the provider sent nothing but signs of life"
            raise UpstreamFailed(504, what, stage="cut")
        return frames

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
            if not self.relay.over:
                async for chunk in self._chunks:
                    yield self._feed(chunk)
                    if self.relay.over:
                        break
            yield self.relay.end()
            await self._linger()
        finally:
            if self._next is not None:
                self._next.cancel()

    async def _linger(self) -> None:
        """Wait a little for the transport's end; some servers keep the connection open after the last event."""
        with suppress(TimeoutError, UpstreamFailed):
            async with asyncio.timeout(LINGER_S):
                async for _ in self._chunks:
                    pass


def _before_content(error: Frame) -> UpstreamFailed:
    type = _known(error.error_type)
    status = 502 if type == "api_error" else STATUS_OF_TYPE[type]
    return UpstreamFailed(status, error.error_message, stage="answered", type=type)


def _known(error_type: str) -> str:
    """The type if it is one of the protocol's: any other is the provider's free text, and goes into no log."""
    return error_type if error_type in STATUS_OF_TYPE else "api_error"


async def pieces(
    stream: StreamRelay, exchange: Exchange, stack: AsyncExitStack, keys: Sequence[ProviderKey]
) -> AsyncGenerator[bytes, None]:
    """The client's bytes. After an error piece nothing more comes; `exchange.error` then tells the edge to cut.

    `keys` are the provider's, which an error must not repeat.
    """
    async with stack, aclosing(stream.frames()) as all_frames:
        try:
            async for frames in all_frames:
                error = next((frame for frame in frames if frame.kind == "error"), None)
                data = b"".join(frame.data for frame in frames)
                if data:
                    yield _without(data, keys) if error else data
                if error:
                    exchange.error = f"{_known(error.error_type)}: after the first byte"
                    return
        except UpstreamFailed as failed:
            exchange.error = f"{failed.stage}: after the first byte"
            yield stream.relay.fail(failed.type, failed.message)
        finally:
            exchange.usage = stream.relay.usage
