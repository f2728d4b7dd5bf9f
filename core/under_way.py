"""The requests under way, each of which can be ended from outside with an error that its client understands."""

import asyncio
from types import TracebackType
from typing import Any

from core.errors import ShuttingDown
from core.exchange import Exchange


class UnderWay:
    """One process's requests; a task has one at most."""

    def __init__(self) -> None:
        self._tasks: dict[asyncio.Task[Any], Exchange] = {}
        self._ended: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def request(self, exchange: Exchange) -> "_Request":
        """What the current task does in this block is a request. ShuttingDown if it is ended."""
        return _Request(self._tasks, self._ended, exchange)

    def end(self) -> int:
        """End all, each with an error; how many there were that had not been ended before."""
        ending = self._tasks.keys() - self._ended
        for task in ending:
            self._ended.add(task)
            task.cancel()
        return len(ending)


class _Request:
    def __init__(
        self, tasks: dict[asyncio.Task[Any], Exchange], ended: set[asyncio.Task[Any]], exchange: Exchange
    ) -> None:
        self._tasks, self._ended, self._exchange = tasks, ended, exchange

    def __enter__(self) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a request is answered by a task")
        self._task = task
        self._tasks[task] = self._exchange

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        task = self._task
        del self._tasks[task]
        if task in self._ended:
            self._ended.discard(task)
            if isinstance(exc, asyncio.CancelledError) and task.uncancel() == 0:
                raise ShuttingDown(self._exchange.dialect) from None
