"""The open connections of a process: which there are, how many there may be, and which are late."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from core import descriptors
from core.deadlines import Phase
from core.refusals import Tally
from core.schema import ServerSettings

#: So many connections over the cap are told so at once; those beyond are closed without a word.
TOLD = 256


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
        #: Over the cap: refused, and on their way out.
        self.refused: set[Held] = set()

    def use(self, limits: ServerSettings) -> None:
        """These limits count from now on, for open connections too."""
        self.limits = limits
        fit = descriptors.connections(self._room) if self._room else limits.max_connections
        self.cap = min(limits.max_connections, fit)

    def sweep(self, now: float) -> None:
        """End what is late."""
        for one in (*self.open, *self.refused):
            one.check(now)

    def counting(self, phase: Phase) -> Callable[[], float]:
        """How many are in that phase: what a gauge asks."""
        return lambda: sum(one.phase is phase for one in tuple(self.open))
