"""When what serves came, and how the last reload went. Pure: `now_ms` gives Unix ms."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Reload:
    """`outcome` is started, swapped or failed; `ms` is how long it took, None if nobody said."""

    at_ms: int
    outcome: str
    ms: float | None = None


class ReloadHistory:
    """Told of each outcome."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self.started_ms = self.since_ms = now_ms()
        self.last = self._good = Reload(self.started_ms, "started")

    def add(self, outcome: str, ms: float | None = None) -> None:
        """A failed one leaves what serves in its place."""
        self.last = Reload(self._now_ms(), outcome, None if ms is None else round(ms, 2))
        if outcome != "failed":
            self._good, self.since_ms = self.last, self.last.at_ms

    def mended(self) -> None:
        """The files are those that serve, maybe because what failed was taken back: that is over."""
        self.last = self._good
