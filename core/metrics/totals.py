"""The numbers of one process as a value, and those of several added up: pure.

A counter and a histogram are sums over all processes that ever served the address: those that are dead by now are
added into one set of numbers, `Totals`, which never shrinks. A gauge is of the living only, added or compared as its
declaration says.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from core.metrics.instruments import MAX_SERIES, OTHER
from core.telemetry import METRICS, Metric

Labels = tuple[str, ...]
#: A counter's or a gauge's number; of a histogram, the sum and then how many lie between its bounds.
Numbers = tuple[float, ...]
Series = dict[Labels, Numbers]

_BY_NAME: Final = {metric.name: metric for metric in METRICS}


class Shape(Struct, array_like=True, frozen=True):
    """What the numbers of a metric mean: those of another version of the program may mean something else."""

    type: str
    labels: Labels
    buckets: Numbers


class Samples(Struct, frozen=True):
    """By metric. `folded` names the processes whose numbers are in it, if it is of the dead."""

    shapes: dict[str, Shape]
    series: dict[str, list[tuple[Labels, Numbers]]]
    folded: list[str] = []

    def of(self, metric: Metric) -> list[tuple[Labels, Numbers]]:
        """Its series; none if they mean something else there."""
        return self.series.get(metric.name, []) if self.shapes.get(metric.name) == shape(metric) else []


NONE: Final = Samples({}, {})


def shape(metric: Metric) -> Shape:
    """What this program means by it."""
    return Shape(metric.type, metric.labels, metric.buckets)


_SHAPES: Final = {metric.name: shape(metric) for metric in METRICS}
_DECODER: Final = msgspec.json.Decoder(Samples)


def samples(series: Mapping[str, Sequence[tuple[Labels, Numbers]]]) -> Samples:
    """Of this process, as `Family.read` gives them."""
    return Samples(_SHAPES, {name: list(each) for name, each in series.items()})


def encoded(value: Samples) -> bytes:
    """As bytes for a file."""
    return msgspec.json.encode(value)


def decoded(data: bytes) -> Samples:
    """From a file. ValueError if it is none of ours, or does not fit together."""
    try:
        value = _DECODER.decode(data)
    except msgspec.MsgspecError as exc:
        raise ValueError(str(exc)) from None
    for name, each in value.series.items():
        known = value.shapes.get(name)
        if known is None:
            raise ValueError(f"{name} has no shape")
        width = len(known.buckets) + 2 if known.type == "histogram" else 1
        if any(len(labels) != len(known.labels) or len(numbers) != width for labels, numbers in each):
            raise ValueError(f"{name} has other labels or numbers than it says")
    return value


def merged(metric: Metric, living: Sequence[Samples], dead: Samples) -> Series:
    """What all processes say of one metric together."""
    grows = metric.type in {"counter", "histogram"}
    found: Series = {}
    how = _added if grows or metric.merge == "sum" else _MERGE[metric.merge]
    for one in (*living, dead) if grows else living:
        for labels, numbers in one.of(metric):
            known = found.get(labels)
            found[labels] = numbers if known is None else how(known, numbers)
    return found


def folded(dead: Samples, one: Samples, name: str) -> Samples:
    """The dead with one more of them, `name`; as it was if that is in it already. Gauges died with it."""
    if name in dead.folded:
        return dead
    series = {}
    for known in _BY_NAME.values():
        if known.type in {"counter", "histogram"}:
            both = merged(known, (one,), dead)
            series[known.name] = list(_bounded(both).items())
    return Samples(_SHAPES, series, [*dead.folded, name])


def _bounded(series: Series) -> Series:
    """At most `MAX_SERIES`, the rest added up as `other`: names change over the years."""
    if len(series) <= MAX_SERIES:
        return series
    kept = dict(list(series.items())[: MAX_SERIES - 1])
    for labels, numbers in list(series.items())[MAX_SERIES - 1 :]:
        others = (OTHER,) * len(labels)
        kept[others] = _added(kept[others], numbers) if others in kept else numbers
    return kept


def _added(one: Numbers, two: Numbers) -> Numbers:
    return (one[0] + two[0],) if len(one) == 1 else tuple(map(sum, zip(one, two, strict=True)))


_MERGE: Final[Mapping[str, Callable[[Numbers, Numbers], Numbers]]] = {
    "max": max,
    "min": min,
}
