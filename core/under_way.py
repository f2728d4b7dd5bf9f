"""The requests under way, each of which can be ended from outside with an error that its client understands."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from core.errors import ShuttingDown
from core.exchange import Exchange


class UnderWay:
    """One process's requests; a task has one at most."""

    def __init__(self) -> None:
        self._tasks: dict[asyncio.Task[object], Exchange] = {}
        self._ended: set[asyncio.Task[object]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    @contextmanager
    def request(self, exchange: Exchange) -> Iterator[None]:
        """What the current task does in this block is a request. ShuttingDown if it is ended."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a request is answered by a task")
        self._tasks[task] = exchange
        try:
            yield
        except asyncio.CancelledError:
            if task in self._ended and task.uncancel() == 0:
                raise ShuttingDown(exchange.dialect) from None
            raise
        finally:
            del self._tasks[task]
            self._ended.discard(task)

    def end(self) -> int:
        """End all, each with an error; how many there were that had not been ended before."""
        ending = self._tasks.keys() - self._ended
        for task in ending:
            self._ended.add(task)
            task.cancel()
        return len(ending)
