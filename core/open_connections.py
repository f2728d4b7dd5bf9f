"""The open connections of a process: which there are, how many there may be, and which are late."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Protocol

from core import descriptors
from core.deadlines import Phase
from core.refusals import Tally
from core.schema import ServerSettings

#: So many refused connections may linger; those beyond are closed as soon as they are told.
LINGERING = 256
#: Connections that are looked at in one go.
SLICE = 100


class Held(Protocol):
    """A connection, as its holder sees it."""

    phase: Phase

    @property
    def transport(self) -> asyncio.Transport: ...

    @property
    def idle(self) -> bool:
        """No request is under way, and none has begun to come."""
        ...

    def answer_no_more(self) -> None:
        """Serve what has begun, and nothing after it."""
        ...

    def check(self, now: float) -> None:
        """End it if it is late; `now` is the loop's time."""
        ...


class Connections:
    """What all connections share. `room` is how many descriptors the process may have open, 0 for any number."""

    def __init__(self, tally: Tally | None = None, limits: ServerSettings | None = None, *, room: int = 0) -> None:
        self.tally = tally or Tally()
        self._room = room
        self.use(limits or ServerSettings())
        self.open: set[Held] = set()
        #: Those that have been told their last, and take no room: they only may finish what they were sending.
        self.lingering: set[Held] = set()

    def use(self, limits: ServerSettings) -> None:
        """These limits count from now on, for open connections too."""
        self.limits = limits
        fit = descriptors.connections(self._room) if self._room else limits.max_connections
        self.cap = min(limits.max_connections, fit)

    @property
    def every(self) -> list[Held]:
        """All that have a descriptor."""
        return [*self.open, *self.lingering]

    def linger(self, one: Held) -> bool:
        """Whether a connection may go on without a place among the open ones; there are not many who may."""
        if len(self.lingering) >= LINGERING:
            return False
        self.open.discard(one)
        self.lingering.add(one)
        return True

    def forget(self, one: Held) -> None:
        """It is closed."""
        self.open.discard(one)
        self.lingering.discard(one)

    def sweep(self, now: float) -> None:
        """End what is late."""
        for _ in self.sweeping(now):
            pass

    def sweeping(self, now: float) -> Iterator[None]:
        """The same, with a pause after every `SLICE`: thousands at once would hold up a request for milliseconds."""
        every = self.every
        for at in range(0, len(every), SLICE):
            for one in every[at : at + SLICE]:
                if one in self.open or one in self.lingering:
                    one.check(now)
            yield

    def counting(self, phase: Phase) -> Callable[[], float]:
        """How many are in that phase: what a gauge asks."""
        return lambda: sum(one.phase is phase for one in self.every)
