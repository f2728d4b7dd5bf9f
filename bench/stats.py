"""Samples to figures."""

import math
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple


def percentile(samples: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile: the smallest sample that at least `percent` of all do not exceed."""
    ordered = sorted(samples)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def median(samples: Sequence[float]) -> float:
    """The middle, or the mean of the two in the middle."""
    ordered = sorted(samples)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def spread(samples: Sequence[float], blocks: int = 5) -> tuple[float, float]:
    """The lowest and the highest median of consecutive blocks: how much the machine's mood is worth."""
    size = max(1, len(samples) // blocks)
    medians = [percentile(samples[at : at + size], 50) for at in range(0, size * blocks, size) if at < len(samples)]
    return min(medians), max(medians)


def milliseconds(call: Callable[[], object], runs: int, *, warm: int = 20) -> list[float]:
    """How long each of `runs` calls took, after `warm` calls that do not count."""
    for _ in range(warm):
        call()
    samples = []
    for _ in range(runs):
        begin = time.perf_counter_ns()
        call()
        samples.append((time.perf_counter_ns() - begin) / 1e6)
    return samples


class Figure(NamedTuple):
    """The median over the rounds, the lowest and the highest."""

    value: float
    lowest: float
    highest: float


def figure(values: Iterable[float]) -> Figure | None:
    """None of no values."""
    known = list(values)
    return Figure(median(known), min(known), max(known)) if known else None
