"""How often a cost is measured, and in which order."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec import Struct

from bench.scale.curve import Curve
from bench.stats import median


class Effort(Struct, frozen=True):
    """Rounds of a curve, and calls of which the median is a round's cost. `share` of the largest size is the last."""

    rounds: int = 5
    runs: int = 15
    share: float = 1.0

    def upto(self, sizes: Sequence[int]) -> list[int]:
        """Those of the sizes that are measured."""
        return [size for size in sizes if size <= max(sizes) * self.share]


QUICK = Effort(rounds=2, runs=5, share=0.35)
#: What is measured at one size: costs by name.
Measure = Callable[[int], Mapping[str, float]]


class Asked(Struct, frozen=True):
    """A curve to be: its cost's name, unit and bound of the exponent."""

    name: str
    unit: str
    bound: float


def curves(
    suite: str, of: str, asked: Iterable[Asked], sizes: Sequence[int], rounds: int, measure: Measure
) -> list[Curve]:
    """Every size in each round."""
    found: dict[str, dict[float, list[float]]] = {}
    for _ in range(rounds):
        for size in sizes:
            for name, cost in measure(size).items():
                found.setdefault(name, {}).setdefault(float(size), []).append(cost)
    return [Curve(suite, one.name, of, one.unit, found[one.name], one.bound) for one in asked]


def cpu_ms(calls: Iterable[Callable[[], object]]) -> float:
    """The median of what these calls take of this thread's processor time: what else the machine does is not in it."""
    taken = []
    for call in calls:
        begin = time.thread_time_ns()
        call()
        taken.append((time.thread_time_ns() - begin) / 1e6)
    return median(taken)
