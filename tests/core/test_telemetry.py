"""The names are well made: what Prometheus and OpenMetrics demand of them."""

import re

from core import telemetry
from core.telemetry import METRICS


def test_every_name_is_there_once() -> None:
    names = [metric.name for metric in METRICS]
    assert len(set(names)) == len(names) > 40
    constants = [name for name, value in vars(telemetry).items() if isinstance(value, telemetry.Metric)]
    assert len(constants) == len(METRICS)


def test_names_and_labels_are_prometheus() -> None:
    for metric in METRICS:
        assert re.fullmatch("[a-z][a-z0-9_]*", metric.name)
        assert all(re.fullmatch("[a-z][a-z0-9_]*", label) and label != "le" for label in metric.labels)
        assert not metric.name.endswith(("_total", "_count", "_sum", "_bucket"))
        assert metric.help.endswith(".")
        assert (metric.type == "histogram") == bool(metric.buckets)
        assert list(metric.buckets) == sorted(set(metric.buckets))
