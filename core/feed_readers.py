"""Who watches the feed, each with a bounded queue: one that is slow loses requests and is told how many. Pure but for
the wake-up: `Reader.wake` is called when there is something to take.
"""

from collections import deque
from collections.abc import Callable
from typing import Any, Final

import msgspec

from core.errors import RateLimited
from core.feed import Entry, Feed
from core.redaction import Redactor

MOST: Final = 32
#: Events that may wait for one reader.
ROOM: Final = 512


def event(name: str, data: bytes) -> bytes:
    """One server-sent event; `data` is JSON, which has no bare line feed."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), data)


class Reader:
    """What waits for one of them."""

    def __init__(self, wake: Callable[[], None], room: int = ROOM) -> None:
        self.wake = wake
        self._room = room
        self._queue: deque[bytes] = deque()
        self._lost = 0

    def put(self, what: bytes) -> None:
        """Queue an event, or lose it."""
        if len(self._queue) >= self._room:
            self._lost += 1
        else:
            self._queue.append(what)
        self.wake()

    def take(self) -> bytes:
        """All that waits, together; what was lost came behind it."""
        taken = b"".join(self._queue)
        self._queue.clear()
        if self._lost:
            taken += event("lost", msgspec.json.encode({"count": self._lost}))
            self._lost = 0
        return taken


class Readers:
    """Without any, the feed tells nobody anything."""

    def __init__(self, feed: Feed, known: Callable[[], Redactor]) -> None:
        self._feed, self._known = feed, known
        self._all: set[Reader] = set()

    def __len__(self) -> int:
        return len(self._all)

    def join(self, wake: Callable[[], None]) -> Reader:
        """One more; RateLimited if there are too many."""
        if len(self._all) >= MOST:
            raise RateLimited(f"{MOST} pages are watching already: close one")
        reader = Reader(wake)
        if not self._all:
            self._feed.listeners.append(self._tell)
        self._all.add(reader)
        return reader

    def leave(self, reader: Reader) -> None:
        """It watches no more."""
        self._all.discard(reader)
        if not self._all:
            self._feed.listeners.remove(self._tell)

    def _tell(self, entry: Entry) -> None:
        self.say("request", entry.summary)

    def say(self, name: str, value: Any) -> None:
        """To all of them; encoded once."""
        if self._all:
            what = event(name, self._known().cleaned(msgspec.json.encode(value)))
            for reader in self._all:
                reader.put(what)
