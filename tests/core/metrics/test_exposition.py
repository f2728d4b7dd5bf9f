"""The text is what Prometheus' and OpenMetrics' own parsers read."""

import math

import pytest
from prometheus_client import exposition as client
from prometheus_client.openmetrics import exposition as openmetrics_client
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain
from scraped import number

from core import telemetry
from core.metrics import Metrics, exposition
from core.metrics.exposition import AT_ONCE, OPENMETRICS, PLAIN, content_type
from core.metrics.totals import Samples, samples
from core.telemetry import METRICS

HOSTILE = ['"', "\\", "\n", '\\"', "\n# TYPE x counter\nx 1\n", 'a",b="c', "{}", "\u2028\x00é 🦀", "# EOF", "", " "]


def full() -> Samples:
    """One series of everything."""
    widths = {metric.name: len(metric.buckets) + 2 if metric.buckets else 1 for metric in METRICS}
    return samples({metric.name: [(("x",) * len(metric.labels), (1.0,) * widths[metric.name])] for metric in METRICS})


@pytest.mark.parametrize(("form", "parse"), [(PLAIN, plain), (OPENMETRICS, openmetrics)])
def test_every_metric_is_read_with_its_type_and_help(form: str, parse: "type[object]") -> None:
    read = {family.name: family for family in parse(exposition.text([full()], form=form).decode())}  # type: ignore[attr-defined,call-arg]
    for metric in METRICS:
        # Prometheus' own format knows no info, and names no unit.
        type = "gauge" if form == PLAIN and metric.type == "info" else metric.type
        found = read[metric.shown if form == PLAIN and metric.type == "info" else metric.name]
        assert (found.type, found.documentation) == (type, metric.help)
        assert found.unit == (metric.unit if form == OPENMETRICS else "")
        assert {label for line in found.samples for label in line.labels} - {"le"} == set(metric.labels)
    assert len(read) == len(METRICS)


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize(("form", "parse"), [(PLAIN, plain), (OPENMETRICS, openmetrics)])
def test_a_hostile_label_is_a_label(value: str, form: str, parse: "type[object]") -> None:
    text = exposition.text([samples({"terraphim_rule_fuel": [((value,), (7.0,))]})], form=form).decode()
    lines = [line for family in parse(text) for line in family.samples]  # type: ignore[attr-defined,call-arg]
    assert [(line.name, line.labels, line.value) for line in lines] == [
        ("terraphim_rule_fuel_total", {"rule": value}, 7)
    ]


def rules(count: int, **changed: float) -> Samples:
    """The fuel of so many rules: each its number, or as `changed` says."""
    fuel = {f"rule_{number}": float(number) for number in range(count)} | changed
    return samples({"terraphim_rule_fuel": [((name,), (value,)) for name, value in fuel.items()]})


@pytest.mark.parametrize(("form", "parse"), [(PLAIN, plain), (OPENMETRICS, openmetrics)])
def test_many_series_are_written_in_pieces_and_read_as_one_metric(form: str, parse: "type[object]") -> None:
    count, pauses = 5 * int(AT_ONCE), list[float]()
    text = exposition.text([rules(count)], form=form, pause=pauses.append).decode()
    assert text.count("# TYPE terraphim_rule_fuel") == 1
    [found] = [family for family in parse(text) if family.name == "terraphim_rule_fuel"]  # type: ignore[attr-defined,call-arg]
    assert [line.value for line in found.samples] == list(range(count))
    assert len(pauses) == 5


def test_histograms_are_written_in_smaller_pieces() -> None:
    pauses, width = list[float](), len(telemetry.RULE_SECONDS.buckets) + 2
    spread = [((f"rule-{number}",), (1.0,) * width) for number in range(int(AT_ONCE))]
    text = exposition.text([samples({"terraphim_rule_seconds": spread})], pause=pauses.append)
    assert text.count(b'le="+Inf"') == AT_ONCE
    assert len(pauses) >= AT_ONCE // 4


@pytest.mark.parametrize("form", [PLAIN, OPENMETRICS])
def test_what_was_written_before_changes_nothing_but_the_cost(form: str) -> None:
    count, kept, pauses = 5 * int(AT_ONCE), exposition.Kept(), list[float]()
    first = exposition.text([full(), rules(count)], form=form, kept=kept)
    assert exposition.text([full(), rules(count)], form=form, kept=kept, pause=pauses.append) == first
    assert len(pauses) <= 1
    for changed in (rules(count, rule_7=0.5), rules(count - 3), rules(count + 2, rule_0=-1.0), full()):
        again = exposition.text([changed], form=form, kept=kept)
        assert again == exposition.text([changed], form=form)
    assert len(kept) == len(METRICS)  # nothing is kept of what is no longer there


@pytest.mark.parametrize(("form", "write"), [(PLAIN, client), (OPENMETRICS, openmetrics_client)])
def test_each_line_is_the_clients_own(form: str, write: "type[object]") -> None:
    numbers = (1e7, 0.1, 123456789.0, 1e-9, 2.5e20, -3.0, math.inf)
    for metric in METRICS:
        width = len(metric.buckets) + 2 if metric.buckets else 1
        for at, value in enumerate(HOSTILE):
            cycle = [*numbers, *numbers, *numbers][at : at + width]
            series = [((value,) * len(metric.labels), (*cycle, *[4.0] * (width - len(cycle))))]
            family = exposition.family(metric, series)
            due = write.generate_latest(exposition._Only(family)).removesuffix(b"# EOF\n")  # type: ignore[attr-defined]
            assert due in exposition.text([samples({metric.name: series})], form=form)


def test_a_histogram_adds_up() -> None:
    metrics = Metrics()
    for value in (0.0001, 0.001, 99.0):
        metrics.rule_queue.observe(value)
    text = metrics.exposition()
    name = "terraphim_rule_queue_seconds"
    assert number(text, f"{name}_bucket", le="0.0001") == 1
    assert number(text, f"{name}_bucket", le="5.0") == 2
    assert number(text, f"{name}_bucket", le="+Inf") == number(text, f"{name}_count") == 3
    assert number(text, f"{name}_sum") == pytest.approx(99.0011)


def test_what_is_no_number_is_still_a_line() -> None:
    metrics = Metrics()
    metrics.tasks.set(math.nan)
    metrics.in_flight.set(math.inf)
    text = metrics.exposition()
    assert math.isnan(number(text, "terraphim_tasks") or 0)
    assert number(text, "terraphim_in_flight") == math.inf


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", PLAIN),
        ("*/*", PLAIN),
        ("text/plain", PLAIN),
        ("application/openmetrics-text; version=1.0.0; charset=utf-8", OPENMETRICS),
        ("text/plain;q=0.2,application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.3", OPENMETRICS),
        ("Application/OpenMetrics-Text", OPENMETRICS),
        ("application/openmetrics-text-not", PLAIN),
        (";;;,,,\x00", PLAIN),
        ("text/plain;version=" + "9" * 5000, PLAIN),
    ],
)
def test_the_format_is_what_is_asked_for(accept: str, form: str) -> None:
    assert content_type(accept) == form


def test_units_end_the_names() -> None:
    assert {metric.unit for metric in METRICS} == {"", "seconds", "bytes"}
    assert telemetry.GEN_AI_TOKENS.unit == ""
