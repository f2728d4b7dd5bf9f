"""The documentation of the metrics says what the code says: each once, with its type and labels."""

from documents import DOCS, table

from core.telemetry import METRICS


def test_every_metric_is_documented_once_with_type_and_labels() -> None:
    rows = [tuple(row[:3]) for row in table(DOCS / "operations.md", "metric")]
    named = [(f"`{metric.shown}`", metric.type, ", ".join(metric.labels)) for metric in METRICS]
    assert sorted(rows) == sorted(named)
