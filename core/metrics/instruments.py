"""What counts: counters, gauges and histograms with labels, as plain numbers.

Prometheus' own client counts too, and is used to show (`exposition`). It is not used to count because an increment of
one of its labelled counters costs several times as much (`python -m bench --only metrics`), and a request needs
fourteen; and because numbers of ours can be handed to another process and added there (`samples`), those of a gauge
that asks somebody and of labels that are replaced included.
"""

from bisect import bisect_left
from collections.abc import Callable, Collection, Mapping, Sequence
from threading import Lock
from typing import Final, Generic, TypeVar

from core.telemetry import Metric

#: At most so many series has one metric; what would be more is counted under `other`.
MAX_SERIES: Final = 5000
OTHER: Final = "other"
#: (metric, label, value) -> what may stand there.
Admit = Callable[[Metric, str, str], str]


def as_it_is(_metric: Metric, _label: str, value: str) -> str:
    """Admits everything: for labels that only the proxy itself gives."""
    return value


class Count:
    """A number that grows. Any thread may count."""

    __slots__ = ("_ask", "_lock", "_value")

    def __init__(self, lock: Lock) -> None:
        self._lock, self._value = lock, 0.0
        self._ask: Callable[[], float] | None = None

    def inc(self, amount: float = 1) -> None:
        """So much more."""
        with self._lock:
            self._value += amount

    def set_function(self, ask: Callable[[], float]) -> None:
        """Who knows the number; asked whenever it is read, by any thread."""
        self._ask = ask

    def read(self) -> tuple[float, ...]:
        return (self._value if self._ask is None else float(self._ask()),)

    def take(self, other: "Count") -> None:
        """What another one counted, too. Needs the lock."""
        self._value += other._value


class Level(Count):
    """A number that goes up and down."""

    __slots__ = ()

    def dec(self, amount: float = 1) -> None:
        """So much less."""
        self.inc(-amount)

    def set(self, value: float) -> None:
        """This from now on."""
        self._value = float(value)


class Spread:
    """Observations by size: their sum, and how many fell between two bounds (the upper one included)."""

    __slots__ = ("_bounds", "_counts", "_lock", "_sum")

    def __init__(self, lock: Lock, bounds: Sequence[float]) -> None:
        self._lock, self._bounds, self._sum = lock, bounds, 0.0
        self._counts = [0.0] * (len(bounds) + 1)

    def observe(self, value: float) -> None:
        """One more."""
        at = bisect_left(self._bounds, value)
        with self._lock:
            self._counts[at] += 1
            self._sum += value

    def add(self, counts: Sequence[float], total: float) -> None:
        """Many, which somebody has sorted by the same bounds already; `total` is their sum."""
        with self._lock:
            self._sum += total
            for at, count in enumerate(counts):
                self._counts[at] += count

    def read(self) -> tuple[float, ...]:
        with self._lock:
            return (self._sum, *self._counts)

    def take(self, other: "Spread") -> None:
        """What another one observed, too. Needs the lock."""
        self._sum += other._sum
        self._counts = [one + two for one, two in zip(self._counts, other._counts, strict=True)]


S = TypeVar("S", Count, Level, Spread)


class Family(Generic[S]):
    """One metric: a series for each set of labels that was named, and for none if it has no labels."""

    def __init__(self, metric: Metric, make: Callable[[], S], lock: Lock, admit: Admit = as_it_is) -> None:
        self.metric = metric
        self._make: Callable[[], S] = make
        self._lock, self._admit = lock, admit
        self._series: dict[tuple[str, ...], S] = {}
        #: Who reads sees each count once: before it moves to another series, or behind.
        self._still = Lock()
        if not metric.labels:
            self.labels()

    def labels(self, *values: str) -> S:
        """The series of these values, in the order of the metric's labels. What is not admitted is `other`."""
        found = self._series.get(values)
        return self._admitted(values) if found is None else found

    def _admitted(self, values: tuple[str, ...]) -> S:
        admitted = self._known(values, self._series)
        with self._lock:
            found = self._series.get(admitted)
            if found is None:
                found = self._series[admitted] = self._make()
            return found

    def _known(self, values: tuple[str, ...], beside: Collection[tuple[str, ...]]) -> tuple[str, ...]:
        """What stands for these values, beside others that there are."""
        labels = self.metric.labels
        if len(values) != len(labels):
            raise ValueError(f"{self.metric.name} has the labels {labels}, not {len(values)}")
        admitted = self._stand_in(values)
        return (OTHER,) * len(labels) if len(beside) >= MAX_SERIES and admitted not in beside else admitted

    def _stand_in(self, values: tuple[str, ...]) -> tuple[str, ...]:
        pairs = zip(self.metric.labels, values, strict=True)
        return tuple(self._admit(self.metric, label, value) for label, value in pairs)

    def fold(self) -> None:
        """Count what is not admitted any more under what stands for it now: series go, their sum stays.

        For the thread that counts by name: what another one counts at this moment could be lost.
        """
        with self._still, self._lock:
            for values in list(self._series):
                stand_in = self._stand_in(values)
                if stand_in != values:
                    one = self._series.pop(values)
                    heir = self._series.setdefault(stand_in, one)
                    if heir is not one:
                        heir.take(one)

    def remove(self, *values: str) -> None:
        """Forget a series; KeyError if there is none."""
        with self._lock:
            del self._series[values]

    def read(self) -> list[tuple[tuple[str, ...], tuple[float, ...]]]:
        """All series as they are now: labels, and the numbers as `Count.read` and `Spread.read` give them."""
        with self._still:
            with self._lock:
                series = list(self._series.items())
            return [(labels, one.read()) for labels, one in series]

    def __len__(self) -> int:
        return len(self._series)


class Counter(Family[Count]):
    """Of counts."""

    def inc(self, amount: float = 1) -> None:
        """Of a metric without labels."""
        self.labels().inc(amount)

    def set_function(self, ask: Callable[[], float]) -> None:
        """See `Count`."""
        self.labels().set_function(ask)


class Gauge(Family[Level]):
    """Of levels."""

    def inc(self, amount: float = 1) -> None:
        """Of a metric without labels, as the others."""
        self.labels().inc(amount)

    def dec(self, amount: float = 1) -> None:
        """See `Level`."""
        self.labels().dec(amount)

    def set(self, value: float) -> None:
        """See `Level`."""
        self.labels().set(value)

    def set_function(self, ask: Callable[[], float]) -> None:
        """See `Count`."""
        self.labels().set_function(ask)

    def fold(self) -> None:
        """What is not admitted any more is gone: levels of different things have no sum."""
        with self._lock:
            self._series = {values: one for values, one in self._series.items() if self._stand_in(values) == values}

    def replace(self, levels: Mapping[tuple[str, ...], float]) -> None:
        """These series from now on, and no others: who reads meanwhile finds the old ones or the new ones, whole."""
        series: dict[tuple[str, ...], Level] = {}
        for values, level in levels.items():
            series.setdefault(self._known(values, series), self._make()).set(level)
        with self._lock:
            self._series = series


class Histogram(Family[Spread]):
    """Of observations."""

    def observe(self, value: float) -> None:
        """Of a metric without labels."""
        self.labels().observe(value)


class Instruments:
    """All metrics of one process; `read` is what it hands to others."""

    def __init__(self, admit: Admit = as_it_is) -> None:
        self._admit, self._lock = admit, Lock()
        self._families: dict[str, Counter | Gauge | Histogram] = {}

    def counter(self, metric: Metric) -> Counter:
        """One that only grows."""
        made = Counter(metric, lambda: Count(self._lock), self._lock, self._admit)
        self._families[metric.name] = made
        return made

    def gauge(self, metric: Metric) -> Gauge:
        """One that goes up and down, or says that something is so."""
        made = Gauge(metric, lambda: Level(self._lock), self._lock, self._admit)
        self._families[metric.name] = made
        return made

    def histogram(self, metric: Metric) -> Histogram:
        """One of observations, by the metric's own buckets."""
        made = Histogram(metric, lambda: Spread(self._lock, metric.buckets), self._lock, self._admit)
        self._families[metric.name] = made
        return made

    def fold(self) -> None:
        """Names are known no more; see `Family`. So nobody may keep a series of open labels: what it counts there from
        now on is lost.
        """
        for family in self._families.values():
            if family.metric.open:
                family.fold()

    def read(self) -> dict[str, list[tuple[tuple[str, ...], tuple[float, ...]]]]:
        """By metric, as `Family.read`."""
        return {name: family.read() for name, family in self._families.items()}

    def __len__(self) -> int:
        """How many series there are."""
        return sum(map(len, self._families.values()))
