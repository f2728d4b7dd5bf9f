"""How long a provider is waited for, measured on what it says rather than on its bytes.

Pings, comments, blank lines, empty deltas and the drip of an event that never ends are bytes without content: a timer
on bytes never runs out on them. Here only time spent waiting for the provider counts, and only content starts the clock
anew, so a client that reads slowly is not held against its provider.
"""

import asyncio
from collections.abc import AsyncIterator

from core.errors import UpstreamFailed
from core.schema import UpstreamSettings

#: After the provider's word that the answer is whole, the end of its stream is awaited so long, in seconds. It may
#: still send usage; a server that leaves out `[DONE]` and does not hang up must not turn a whole answer into an error.
ENDING_S = 10.0


class Patience:
    """The clocks of one answer. One timer, which is put off when it rings rather than at each chunk.

    `asked` is when the request was sent and `deadline` when the answer must be whole, both in the event loop's time.
    """

    def __init__(self, clocks: UpstreamSettings, *, asked: float, deadline: float = float("inf")) -> None:
        self._loop = asyncio.get_running_loop()
        self._clocks = clocks
        self._deadline = deadline
        self._setting, self._limit = "first_content_s", clocks.first_content_s
        self._waited = self._loop.time() - asked
        self._since = 0.0
        self._reader: asyncio.Task[object] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._late = False

    async def next(self, chunks: AsyncIterator[bytes]) -> bytes | None:
        """The next chunk, None at the end. UpstreamFailed (`stalled`) when the clock that is running runs out."""
        reader = self._reader = asyncio.current_task()
        self._since = self._loop.time()
        if self._timer is None:
            self._arm()
        try:
            return await anext(chunks, None)
        except asyncio.CancelledError:
            if self._late and reader is not None and reader.uncancel() == 0:
                raise self._ran_out() from None
            raise
        finally:
            self._reader = None
            self._waited += self._loop.time() - self._since

    def content(self) -> float:
        """Content came: after so many seconds that were spent waiting for the provider."""
        waited, self._waited = self._waited, 0.0
        if self._setting != "between_content_s":
            self._allow(self._clocks.between_content_s)
        return waited

    def whole(self) -> None:
        """The provider said that the answer is whole; only the end of its stream is still to come."""
        self._waited = 0.0
        self._allow(min(ENDING_S, self._clocks.between_content_s))

    def close(self) -> None:
        """Nothing is awaited any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _allow(self, seconds: float) -> None:
        self._setting, self._limit = "between_content_s", seconds
        self.close()  # it may ring earlier now: the next wait arms it

    def _due(self) -> float:
        return min(self._deadline, self._since + self._limit - self._waited)

    def _arm(self) -> None:
        self._timer = self._loop.call_at(self._due(), self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._reader is None:
            return  # nobody waits; the next wait arms it
        if self._loop.time() < self._due():
            self._arm()
        else:
            self._late = True
            self._reader.cancel()

    def _ran_out(self) -> UpstreamFailed:
        if self._loop.time() >= self._deadline:
            what = f"the provider's answer was not whole within {self._clocks.total_s:g} s (upstream.total_s)"
        else:
            what = f"the provider sent no content for {self._limit:g} s (upstream.{self._setting})"
        return UpstreamFailed(504, what, stage="stalled")
