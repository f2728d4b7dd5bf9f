"""What is written to a store after the answer: by tasks of its own, so that no request waits for it.

    background.soon(lambda: redis.command("SET", key, value, "EX", 3600))

Room is bounded: what does not fit, or finds the store down, is dropped and counted, and the request never knows. Two
writes may overtake each other.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from core.state.redis import StoreDown

#: So many writes may wait, and so many are under way at once.
ROOM: Final = 4096
AT_ONCE: Final = 8
#: At the end, what waits is written for so many seconds.
CLOSE_S: Final = 2.0

Write = Callable[[], Awaitable[object]]


class Background:
    """The writes of one process. `dropped` counts those that never reached their store."""

    def __init__(self, *, room: int = ROOM, at_once: int = AT_ONCE) -> None:
        self._room, self._at_once = room, at_once
        self._waiting: deque[Write] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self.dropped = 0

    def soon(self, write: Write) -> bool:
        """Do this when there is time; whether there is room for it. Needs a running event loop."""
        if len(self._waiting) >= self._room:
            self.dropped += 1
            return False
        self._waiting.append(write)
        if len(self._tasks) < self._at_once:
            task = asyncio.create_task(self._work())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return True

    async def close(self, within_s: float = CLOSE_S) -> None:
        """Write what waits; what is left after so many seconds is dropped."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=within_s)
        self.dropped += len(self._waiting)
        self._waiting.clear()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _work(self) -> None:
        while self._waiting:
            write = self._waiting.popleft()
            try:
                await write()
            except StoreDown:
                self.dropped += 1
            except asyncio.CancelledError:
                self.dropped += 1
                raise
            except Exception as exc:  # noqa: BLE001  # a feature's bug is told, and keeps no other's write
                self.dropped += 1
                loop = asyncio.get_running_loop()
                loop.call_exception_handler({"message": "a write in the background failed", "exception": exc})
