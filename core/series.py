"""The last hour in steps of ten seconds: counts, sums, and quantiles from small histograms. Pure.

A histogram has 20 bounds a decade, so a quantile is off by at most 6 per cent.
"""

from collections import deque
from dataclasses import dataclass, field
from math import ceil, floor, log10
from typing import Any, Final

STEP_MS: Final = 10_000
#: The longest that may be asked for.
MINUTES: Final = 60
_STEPS: Final = MINUTES * 60_000 // STEP_MS
#: A clock that was put back by more steps was wrong before: what it counted then is forgotten.
_BACK: Final = 30
_A_DECADE: Final = 20
#: Milliseconds below which times are one, and above which they are one.
_LEAST, _MOST = 0.01, 1e7


@dataclass
class Histogram:
    """Times in ms; what is not there takes no room."""

    counts: dict[int, int] = field(default_factory=dict)

    def add(self, ms: float) -> None:
        """One time."""
        place = floor(log10(ms if _LEAST < ms < _MOST else _LEAST if ms <= _LEAST else _MOST) * _A_DECADE)
        self.counts[place] = self.counts.get(place, 0) + 1

    def quantile(self, share: float) -> float | None:
        """The middle of the step that the nearest rank falls into; None if there is nothing."""
        rank = max(1, ceil(share * sum(self.counts.values())))
        for place in sorted(self.counts):
            rank -= self.counts[place]
            if rank <= 0:
                return float(f"{10 ** ((place + 0.5) / _A_DECADE):.3g}")
        return None


@dataclass
class _Step:
    number: int
    requests: int = 0
    errors: int = 0
    input: int = 0
    output: int = 0
    micros: int = 0
    in_flight: int = 0
    ms: Histogram = field(default_factory=Histogram)
    first_ms: Histogram = field(default_factory=Histogram)


class Series:
    """Told of each request: when it is decided, and when it is over."""

    def __init__(self) -> None:
        self._steps: deque[_Step] = deque(maxlen=_STEPS + 1)

    def began(self, now_ms: int, in_flight: int) -> None:
        """So many are under way now."""
        step = self._at(now_ms)
        step.in_flight = max(step.in_flight, in_flight)

    def ended(self, now_ms: int, ms: float, first_ms: float | None, error: int) -> _Step:
        """One is over; the step, to which its tokens and its cost belong."""
        step = self._at(now_ms)
        step.requests += 1
        step.errors += error
        step.ms.add(ms)
        if first_ms is not None:
            step.first_ms.add(first_ms)
        return step

    def _at(self, now_ms: int) -> _Step:
        """The step of now; a clock that was put back a little counts into the last one."""
        number = now_ms // STEP_MS
        if self._steps and self._steps[-1].number - number > _BACK:
            while self._steps and self._steps[-1].number > number:
                self._steps.pop()
        if not self._steps or self._steps[-1].number < number:
            self._steps.append(_Step(number))
        return self._steps[-1]

    def shown(self, minutes: int, now_ms: int) -> dict[str, Any]:
        """The last minutes, the step of now the last; None where there was nothing."""
        last, count = now_ms // STEP_MS, minutes * 60_000 // STEP_MS
        there = {step.number: step for step in self._steps}
        numbers = range(last - count + 1, last + 1)
        steps = [there.get(number) for number in numbers]

        def column(value: str) -> list[Any]:
            return [getattr(step, value) if step else None for step in steps]

        def quantiles(name: str, share: float) -> list[float | None]:
            return [getattr(step, name).quantile(share) if step else None for step in steps]

        return {
            "step_ms": STEP_MS,
            "t": [number * STEP_MS for number in numbers],
            "requests": column("requests"),
            "errors": column("errors"),
            "ms_p50": quantiles("ms", 0.5),
            "ms_p95": quantiles("ms", 0.95),
            "first_ms_p50": quantiles("first_ms", 0.5),
            "tokens_in": column("input"),
            "tokens_out": column("output"),
            "cost_micro_usd": column("micros"),
            "in_flight": column("in_flight"),
        }
