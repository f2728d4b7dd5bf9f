"""What a scrape says, read by Prometheus' own parser."""

from collections.abc import Iterator

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample


def lines(text: bytes | str) -> Iterator[Sample]:
    """Every line of an exposition in Prometheus' text format."""
    shown = text.decode() if isinstance(text, bytes) else text
    for family in text_string_to_metric_families(shown):
        yield from family.samples


def number(text: bytes | str, name: str, /, **labels: str) -> float | None:
    """The number of one line; None if there is none."""
    return next((line.value for line in lines(text) if line.name == name and line.labels == labels), None)


def total(text: bytes | str, name: str, /, **labels: str) -> float:
    """The sum of all lines of this name with (at least) these labels."""
    return sum(line.value for line in lines(text) if line.name == name and labels.items() <= line.labels.items())
