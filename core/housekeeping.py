"""What one timer looks at: late connections, memory, and refusals that the log has not heard of."""

import asyncio
from collections.abc import Callable, Iterator

from core.admission import MIB, Admission
from core.open_connections import Connections
from core.resident import Memory, trim

#: Seconds between two looks at memory, and looks at memory between two at everything else.
TICK_S, OFTEN = 0.1, 5
#: Looks at memory between two times that what was learned is kept.
SELDOM = 600
#: Seconds between two slices of the connections.
PAUSE_S = 0.005


class Housekeeping:
    """Between `start` and `stop`, on the running loop."""

    def __init__(
        self,
        connections: Connections,
        admission: Admission,
        log: Callable[[dict[str, object], str], None],
        keep: Callable[[], None] = lambda: None,
    ) -> None:
        """`keep` writes what was learned, off the event loop."""
        self._connections = connections
        self._admission = admission
        self._log = log
        self._keep = keep
        self._memory = Memory()
        self._ticks = 0
        self._timer: asyncio.TimerHandle | None = None
        self._slices: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """The first look is one tick away."""
        self._timer = asyncio.get_running_loop().call_later(TICK_S, self._tick)

    def stop(self) -> None:
        """No further look."""
        for timer in (self._timer, self._slices):
            if timer is not None:
                timer.cancel()
        self._timer = self._slices = None
        self._memory.close()

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(TICK_S, self._tick)
        self.weigh(self._memory.resident())
        self._ticks += 1
        if self._ticks % SELDOM == 0:
            loop.run_in_executor(None, self._keep)
        if self._ticks % OFTEN == 0:
            self._sweep(self._connections.sweeping(loop.time()))
            self.say(loop.time())

    def _sweep(self, slices: Iterator[None]) -> None:
        if next(slices, True) is None:
            self._slices = asyncio.get_running_loop().call_later(PAUSE_S, self._sweep, slices)

    def weigh(self, resident: int) -> None:
        """`resident` in bytes."""
        changed = self._admission.weigh(resident)
        if changed:
            sizes = {"resident_mb": resident // MIB, "watermark_mb": self._admission.watermark // MIB}
            if self._admission.high:
                self._log({"event": "memory_high", **sizes}, "warning")
            else:
                self._log({"event": "memory_normal", **sizes}, "info")
        if self._admission.high and (changed or self._ticks % OFTEN == 0):
            trim()

    def say(self, now: float) -> None:
        """One line for each reason, at most once in `refusals.SAY_EVERY_S`."""
        for reason, count in self._connections.tally.due(now).items():
            self._log({"event": "refused", "reason": reason, "count": count}, "warning")
