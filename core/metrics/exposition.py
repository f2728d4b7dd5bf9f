"""The text that Prometheus reads, made by Prometheus' own client: pure but for its pauses.

Python runs one thread at a time, and takes turns every 5 ms: a text of thousands of lines that is made in one go would
keep the event loop waiting for as long, again and again. So it is made in small pieces, with a pause after each.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Final

from prometheus_client import exposition as plain
from prometheus_client.metrics_core import Metric as PrometheusMetric
from prometheus_client.openmetrics import exposition as open_metrics
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from core.metrics.totals import NONE, Labels, Numbers, Samples, merged
from core.telemetry import METRICS, Metric

PLAIN: Final = plain.CONTENT_TYPE_PLAIN_0_0_4
OPENMETRICS: Final = open_metrics.CONTENT_TYPE_LATEST
#: About so many lines are written in one go, and so long a pause follows, in seconds: short, but a thread that sleeps
#: lets the others run.
AT_ONCE: Final = 32
PAUSE_S: Final = 0.0002
_END: Final = b"# EOF\n"


def content_type(accept: str) -> str:
    """Which of the two formats somebody asks for who sends this `Accept` (it is OpenMetrics 1.0.0 if it is named)."""
    named = (part.partition(";")[0].strip().lower() for part in accept.split(","))
    return OPENMETRICS if "application/openmetrics-text" in named else PLAIN


def compressible(accept_encoding: str) -> bool:
    """Whether an answer may be compressed with gzip."""
    return plain.gzip_accepted(accept_encoding)


def text(
    living: Sequence[Samples], dead: Samples = NONE, form: str = PLAIN, pause: Callable[[float], None] = time.sleep
) -> bytes:
    """All metrics of processes that live and of those that do not, as `form` (a content type) writes them."""
    parts = []
    for metric in METRICS:
        for piece in _pieces(metric, list(merged(metric, living, dead).items()), form):
            parts.append(piece)
            pause(PAUSE_S)
    if form == OPENMETRICS:
        parts.append(_END)
    return b"".join(parts)


def _pieces(metric: Metric, series: Sequence[tuple[Labels, Numbers]], form: str) -> Iterator[bytes]:
    """The lines of one metric, its description in the first piece only."""
    write = open_metrics.generate_latest if form == OPENMETRICS else plain.generate_latest
    step = max(1, AT_ONCE // (len(metric.buckets) + 3 if metric.buckets else 1))
    bounds = [*range(0, len(series), step), len(series)] if series else [0, 0]
    for begin, end in pairwise(bounds):
        piece = write(_Only(family(metric, series[begin:end]))).removesuffix(_END)
        yield piece if begin == 0 else _without_description(piece)


def _without_description(piece: bytes) -> bytes:
    while piece.startswith(b"# "):
        piece = piece.partition(b"\n")[2]
    return piece


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
        if metric.type == "histogram":
            _spread(found, labels, metric, numbers)
        else:
            name = metric.shown if metric.type in {"counter", "info"} else metric.name
            found.add_sample(name, labels, numbers[0])
    return found


def _spread(found: PrometheusMetric, labels: dict[str, str], metric: Metric, numbers: Numbers) -> None:
    total, *counts = numbers
    for bound, upto in zip([*metric.buckets, float("inf")], accumulate(counts), strict=True):
        found.add_sample(f"{metric.name}_bucket", labels | {"le": floatToGoString(bound)}, upto)  # type: ignore[no-untyped-call]
    found.add_sample(f"{metric.name}_count", labels, sum(counts))
    found.add_sample(f"{metric.name}_sum", labels, total)
