"""A provider's stream on its way to the client: held until it is real, bounded by its content, ended as it ended."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, suppress

from msgspec.structs import replace

from core.dialects.base import Dialect, Origin
from core.dialects.relay import Frame, make_relay
from core.errors import STATUS_OF_TYPE, UpstreamFailed, public_error
from core.exchange import Exchange, ProviderKey
from core.gaps import Gaps
from core.messages import Request
from core.patience import Patience
from core.relaying import without_keys

#: Opening frames wait this long for content, in seconds, and up to so many bytes of them are held; then the status is
#: committed without it.
HOLD_S = 10.0
HOLD_BYTES = 256 * 1024
#: After the terminal marker the transport's own end is awaited so long, in seconds, that its connection can be reused.
LINGER_S = 0.5


class _NoMoreError(Exception):
    """The transport has ended."""


class StreamRelay:
    """One stream. `prime` first, then iterate `frames`. `patience` says how long the provider is waited for."""

    def __init__(
        self, chunks: AsyncIterator[bytes], origin: Origin, client: Dialect, request: Request, patience: Patience
    ) -> None:
        self.relay = make_relay(origin, client, request)
        self._chunks = chunks
        self._patience = patience
        self._held: list[Frame] = []
        self._next: asyncio.Task[bytes] | None = None
        self._ended = False
        self._whole = False
        #: Pieces of content so far.
        self.contents = 0
        self.gaps = Gaps()

    async def prime(self) -> None:
        """Hold opening frames until real content, the end, or `HOLD_S`: until then a fallback stays possible.

        UpstreamFailed if the stream fails before any content.
        """
        deadline: float | None = None
        loop = asyncio.get_running_loop()
        held = 0
        while not self._ended and held <= HOLD_BYTES:
            wait = None if deadline is None else max(0.0, deadline - loop.time())
            frames = await self._advance(wait)
            if frames is None:  # held long enough
                return
            if error := next((frame for frame in frames if frame.kind == "error"), None):
                raise _before_content(error)
            # Signs of life are not kept: there may be no end of them, and the client gets ours.
            kept = [frame for frame in frames if frame.kind != "ping"]
            self._held += kept
            held += sum(len(frame.data) for frame in kept)
            if any(frame.kind in {"content", "terminal"} for frame in frames):
                return
            if frames and deadline is None:
                deadline = loop.time() + HOLD_S

    async def _advance(self, wait: float | None) -> list[Frame] | None:
        """Frames of the next chunk or of the end; None if nothing came within `wait` seconds, and then the chunk that
        is still awaited is the next.
        """
        if wait is None and self._next is None:
            return await self._following()
        task = self._next = self._next or asyncio.ensure_future(self._chunk())
        try:
            done, _ = await asyncio.wait([task], timeout=wait)
            if not done:
                return None
            self._next = None
            return self._feed(task.result())
        except _NoMoreError:
            return self._end()
        except asyncio.CancelledError:
            task.cancel()
            raise

    async def _following(self) -> list[Frame]:
        try:
            return self._feed(await self._chunk())
        except _NoMoreError:
            return self._end()

    async def _chunk(self) -> bytes:
        """The next chunk; UpstreamFailed if it is late."""
        try:
            chunk = await self._patience.next(self._chunks)
        except UpstreamFailed as failed:
            if failed.stage != "stalled" or not self.relay.complete:
                raise
            chunk = None  # the provider had said all, and only forgot to hang up
        if chunk is None:
            raise _NoMoreError
        return chunk

    def _feed(self, chunk: bytes) -> list[Frame]:
        frames = self.relay.feed(chunk)
        before = self.contents
        for frame in frames:
            if frame.kind == "content":
                self.contents += 1
        if self.contents > before:
            self.gaps.content(self._patience.content())
        if self.relay.complete and not self._whole:
            self._whole = True
            self._patience.whole()
        return frames

    def _end(self) -> list[Frame]:
        self._ended = True
        return self.relay.end()

    async def frames(self) -> AsyncGenerator[list[Frame], None]:
        """All frames, the held ones first."""
        try:
            yield self._held
            self._held = []
            if self._next is not None:
                yield await self._advance(None) or []
            while not (self._ended or self.relay.over):
                yield await self._following()
            if not self._ended:
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
    return UpstreamFailed(_status(type), error.error_message, stage="answered", type=type)


def _known(error_type: str) -> str:
    """The type if it is one of the protocol's: any other is the provider's free text, and goes into no log."""
    return error_type if error_type in STATUS_OF_TYPE else "api_error"


def _status(type: str) -> int:
    return 502 if type == "api_error" else STATUS_OF_TYPE[type]


async def pieces(stream: StreamRelay, exchange: Exchange, keys: Sequence[ProviderKey]) -> AsyncGenerator[bytes, None]:
    """The client's bytes. After an error piece nothing more comes; `exchange.error` then tells the edge to cut.

    `keys` are the provider's, which an error must not repeat.
    """
    try:
        async with aclosing(stream.frames()) as all_frames:
            async for frames in all_frames:
                error = next((frame for frame in frames if frame.kind == "error"), None)
                if error:
                    type = _known(error.error_type)
                    _broke_off(exchange, type, str(_status(type)))
                exchange.contents = stream.contents
                if data := b"".join(frame.data for frame in frames):
                    yield without_keys(data, keys) if error else data
                if error:
                    return
                exchange.whole = stream.relay.over and stream.relay.complete
    except UpstreamFailed as failed:
        _broke_off(exchange, failed.stage, failed.stage)
        yield without_keys(stream.relay.fail(failed.type, failed.message), keys)
    except Exception as exc:
        _, type, message = public_error(exc)
        yield stream.relay.fail(type, message)
        raise
    finally:
        exchange.usage, exchange.stop_reason = stream.relay.usage, stream.relay.stop_reason
        exchange.contents, exchange.gaps = stream.contents, stream.gaps


def _broke_off(exchange: Exchange, error: str, outcome: str) -> None:
    """The attempt that had begun so well came to this."""
    exchange.whole = False
    exchange.error = f"{error}: after the first byte"
    if exchange.attempts:
        exchange.attempts[-1] = replace(exchange.attempts[-1], outcome=outcome)
