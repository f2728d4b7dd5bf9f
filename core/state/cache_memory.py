"""Kept answers in memory: so many bytes of them, each for a while, the least recently used out first."""

import time
from collections import OrderedDict
from collections.abc import Callable

from core.answer_cache import Kept

#: What an entry costs beside its body, in bytes: its name, its usage, and what Python adds.
OVERHEAD = 1024


class MemoryAnswers:
    """At most `room` bytes in this process. `clock` gives seconds."""

    def __init__(self, room: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._room = room
        self._clock = clock
        self._kept: OrderedDict[str, tuple[float, Kept]] = OrderedDict()
        #: Bytes in use.
        self.size = 0

    async def read(self, key: str) -> Kept | None:
        """As `found`."""
        return self.found(key)

    def found(self, key: str) -> Kept | None:
        """The answer, if it is there and not too old."""
        found = self._kept.get(key)
        if found is None:
            return None
        if found[0] <= self._clock():
            self._drop(key)
            return None
        self._kept.move_to_end(key)
        return found[1]

    def write(self, key: str, kept: Kept, ttl_s: float) -> None:
        """Keep the answer for so many seconds; one that is larger than all of the room is not kept."""
        self._drop(key)
        size = _size(kept)
        if size > self._room:
            return
        self._kept[key] = (self._clock() + ttl_s, kept)
        self.size += size
        self.bound(self._room)

    def bound(self, room: int) -> None:
        """At most so many bytes from now on."""
        self._room = room
        while self.size > room:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: str) -> None:
        if (found := self._kept.pop(key, None)) is not None:
            self.size -= _size(found[1])

    def __len__(self) -> int:
        return len(self._kept)


def _size(kept: Kept) -> int:
    return len(kept.body) + OVERHEAD
