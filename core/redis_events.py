"""What happens between the proxy and Redis, as metrics and log lines. No address, no user, nothing of what was sent."""

import time
from collections.abc import Callable
from typing import Final

from core.metrics import Metrics
from core.rule_events import Report
from core.state.redis import Observer

#: Of commands that the server itself refuses, the log says each kind at most once in so many seconds.
SAY_EVERY_S: Final = 60.0
#: Ends of a command that say nothing of the server: others were told, or nobody asked.
_QUIET: Final = frozenset({"ok", "cancelled", "left_alone", "no_script", "closed"})


class RedisEvents(Observer):
    """Counts everything; says each change once, and what keeps being refused. `clock` is monotonic seconds."""

    def __init__(self, metrics: Metrics, report: Report, clock: Callable[[], float] = time.monotonic) -> None:
        self._metrics, self._report, self._clock = metrics, report, clock
        self._outcomes = {name: metrics.redis_commands.labels(name) for name in ("ok", "left_alone")}
        self._said: dict[str, float] = {}
        self._down = False

    def down(self, why: str) -> None:
        self._down = True
        self._metrics.redis_down.set(1)
        self._report({"event": "redis_down", "why": why}, "warning")

    def up(self, away_s: float) -> None:
        self._down = False
        self._metrics.redis_down.set(0)
        self._report({"event": "redis_up", "away_s": round(away_s, 3)}, "info")

    def left(self) -> None:
        self._down = False
        self._metrics.redis_down.set(0)

    def answered(self, outcome: str, seconds: float) -> None:
        counter = self._outcomes.get(outcome)
        if counter is None:
            counter = self._outcomes[outcome] = self._metrics.redis_commands.labels(outcome)
        counter.inc()
        if outcome == "left_alone":
            return
        self._metrics.redis_seconds.observe(seconds)
        if outcome not in _QUIET and not self._down:
            self._refused(outcome)

    def _refused(self, kind: str) -> None:
        now = self._clock()
        if now - self._said.get(kind, now - SAY_EVERY_S) >= SAY_EVERY_S:
            self._said[kind] = now
            self._report({"event": "redis_refused", "why": kind}, "warning")
