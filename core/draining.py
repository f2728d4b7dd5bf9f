"""How a server stops, as a table: nobody who was let in is cut without a word, and nobody waits for ever.

SERVING   until a signal.
DRAINING  not ready any more and says so; everything is still served, so that load balancers can look elsewhere.
LEAVING   no new connection begins; those on their way are still let in.
CLOSING   nobody listens; what is under way is finished.
ENDING    what is still under way gets an error of its own dialect.
DONE      all is closed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

#: A handshake that has begun must be over, in seconds: a few round trips. A listener that closes resets its queue.
LEAVING_S = 0.3
#: After the listener closed, idle connections are kept so long, in seconds: their next request may be on its way.
QUIET_S = 1.0
#: So long clients may take to read their error, in seconds.
ENDING_S = 2.0


class Stage(Enum):
    """See the module."""

    SERVING = auto()
    DRAINING = auto()
    LEAVING = auto()
    CLOSING = auto()
    ENDING = auto()
    DONE = auto()


@dataclass(frozen=True)
class Patience:
    """What is configured, in seconds: `delay` before the listener closes, `grace` for what is under way."""

    delay: float
    grace: float


@dataclass(frozen=True)
class _Step:
    """How long a stage lasts, whether it ends as soon as nothing is left to wait for, and what follows."""

    lasts: Callable[[Patience], float]
    until_idle: bool
    then: Stage


TABLE = {
    Stage.DRAINING: _Step(lambda patience: patience.delay, until_idle=False, then=Stage.LEAVING),
    Stage.LEAVING: _Step(lambda _: LEAVING_S, until_idle=False, then=Stage.CLOSING),
    Stage.CLOSING: _Step(lambda patience: patience.grace, until_idle=True, then=Stage.ENDING),
    Stage.ENDING: _Step(lambda _: ENDING_S, until_idle=True, then=Stage.DONE),
}


class Drain:
    """One server's way to its end. `clock` gives seconds, as does everything here."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._since = clock()
        self.stage = Stage.SERVING

    @property
    def stopping(self) -> bool:
        return self.stage is not Stage.SERVING

    def begin(self) -> None:
        """An orderly end, unless it has begun."""
        if self.stage is Stage.SERVING:
            self._enter(Stage.DRAINING)

    def signal(self) -> None:
        """The operator wants an end: the first time an orderly one, the second time now."""
        if self.stage is Stage.SERVING:
            self.begin()
        elif self.stage not in {Stage.ENDING, Stage.DONE}:
            self._enter(Stage.ENDING)

    def advance(self, patience: Patience, *, connections: int) -> Stage:
        """The stage that it is now, with so many connections open."""
        while (step := TABLE.get(self.stage)) is not None:
            over = self.in_stage_s >= step.lasts(patience)
            if not (over or (step.until_idle and not connections)):
                break
            self._enter(step.then)
        return self.stage

    @property
    def in_stage_s(self) -> float:
        return self._clock() - self._since

    def _enter(self, stage: Stage) -> None:
        self.stage, self._since = stage, self._clock()
