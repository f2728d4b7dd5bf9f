"""What all workers count together: limits, budgets and kept answers, in the supervisor's memory. Pure, by its clocks.

Each message is answered at once and whole, so that no two workers can be told the same last unit. What a worker holds
when it dies is held no more; what it had used and spent stays so.
"""

import time
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from core.group.books import Books
from core.group.messages import (
    Asking,
    Find,
    Keep,
    Look,
    Ping,
    Room,
    Settle,
    Share,
    Spent,
    Take,
)
from core.limits import Ask, Taken
from core.schema_state import CacheSettings
from core.state.cache_memory import MemoryAnswers
from core.state.limits_memory import MemoryLimits, monotonic_ms

MIB: Final = 1024 * 1024
_encode: Final = msgspec.msgpack.Encoder().encode


class Store:
    """`clock` gives milliseconds and `seconds` seconds; both never go back."""

    def __init__(self, clock: Callable[[], int] = monotonic_ms, seconds: Callable[[], float] = time.monotonic) -> None:
        self._limits = MemoryLimits(clock)
        self._answers = MemoryAnswers(CacheSettings().max_mb * MIB, seconds)
        self._books = Books()
        #: What is taken and not settled, by worker and lease.
        self._taken: dict[str, dict[str, Taken]] = {}

    def asked(self, worker: str, message: Asking) -> bytes | None:
        """The answer as MessagePack; None if none is waited for. `worker` is a name that no other one ever has."""
        match message:
            case Take(_, asks, lease):
                return _encode(self._take(worker, asks, lease))
            case Settle(lease, used):
                self._settle(worker, lease, used)
            case Look(_, asks):
                return _encode(self._limits.look(asks))
            case Share():
                return _encode(self._books.share(worker, message))
            case Find(_, key):
                return _encode(self._answers.found(key))
            case Keep(_, key, kept, ttl_s):
                self._answers.write(key, kept, ttl_s)
                return _encode(self._answers.size)
            case Room(size):
                self._answers.bound(size)
            case Spent(before):
                self._books.begin(before)
            case Ping():
                return _encode(None)
        return None

    def _take(self, worker: str, asks: Sequence[Ask], lease: str) -> Taken:
        one = self._limits.take(asks)
        if not one.refused:
            self._taken.setdefault(worker, {})[lease] = one
        return one

    def _settle(self, worker: str, lease: str, used: tuple[int, ...] | None) -> None:
        one = self._taken.get(worker, {}).pop(lease, None)
        if one is not None:
            self._limits.settle(one, [ask.units for ask in one.asks] if used is None else used)

    def gone(self, worker: str) -> None:
        """It is dead, and so are its requests."""
        for lease in list(self._taken.get(worker, ())):
            self._settle(worker, lease, None)
        self._taken.pop(worker, None)
        self._books.gone(worker)

    @property
    def empty(self) -> bool:
        """Whether nobody holds anything."""
        return self._limits.empty and not any(self._taken.values())
