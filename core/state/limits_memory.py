"""Rate limits of one process: a bucket a name, and who is there now."""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Final

from core.limits import WINDOW_MS, Ask, Level, Said, Taken, drained, idle, said, settled, taken, wait_ms

#: So many addresses have buckets of their own.
ADDRESSES: Final = 100_000
#: Whoever comes when all of those are in use shares one: nobody's bucket is taken from him to make room.
OTHERS: Final = "others"
#: Requests at once have no rate: when the next may come nobody knows.
BUSY_MS: Final = 1000


def monotonic_ms() -> int:
    """Milliseconds of the clock that no one can set."""
    return time.monotonic_ns() // 1_000_000


class MemoryLimits:
    """The buckets. `clock` gives milliseconds and never goes back; at most `addresses` of them are addresses'."""

    def __init__(self, clock: Callable[[], int] = monotonic_ms, *, addresses: int = ADDRESSES) -> None:
        self._clock = clock
        self._room = addresses
        self._levels: dict[str, Level] = {}
        self._of_addresses: OrderedDict[str, Level] = OrderedDict()
        self._held: dict[str, int] = {}

    def take(self, asks: Sequence[Ask]) -> Taken:
        """Take all of this, or nothing."""
        now = self._clock()
        asks = tuple(ask if ask.scope != "address" else self._with_room(ask, now) for ask in asks)
        found = [self._said(ask, now) for ask in asks]
        if any(each.wait_ms for each in found):
            return Taken(asks, tuple(found))
        return Taken(asks, tuple(self._take(ask, each) for ask, each in zip(asks, found, strict=True)))

    def look(self, asks: Sequence[Ask]) -> list[Said]:
        """What each would say to nothing more: what is left. It takes nothing."""
        now = self._clock()
        return [self._said(ask, now) for ask in asks]

    def addresses(self, most: int) -> list[str]:
        """The addresses that asked last, the latest first."""
        names = (name.removeprefix("address:").rpartition(":")[0] for name in reversed(self._of_addresses))
        return list(dict.fromkeys(islice(names, most)))

    def settle(self, one: Taken, used: Sequence[int]) -> None:
        """It is over, and used so many units of each."""
        now = self._clock()
        for ask, each, units in zip(one.asks, one.said, used, strict=True):
            if each.mark is None:
                self._release(ask.name)
            elif units != ask.units and (level := self._of(ask).get(ask.name)):
                level = drained(ask.rate, level, now)
                self._of(ask)[ask.name] = settled(ask.rate, level, each.mark, ask.units, units)

    @property
    def empty(self) -> bool:
        """Whether nobody is there."""
        return not self._held

    def _of(self, ask: Ask) -> dict[str, Level]:
        return self._of_addresses if ask.scope == "address" else self._levels

    def _said(self, ask: Ask, now: int) -> Said:
        if ask.kind == "concurrent":
            left = ask.limit - self._held.get(ask.name, 0)
            return Said(0 if left > 0 else BUSY_MS, max(0, left), 0)
        level = self._of(ask).get(ask.name)
        level = drained(ask.rate, level, now) if level else idle(ask.rate, now)
        return said(ask.rate, level, wait_ms(ask.rate, level, ask.units))

    def _take(self, ask: Ask, found: Said) -> Said:
        if found.mark is None:
            self._held[ask.name] = self._held.get(ask.name, 0) + 1
            return Said(0, found.left - 1, 0)
        level = self._of(ask)[ask.name] = taken(found.mark, ask.units)
        if ask.scope == "address":
            self._of_addresses.move_to_end(ask.name)
        return said(ask.rate, level, 0)

    def _release(self, name: str) -> None:
        held = self._held.get(name, 0) - 1
        if held > 0:
            self._held[name] = held
        else:
            self._held.pop(name, None)

    def _with_room(self, ask: Ask, now: int) -> Ask:
        """The same for an address that has a bucket or can get one; else of the others' bucket."""
        if ask.kind == "concurrent" or ask.name in self._of_addresses:
            return ask
        while len(self._of_addresses) >= self._room:
            name, level = next(iter(self._of_addresses.items()))
            if drained(ask.rate, level, now).ticks > -WINDOW_MS * ask.rate.refill:
                return Ask(ask.scope, OTHERS, ask.kind, ask.limit, ask.units, ask.setting)
            del self._of_addresses[name]
        return ask
