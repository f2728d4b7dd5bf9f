"""When a rule that keeps failing is left alone. Pure: time is a parameter, in seconds.

Five faults within a minute open the breaker for half a minute; then one request probes the rule, and its outcome closes
the breaker or opens it again.
"""

from collections import deque
from typing import Final

FAULTS: Final = 5
WINDOW_S: Final = 60.0
OPEN_S: Final = 30.0

CLOSED: Final = "closed"
OPEN: Final = "open"
PROBING: Final = "probing"
STATES: Final = (CLOSED, OPEN, PROBING)


class Breaker:
    """One rule's breaker."""

    def __init__(self) -> None:
        self._faults: deque[float] = deque(maxlen=FAULTS)
        self._until = float("-inf")
        self.state = CLOSED

    def admits(self, now: float) -> bool:
        """Whether the rule may be asked. Of the requests after the open time, one is the probe.

        A probe that never reported (its client left) is replaced after another open time.
        """
        if self.state == CLOSED:
            return True
        if now < self._until:
            return False
        self.state, self._until = PROBING, now + OPEN_S
        return True

    def record(self, *, fault: bool, now: float) -> None:
        """What came of a call that was admitted."""
        if self.state == PROBING:
            self._faults.clear()
            if not fault:
                self.state = CLOSED
                return
            self._open(now)
        elif fault and self.state == CLOSED:
            self._faults.append(now)
            if len(self._faults) == FAULTS and now - self._faults[0] <= WINDOW_S:
                self._open(now)

    def withdraw(self, now: float) -> None:
        """A call that was admitted was not made after all: the next request may be the probe."""
        if self.state == PROBING:
            self.state, self._until = OPEN, now

    def _open(self, now: float) -> None:
        self.state, self._until = OPEN, now + OPEN_S
        self._faults.clear()
