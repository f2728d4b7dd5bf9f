"""What Grafana and the alerts ask for is there: every metric and label of every expression, parsed as PromQL."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest
import typer
import yaml
from facts import ROOT

from core import cli
from core.telemetry import BREAKER_STATES, METRICS

DEPLOY = ROOT / "deploy"
ALERTS = DEPLOY / "prometheus-alerts.yaml"
DASHBOARD = json.loads((DEPLOY / "grafana" / "dashboard.json").read_text("utf-8"))
RULES = yaml.safe_load(ALERTS.read_text("utf-8"))["groups"][0]["rules"]
#: What Prometheus itself says of each scrape.
ADDED = {"job", "instance"}


def series() -> dict[str, set[str]]:
    """Name of each series to its labels."""
    found: dict[str, set[str]] = {}
    for metric in METRICS:
        labels = {*metric.labels, *ADDED}
        if metric.type == "histogram":
            found |= {f"{metric.name}_{part}": labels for part in ("sum", "count")}
            found[f"{metric.name}_bucket"] = labels | {"le"}
        else:
            found[metric.shown] = labels
    return found


SERIES = series()


def complaints(expression: str) -> list[str]:
    """What in it is not ours."""
    plain = expression.replace("$__rate_interval", "5m")
    return list(_complaints(promql_parser.parse(plain)))


def _complaints(node: Any) -> Iterator[str]:
    if isinstance(node, promql_parser.VectorSelector):
        if node.name not in SERIES:
            yield f"there is no {node.name}"
            return
        wrong = {matcher.name for matcher in node.matchers.matchers} - SERIES[node.name]
        yield from (f"{node.name} has no label {name}" for name in sorted(wrong))
    if isinstance(node, promql_parser.AggregateExpr) and node.modifier:
        every = set().union(*(SERIES.get(name, set()) for name in names(node.expr)))
        yield from (f"nothing has a label {name}" for name in sorted(set(node.modifier.labels) - every))
    for part in parts(node):
        yield from _complaints(part)


def parts(node: Any) -> list[Any]:
    inner = [getattr(node, name, None) for name in ("lhs", "rhs", "expr", "vector_selector")]
    return [part for part in (*inner, *getattr(node, "args", [])) if part is not None]


def names(node: Any) -> Iterator[str]:
    """The metrics in an expression."""
    if isinstance(node, promql_parser.VectorSelector) and node.name:
        yield node.name
    for part in parts(node):
        yield from names(part)


def charts() -> list[tuple[str, str, str]]:
    """Title, expression and legend of every line."""
    panels = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
    return [(panel["title"], line["expr"], line["legendFormat"]) for panel in panels for line in panel["targets"]]


@pytest.mark.parametrize(("title", "expression", "legend"), charts(), ids=lambda value: value[:40])
def test_every_line_of_a_chart_is_of_metrics_that_there_are(title: str, expression: str, legend: str) -> None:
    assert complaints(expression) == []
    assert 'job=~"$job"' in expression
    shown = set(re.findall(r"\{\{(\w+)\}\}", legend))
    by = {label for labels in re.findall(r"by \(([^)]*)\)", expression) for label in labels.split(", ")}
    assert shown <= by, title


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_every_alert_is_of_metrics_that_there_are_and_says_what_to_do(rule: dict[str, Any]) -> None:
    assert complaints(rule["expr"]) == []
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert rule["annotations"]["summary"].endswith((".", "}}."))
    assert len(rule["annotations"]["runbook"]) > 100
    shown = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
    assert shown <= {label for labels in re.findall(r"by \(([^)]*)\)", rule["expr"]) for label in labels.split(", ")}


def selected(node: Any) -> set[str]:
    """Of the states of breakers in an expression, those that its selectors take."""
    if isinstance(node, promql_parser.VectorSelector):
        return {state for state in BREAKER_STATES if takes(node, "state", state)}
    return {state for part in parts(node) for state in selected(part)}


def takes(selector: Any, label: str, value: str) -> bool:
    """Whether a selector takes a series with this label, as Prometheus matches."""
    return all(matches(matcher, value) for matcher in selector.matchers.matchers if matcher.name == label)


def matches(matcher: Any, value: str) -> bool:
    op = promql_parser.MatchOp
    equal = matcher.op in (op.Equal, op.NotEqual)
    found = value == matcher.value if equal else re.fullmatch(matcher.value, value) is not None
    return found is (matcher.op in (op.Equal, op.Re))


@pytest.mark.parametrize(
    ("alert", "states"),
    [("TerraphimTargetLeftAlone", {*BREAKER_STATES} - {"closed"}), ("TerraphimRuleQuarantined", {"quarantine"})],
)
def test_an_alert_on_a_breaker_is_of_all_states_that_it_means(alert: str, states: set[str]) -> None:
    """A probe of a target that hangs may last longer than the pause before it: that is no recovery."""
    [rule] = [rule for rule in RULES if rule["alert"] == alert]
    assert selected(promql_parser.parse(rule["expr"])) == states


@pytest.mark.parametrize(("outcome", "answers"), [
    ("ok", True), ("400", True), ("413", True), ("401", False), ("404", False), ("429", False), ("500", False),
    ("529", False), ("not_sent", False), ("cut", False),
])  # fmt: skip
def test_a_target_that_calls_a_request_wrong_answers(outcome: str, answers: bool) -> None:
    """One client that sends nonsense at night is no outage."""
    [rule] = [rule for rule in RULES if rule["alert"] == "TerraphimNoTargetAnswers"]
    answered: Any = promql_parser.parse(rule["expr"])
    [rate] = [part for part in walked(answered.rhs) if isinstance(part, promql_parser.VectorSelector)]
    assert takes(rate, "outcome", outcome) is answers


def walked(node: Any) -> Iterator[Any]:
    yield node
    for part in parts(node):
        yield from walked(part)


def test_commands_of_a_runbook_exist() -> None:
    group: Any = typer.main.get_command(cli.app)
    said = re.findall(r"`terraphim-proxy ([a-z]+)", re.sub(r"\s+", " ", ALERTS.read_text("utf-8")))
    assert set(said) <= set(group.commands)
    assert {"check", "doctor", "records"} <= set(said)


@pytest.mark.parametrize(
    ("expression", "complaint"),
    [
        ("sum(rate(terraphim_request_total[5m]))", "there is no terraphim_request_total"),
        ('terraphim_requests_total{code="200"}', "terraphim_requests_total has no label code"),
        ("sum by (code) (terraphim_requests_total)", "nothing has a label code"),
        ("1 - (absent(terraphim_gone) or sum by (job) (terraphim_requests_total))", "there is no terraphim_gone"),
        ("topk(3, terraphim_decision_seconds)", "there is no terraphim_decision_seconds"),
    ],
)
def test_a_wrong_name_is_seen(expression: str, complaint: str) -> None:
    assert complaints(expression) == [complaint]


def test_the_dashboard_is_what_its_script_writes() -> None:
    code = "import runpy; print(runpy.run_path('tools/dashboard.py')['text'](), end='')"
    made = subprocess.run([sys.executable, "-I", "-c", code], cwd=ROOT, check=True, capture_output=True).stdout
    assert made == (DEPLOY / "grafana" / "dashboard.json").read_bytes(), "run: python tools/dashboard.py"


def test_the_dashboard_can_be_imported() -> None:
    """By a file, into any Grafana: no fixed data source, each panel its own place and number."""
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}
    assert len(places) == len(panels)
    assert {panel["datasource"]["uid"] for panel in panels if panel["type"] != "row"} == {"${datasource}"}
    assert [variable["name"] for variable in DASHBOARD["templating"]["list"]] == ["datasource", "job", "instance"]


def test_every_metric_that_people_watch_is_on_the_dashboard_or_in_an_alert() -> None:
    asked = {
        name
        for _, expression, _ in charts()
        for name in names(promql_parser.parse(expression.replace("$__rate_interval", "5m")))
    }
    asked |= {name for rule in RULES for name in names(promql_parser.parse(rule["expr"]))}
    shown = {metric.shown for metric in METRICS if any(name.startswith(metric.shown) for name in asked)}
    assert {metric.shown for metric in METRICS} - shown <= {
        "terraphim_reload_seconds",
        "terraphim_reservations",
        "terraphim_rollout_calls_total",
        "terraphim_rollout_moves_total",
        "terraphim_cache_kept_total",
        "terraphim_tasks",
        "terraphim_metric_series",
        "terraphim_scrape_seconds",
        "process_virtual_memory_bytes",
        "process_start_time_seconds",
        "process_max_fds",
    }


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool (Debian: prometheus) is not installed")
def test_prometheus_own_tool_takes_the_alerts() -> None:
    checked = subprocess.run(["promtool", "check", "rules", str(ALERTS)], check=False, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr
