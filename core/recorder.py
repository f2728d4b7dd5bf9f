"""One thread that writes what requests leave behind, together, in the order in which they end.

Whoever puts an item never waits. What a write returned for is there after any death of the process; what waits for one
(usually for 50 ms) is lost with it. While nothing can be written, proxying goes on: items wait for it, and what finds
no room is lost, counted and said.
"""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final, Generic, Protocol, TypeVar

from core.state.sqlite import Unusable

#: Items that may wait, and items of one commit.
ROOM: Final = 10_000
BATCH: Final = 256
#: Items that come within so many seconds are committed together; after a failure the next try is so much later.
PAUSE_S: Final = 0.05
RETRY_S: Final = 1.0
#: Seconds without an item after which the store may tidy up.
IDLE_S: Final = 600.0

Item = TypeVar("Item")
Item_contra = TypeVar("Item_contra", contravariant=True)


#: Takes a log line and its level.
Say = Callable[[dict[str, object], str], None]
#: Takes what became of how many items: written or lost.
Counted = Callable[[str, int], None]


class Store(Protocol[Item_contra]):
    """Where items go: a file or a folder. Its methods are called in the recorder's thread only."""

    path: Path

    def write(self, items: Sequence[Item_contra]) -> None:
        """Commit them all; Unusable says why not, and then they come again."""

    def tidy(self) -> None:
        """Nothing has come for a while; Unusable says what went wrong."""

    def close(self) -> None:
        """Leave; what was not committed is undone."""


class Recorder(Generic[Item]):
    """One store and its thread. `counted` is told of items written and lost, `say` of each change between failing and
    writing, `committed` which items have been: each in the recorder's thread (items without room: in the caller's).
    """

    def __init__(
        self,
        store: Store[Item],
        *,
        say: Say,
        counted: Counted,
        committed: Callable[[Sequence[Item]], None] = lambda _: None,
        room: int = ROOM,
        retry_s: float = RETRY_S,
        idle_s: float = IDLE_S,
    ) -> None:
        self.path = store.path
        #: Why nothing can be written now; empty if it can.
        self.problem = ""
        self._store = store
        self._say, self._counted, self._committed = say, counted, committed
        self._room, self._retry_s, self._idle_s = room, retry_s, idle_s
        self._lost = 0
        self._queue: SimpleQueue[Item | None] = SimpleQueue()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="records", daemon=True)
        self._thread.start()

    def put(self, item: Item) -> bool:
        """Queue an item; one that finds no room is lost."""
        if self._queue.qsize() >= self._room:
            self.lose(1)
            return False
        self._queue.put(item)
        return True

    def lose(self, count: int) -> None:
        """So many items will never be written."""
        self._lost += count
        self._counted("lost", count)

    def stop(self) -> None:
        """No further item comes: the thread writes what waits, once, and ends."""
        self._stop.set()
        self._queue.put(None)

    def join(self, patience_s: float) -> bool:
        """Whether it has ended. It waits: not on the event loop."""
        self._thread.join(patience_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        more = True
        while more:
            items, more = self._taken()
            while items and not self._written(items):
                if self._stop.wait(self._retry_s):
                    if not self._written(items):
                        self.lose(len(items))
                    break
        self._store.close()
        if self._lost:
            self._say({"event": "records_lost", "file": str(self.path), "lost": self._lost}, "warning")

    def _taken(self) -> tuple[list[Item], bool]:
        """The items of the next commit, and whether more may come."""
        try:
            first = self._queue.get(timeout=self._idle_s)
        except Empty:
            self._tidied()
            return [], True
        if first is None:
            return [], False
        items = [first]
        if self._queue.qsize() < BATCH:
            self._stop.wait(PAUSE_S)
        try:
            while len(items) < BATCH:
                item = self._queue.get_nowait()
                if item is None:
                    return items, False
                items.append(item)
        except Empty:
            pass
        return items, True

    def _tidied(self) -> None:
        try:
            self._store.tidy()
        except (Unusable, OSError):
            self._store.close()  # the next item tells what is wrong

    def _written(self, items: Sequence[Item]) -> bool:
        """Whether they are committed."""
        try:
            self._store.write(items)
        except Unusable as exc:
            self._store.close()
            self._failing(str(exc))
            return False
        self._working()
        self._counted("written", len(items))
        self._committed(items)
        return True

    def _failing(self, problem: str) -> None:
        if not self.problem:
            self._say({"event": "records_failing", "file": str(self.path), "problem": problem}, "warning")
        self.problem = problem

    def _working(self) -> None:
        if self.problem:
            self._say({"event": "records_recovered", "file": str(self.path), "lost": self._lost}, "info")
        self.problem, self._lost = "", 0
