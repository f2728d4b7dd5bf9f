"""When what keeps failing is left alone. Pure: time is a parameter, in seconds.

Faults open the breaker for a while; then one call probes, and its outcome closes the breaker or opens it again, longer
if it may. What counts as too many faults is the tally's: for a rule, five within a minute; the proxy has another for
providers.
"""

from collections import deque
from typing import Final, Protocol

FAULTS: Final = 5
WINDOW_S: Final = 60.0
OPEN_S: Final = 30.0

CLOSED: Final = "closed"
OPEN: Final = "open"
PROBING: Final = "probing"
STATES: Final = (CLOSED, OPEN, PROBING)


class Tally(Protocol):
    """Counts outcomes."""

    def add(self, *, fault: bool, now: float) -> bool:
        """Whether this outcome makes it too many faults; the count then begins anew."""
        ...


class Recent:
    """`FAULTS` faults within `WINDOW_S` are too many, whatever came between them."""

    def __init__(self) -> None:
        self._faults: deque[float] = deque(maxlen=FAULTS)

    def add(self, *, fault: bool, now: float) -> bool:
        if not fault:
            return False
        self._faults.append(now)
        if len(self._faults) < FAULTS or now - self._faults[0] > WINDOW_S:
            return False
        self._faults.clear()
        return True


class Breaker:
    """One breaker. It stays open for `open_s`, doubled up to `longest_s` with each probe that fails.

    A probe that has not reported after `probe_s` (its client left) is joined by another.
    """

    def __init__(
        self,
        tally: Tally | None = None,
        *,
        open_s: float = OPEN_S,
        longest_s: float = OPEN_S,
        probe_s: float = OPEN_S,
    ) -> None:
        self._tally = tally or Recent()
        self._first_s, self._longest_s, self._probe_s = open_s, longest_s, probe_s
        self._open_s = open_s
        self._until = float("-inf")
        self.state = CLOSED

    def wait_s(self, now: float) -> float:
        """Seconds until it would admit a call: 0 if it would now."""
        return 0.0 if self.state == CLOSED else max(0.0, self._until - now)

    def admits(self, now: float) -> bool:
        """Whether a call may be made. Of the calls after the open time, one is the probe."""
        if self.state == CLOSED:
            return True
        if now < self._until:
            return False
        self.state, self._until = PROBING, now + self._probe_s
        return True

    def record(self, *, fault: bool, now: float) -> None:
        """What came of a call that was admitted."""
        if self.state == PROBING:
            if fault:
                self._open_s = min(2 * self._open_s, self._longest_s)
                self._open(now)
            else:
                self.close()
        elif self.state == CLOSED and self._tally.add(fault=fault, now=now):
            self._open(now)

    def open_for(self, seconds: float, now: float) -> None:
        """Others saw too many faults: it stays open for so long at least. A probe that is under way is not joined."""
        if self.state == CLOSED:
            self.state, self._until = OPEN, now + seconds
        elif self.state == OPEN:
            self._until = max(self._until, now + seconds)

    def close(self) -> None:
        """What it guards was seen to work."""
        self.state, self._open_s = CLOSED, self._first_s

    def withdraw(self, now: float) -> None:
        """A call that was admitted was not made after all: the next one may be the probe."""
        if self.state == PROBING:
            self.state, self._until = OPEN, now

    def _open(self, now: float) -> None:
        self.state, self._until = OPEN, now + self._open_s
