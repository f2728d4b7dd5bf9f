"""The text that Prometheus reads, made by Prometheus' own client: pure but for its pauses.

Python runs one thread at a time, and takes turns every 5 ms: a text of thousands of lines that is made in one go would
keep the event loop waiting for as long, again and again. So it is made in small pieces, with a pause after each.
"""

import time
from collections.abc import Callable, Sequence
from functools import cache
from itertools import accumulate
from typing import Final, NamedTuple

from prometheus_client import exposition as plain
from prometheus_client.metrics_core import Metric as PrometheusMetric
from prometheus_client.openmetrics import exposition as open_metrics
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from core.metrics.totals import NONE, Labels, Numbers, Samples, merged
from core.telemetry import METRICS, Metric

PLAIN: Final = plain.CONTENT_TYPE_PLAIN_0_0_4
OPENMETRICS: Final = open_metrics.CONTENT_TYPE_LATEST
#: So much is written in one go, and so long a pause follows, in seconds: short, but a thread that sleeps lets others
#: run. The unit is a line that was never written before; one whose beginning is known costs a fraction of it, and a
#: series that did not change as little.
AT_ONCE: Final = 32.0
AGAIN: Final = 1 / 16
PAUSE_S: Final = 0.0002
_END: Final = b"# EOF\n"


class Written(NamedTuple):
    """A series as it was written last: its lines up to their values, its values, and the whole."""

    heads: list[str]
    numbers: Numbers
    text: bytes


#: What was written last, by metric and labels.
Kept = dict[tuple[str, Labels], Written]


def content_type(accept: str) -> str:
    """Which of the two formats somebody asks for who sends this `Accept` (it is OpenMetrics 1.0.0 if it is named)."""
    named = (part.partition(";")[0].strip().lower() for part in accept.split(","))
    return OPENMETRICS if "application/openmetrics-text" in named else PLAIN


def compressible(accept_encoding: str) -> bool:
    """Whether an answer may be compressed with gzip."""
    return plain.gzip_accepted(accept_encoding)


def text(
    living: Sequence[Samples],
    dead: Samples = NONE,
    form: str = PLAIN,
    pause: Callable[[float], None] = time.sleep,
    kept: Kept | None = None,
) -> bytes:
    """All metrics of processes that live and of those that do not, as `form` (a content type) writes them.

    `kept` is what was written last in this form, and is then what is written now: most series do not change from one
    scrape to the next, and of those that do only the numbers do.
    """
    before, now = kept or {}, Kept()
    parts, work = list[bytes](), 0.0
    for metric in METRICS:
        parts.append(_descriptions(form)[metric.name])
        for labels, numbers in merged(metric, living, dead).items():
            last = before.get((metric.name, labels))
            one = now[metric.name, labels] = _written(metric, labels, numbers, form, last)
            parts.append(one.text)
            work += _cost(one, last)
            if work >= AT_ONCE:
                pause(PAUSE_S)
                work = 0.0
    if kept is not None:
        kept.clear()
        kept.update(now)
    if form == OPENMETRICS:
        parts.append(_END)
    return b"".join(parts)


def _cost(one: Written, last: Written | None) -> float:
    if one is last:
        return AGAIN
    return len(one.heads) * (1 if last is None else AGAIN)


def _written(metric: Metric, labels: Labels, numbers: Numbers, form: str, last: Written | None) -> Written:
    """One series, as it was written `last` as far as that still holds."""
    if last is not None and last.numbers == numbers:
        return last
    heads = _heads(metric, labels, form) if last is None else last.heads
    lines = [f"{head}{floatToGoString(value)}\n" for head, value in zip(heads, _values(metric, numbers), strict=True)]  # type: ignore[no-untyped-call]
    return Written(heads, numbers, "".join(lines).encode())


def _heads(metric: Metric, labels: Labels, form: str) -> list[str]:
    """The lines of a series, each up to its value: names and escapes are the client's own."""
    width = len(metric.buckets) + 2 if metric.type == "histogram" else 1
    whole = _by_client(family(metric, [(labels, (0.0,) * width)]), form)
    lines = whole.removeprefix(_descriptions(form)[metric.name]).decode().removesuffix("\n").split("\n")
    return [line[: line.rindex(" ") + 1] for line in lines]


@cache
def _descriptions(form: str) -> dict[str, bytes]:
    """What stands before the first line of each metric."""
    return {metric.name: _by_client(family(metric, []), form) for metric in METRICS}


def _by_client(found: PrometheusMetric, form: str) -> bytes:
    write = open_metrics.generate_latest if form == OPENMETRICS else plain.generate_latest
    return write(_Only(found)).removesuffix(_END)


class _Only(Collector):
    """A collector of one metric."""

    def __init__(self, found: PrometheusMetric) -> None:
        self._found = found

    def collect(self) -> list[PrometheusMetric]:
        return [self._found]


def family(metric: Metric, series: Sequence[tuple[Labels, Numbers]]) -> PrometheusMetric:
    """One metric as Prometheus' client has it."""
    found = PrometheusMetric(metric.name, metric.help, metric.type, metric.unit)
    for values, numbers in series:
        labels = dict(zip(metric.labels, values, strict=True))
        names = _names(metric)
        for (name, more), value in zip(names, _values(metric, numbers), strict=True):
            found.add_sample(name, labels | more, value)
    return found


def _names(metric: Metric) -> list[tuple[str, dict[str, str]]]:
    """What the lines of a series are called, and the label that tells one bucket from another."""
    if metric.type != "histogram":
        return [(metric.shown if metric.type in {"counter", "info"} else metric.name, {})]
    bounds = (floatToGoString(bound) for bound in (*metric.buckets, float("inf")))  # type: ignore[no-untyped-call]
    buckets = [(f"{metric.name}_bucket", {"le": bound}) for bound in bounds]
    return [*buckets, (f"{metric.name}_count", {}), (f"{metric.name}_sum", {})]


def _values(metric: Metric, numbers: Numbers) -> Sequence[float]:
    """In the order of `_names`."""
    if metric.type != "histogram":
        return numbers
    upto = list(accumulate(numbers[1:]))
    return [*upto, upto[-1], numbers[0]]
