"""An answer on its way: fed by its connection, read by one reader, piece by piece as it comes.

No task and no queue stand between the two. Who reads waits on one future; pieces that come while nobody waits are kept,
and beyond `HIGH_WATER` bytes of them the connection stops reading until they are taken.
"""

import asyncio
from typing import Final, Protocol

from core.errors import UpstreamFailed
from core.upstream import failures
from core.upstream.reading import NotHttpError, Reader

#: Bytes that may wait for their reader.
HIGH_WATER: Final = 64 * 1024
NEVER: Final = float("inf")


class Source(Protocol):
    """The connection, as far as its answer needs it."""

    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def watch(self, due: float) -> None:
        """See to it that `Incoming.late` is asked when `due` has come (event loop's time)."""


class Incoming:
    """One answer. `silence_s`: how long its provider may be silent in the middle of it; `deadline`: when it must be
    whole, in the event loop's time. An async iterator over pieces of payload; UpstreamFailed if it breaks off.
    """

    def __init__(self, source: Source, loop: asyncio.AbstractEventLoop, silence_s: float, deadline: float) -> None:
        self.reader = Reader()
        #: When whoever waits has waited too long.
        self.due = NEVER
        self._source = source
        self._loop = loop
        self._silence_s = silence_s
        self._deadline = deadline
        self._pieces: list[bytes] = []
        self._held = 0
        self._paused = False
        self._failed: UpstreamFailed | None = None
        self._waiter: asyncio.Future[None] | None = None

    # The reader's side

    async def head(self, due: float) -> None:
        """Until status and headers are here. UpstreamFailed, also if that takes until `due`."""
        while not self.reader.status:
            if self._failed is not None:
                raise self._failed
            await self._wait(due)

    def __aiter__(self) -> "Incoming":
        return self

    async def __anext__(self) -> bytes:
        while not self._pieces:
            if self._failed is not None:
                raise self._failed
            if self.reader.whole:
                raise StopAsyncIteration
            await self._wait(min(self._loop.time() + self._silence_s, self._deadline))
        if self._loop.time() > self._deadline:
            raise failures.too_long()
        return self._take()

    def _take(self) -> bytes:
        """All that is here."""
        pieces = self._pieces
        piece = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self._held = 0
        self.let_go()
        return piece

    async def _wait(self, due: float) -> None:
        self.due = due
        self._source.watch(due)
        waiter = self._waiter = self._loop.create_future()
        try:
            await waiter
        finally:
            self.due, self._waiter = NEVER, None

    # The connection's side

    @property
    def over(self) -> bool:
        """Whether nothing more is expected."""
        return self.reader.whole or self._failed is not None

    def feed(self, data: bytes) -> None:
        """Bytes from the provider. NotHttpError if they are no answer."""
        reader = self.reader
        begun = reader.status
        try:
            piece = reader.feed(data)
        except NotHttpError as exc:
            self._keep(exc.payload)
            raise
        self._keep(piece)
        if piece or reader.whole or not begun:
            self._wake()

    def _keep(self, piece: bytes) -> None:
        """Until it is read."""
        if piece:
            self._pieces.append(piece)
            self._held += len(piece)
        if self._held > HIGH_WATER and not (self._paused or self.reader.whole):
            self._paused = True
            self._source.pause()

    def let_go(self) -> None:
        """What was paused for it goes on."""
        if self._paused:
            self._paused = False
            self._source.resume()

    def fail(self, failure: UpstreamFailed) -> None:
        """It breaks off here. What has come is still read."""
        if not self.over:
            self._failed = failure
            self._wake()

    def end(self) -> None:
        """The connection has ended without an error."""
        if self.reader.end():
            self._wake()
        else:
            self.fail(failures.broken_off(self.reader, reset=False))

    def late(self, now: float) -> UpstreamFailed:
        """What it means that `due` has come."""
        if not self.reader.status:
            return failures.no_answer()
        return failures.too_long() if now >= self._deadline else failures.silent()

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
