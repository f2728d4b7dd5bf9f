"""Writes `deploy/grafana/dashboard.json`: a Grafana dashboard is too long to keep by hand, and easy to get wrong."""

import json
from pathlib import Path
from typing import Any, Final, NamedTuple

PATH: Final = Path(__file__).parent.parent / "deploy" / "grafana" / "dashboard.json"
_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
#: A chart is a third of the width and so high, in Grafana's units.
_WIDTH, _HEIGHT = 8, 8


class Chart(NamedTuple):
    """One panel: a title, a unit of Grafana's, and pairs of an expression and the legend of its lines.

    In expressions `@` stands for the chosen jobs and instances, `~` for the rate's interval.
    """

    title: str
    unit: str
    lines: tuple[tuple[str, str], ...]
    stacked: bool = False
    says: str = ""


def _quantiles(metric: str, by: str, legend: str) -> tuple[tuple[str, str], ...]:
    """The median and the slowest twentieth."""
    spread = f"sum by ({by}, le) (rate({metric}_bucket{{@}}[~]))"
    return tuple((f"histogram_quantile({q}, {spread})", f"{legend} p{round(q * 100)}") for q in (0.5, 0.95))


_SHARE = 'sum(rate(terraphim_requests_total{{@, status=~"{0}.."}}[~])) / sum(rate(terraphim_requests_total{{@}}[~]))'
_RATE = "sum by ({by}) (rate({metric}{{@}}[~]))"


def _rate(metric: str, by: str, legend: str = "") -> tuple[tuple[str, str], ...]:
    words = legend or " ".join(f"{{{{{label.strip()}}}}}" for label in by.split(","))
    return ((_RATE.format(metric=metric, by=by), words),)


ROWS: Final[dict[str, tuple[Chart, ...]]] = {
    "Requests": (
        Chart("Requests", "reqps", _rate("terraphim_requests_total", "endpoint, status"), stacked=True),
        Chart(
            "Errors",
            "percentunit",
            ((_SHARE.format(5), "5xx"), (_SHARE.format(4), "4xx")),
            says="499 is a client that left.",
        ),
        Chart("Time of a request", "s", _quantiles("terraphim_request_seconds", "endpoint", "{{endpoint}}")),
        Chart(
            "Time to first token",
            "s",
            _quantiles("gen_ai_server_time_to_first_token_seconds", "gen_ai_request_model", "{{gen_ai_request_model}}"),
        ),
        Chart(
            "Time per output token",
            "s",
            _quantiles(
                "gen_ai_server_time_per_output_token_seconds", "gen_ai_request_model", "{{gen_ai_request_model}}"
            ),
        ),
        Chart(
            "Between two chunks",
            "s",
            _quantiles(
                "gen_ai_client_operation_time_per_output_chunk_seconds",
                "gen_ai_provider_name",
                "{{gen_ai_provider_name}}",
            ),
        ),
    ),
    "Decisions": (
        Chart("By phase", "reqps", _rate("terraphim_decisions_total", "phase"), stacked=True),
        Chart("By reason", "reqps", _rate("terraphim_decisions_total", "reason"), stacked=True),
        Chart("Time until decided", "s", _quantiles("terraphim_decision_seconds", "job", "{{job}}")),
    ),
    "Tokens and money": (
        Chart("Tokens", "short", _rate("terraphim_tokens_total", "kind"), stacked=True),
        Chart("Tokens by target", "short", _rate("terraphim_tokens_total", "target"), stacked=True),
        Chart(
            "Cost a day at this rate",
            "currencyUSD",
            (("sum by (target) (rate(terraphim_cost_micro_usd_total{@}[1h])) * 86400 / 1e6", "{{target}}"),),
            stacked=True,
        ),
        Chart(
            "Budgets",
            "percentunit",
            (
                (
                    "max by (client, period) (terraphim_budget_spent_micro_usd{@}) "
                    "/ max by (client, period) (terraphim_budget_limit_micro_usd{@})",
                    "{{client}} {{period}}",
                ),
            ),
        ),
        Chart("Requests without a price", "reqps", _rate("terraphim_unpriced_requests_total", "job")),
        Chart(
            "Tokens a request",
            "short",
            _quantiles("gen_ai_client_token_usage", "gen_ai_token_type", "{{gen_ai_token_type}}"),
        ),
    ),
    "Targets": (
        Chart("Attempts", "reqps", _rate("terraphim_attempts_total", "target, outcome"), stacked=True),
        Chart(
            "Time of an attempt",
            "s",
            _quantiles("gen_ai_client_operation_duration_seconds", "gen_ai_request_model", "{{gen_ai_request_model}}"),
        ),
        Chart(
            "Left alone",
            "short",
            (('max by (target, state) (terraphim_target_breaker{@, state!="closed"})', "{{target}} {{state}}"),),
        ),
        Chart(
            "Fallbacks",
            "reqps",
            _rate("terraphim_fallbacks_total", "target, answered_by", "{{target}} → {{answered_by}}"),
        ),
        Chart(
            "Passed over and asked again",
            "reqps",
            (
                *_rate("terraphim_passed_over_total", "target, why"),
                *_rate("terraphim_retries_total", "reason, action"),
                *_rate("terraphim_retries_refused_total", "job", "refused {{job}}"),
            ),
        ),
        Chart(
            "Keys that rest, connections",
            "short",
            (
                *_rate("terraphim_key_rests_total", "provider, why"),
                ("sum by (state) (terraphim_upstream_connections{@})", "{{state}}"),
            ),
        ),
    ),
    "Rules": (
        Chart("Outcomes", "ops", _rate("terraphim_rule_outcomes_total", "rule, outcome"), stacked=True),
        Chart("Fuel", "ops", _rate("terraphim_rule_fuel_total", "rule"), says="Instructions a second."),
        Chart("Time of a rule", "s", _quantiles("terraphim_rule_seconds", "rule", "{{rule}}")),
        Chart(
            "Breakers",
            "short",
            (('max by (rule, state) (terraphim_rule_breaker{@, state!="closed"})', "{{rule}} {{state}}"),),
        ),
        Chart(
            "Rolled out",
            "percent",
            (("max by (rule) (terraphim_rule_share{@})", "{{rule}}"),),
            says="Per cent of the sessions that a rule decides for.",
        ),
        Chart(
            "Workers",
            "short",
            (
                ("sum(terraphim_rule_workers{@})", "workers"),
                *_rate("terraphim_rule_worker_exits_total", "cause"),
                *_quantiles("terraphim_rule_queue_seconds", "job", "queue"),
            ),
        ),
    ),
    "Limits and stores": (
        Chart(
            "Refused",
            "reqps",
            (*_rate("terraphim_limited_total", "scope, limit"), *_rate("terraphim_refused_total", "reason")),
        ),
        Chart(
            "Redis",
            "ops",
            (*_rate("terraphim_redis_commands_total", "outcome"), ("max(terraphim_redis_down{@})", "down")),
        ),
        Chart("Time of a command to Redis", "s", _quantiles("terraphim_redis_seconds", "job", "{{job}}")),
        Chart(
            "Sessions and answers kept",
            "short",
            (
                ("sum(terraphim_sessions{@})", "sessions"),
                *_rate("terraphim_session_reads_total", "outcome", "session {{outcome}}"),
                *_rate("terraphim_cache_total", "outcome", "answer {{outcome}}"),
            ),
        ),
        Chart(
            "Lost",
            "short",
            (
                ('sum(increase(terraphim_records_total{@, outcome="lost"}[~]))', "usage records"),
                ('sum(increase(terraphim_decision_records_total{@, outcome="lost"}[~]))', "decision records"),
                ("sum(increase(terraphim_log_lines_dropped_total{@}[~]))", "log lines"),
                ('sum(increase(terraphim_spans_total{@, outcome="lost"}[~]))', "spans"),
                ("sum(increase(terraphim_redis_writes_dropped_total{@}[~]))", "writes to Redis"),
            ),
        ),
        Chart("Bytes of answers kept", "bytes", (("sum(terraphim_cache_bytes{@})", "kept"),)),
    ),
    "Configuration and process": (
        Chart(
            "Reloads",
            "short",
            (
                ("sum by (outcome) (increase(terraphim_reloads_total{@}[~]))", "{{outcome}}"),
                ("max(terraphim_reload_failed{@})", "files are refused"),
                ("max(terraphim_problems{@})", "problems"),
            ),
        ),
        Chart(
            "Age of the configuration",
            "s",
            (("time() - max by (instance) (terraphim_last_reload_success_timestamp_seconds{@})", "{{instance}}"),),
        ),
        Chart(
            "Snapshots and versions",
            "short",
            (
                ("sum by (id) (terraphim_snapshot{@})", "{{id}}"),
                ("sum by (version) (terraphim_build_info{@})", "{{version}}"),
            ),
        ),
        Chart(
            "Processor", "percentunit", (("sum by (instance) (rate(process_cpu_seconds_total{@}[~]))", "{{instance}}"),)
        ),
        Chart("Memory", "bytes", (("sum by (instance) (process_resident_memory_bytes{@})", "{{instance}}"),)),
        Chart(
            "Under way",
            "short",
            (
                ("sum(terraphim_in_flight{@})", "requests"),
                ("sum by (phase) (terraphim_connections{@})", "connections {{phase}}"),
                ("sum(process_open_fds{@})", "files and sockets"),
                ("sum(terraphim_processes{@})", "processes"),
            ),
        ),
    ),
}


def expression(text: str) -> str:
    """As Grafana takes it."""
    return text.replace("@", 'job=~"$job", instance=~"$instance"').replace("[~]", "[$__rate_interval]")


def _panel(chart: Chart, number: int, x: int, y: int) -> dict[str, Any]:
    custom: dict[str, Any] = {"fillOpacity": 20 if chart.stacked else 5, "lineWidth": 1, "showPoints": "never"}
    custom |= {"stacking": {"mode": "normal" if chart.stacked else "none", "group": "A"}}
    return {
        "id": number,
        "type": "timeseries",
        "title": chart.title,
        "description": chart.says,
        "datasource": _SOURCE,
        "gridPos": {"h": _HEIGHT, "w": _WIDTH, "x": x, "y": y},
        "fieldConfig": {"defaults": {"unit": chart.unit, "min": 0, "custom": custom}, "overrides": []},
        "options": {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        "targets": [
            {"refId": chr(ord("A") + at), "datasource": _SOURCE, "expr": expression(expr), "legendFormat": legend}
            for at, (expr, legend) in enumerate(chart.lines)
        ],
    }


def _panels() -> list[dict[str, Any]]:
    panels: list[dict[str, Any]] = []
    y = 0
    for title, charts in ROWS.items():
        grid = {"h": 1, "w": 3 * _WIDTH, "x": 0, "y": y}
        panels.append(
            {"id": len(panels) + 1, "type": "row", "title": title, "collapsed": False, "gridPos": grid, "panels": []}
        )
        for at, chart in enumerate(charts):
            panels.append(_panel(chart, len(panels) + 1, at % 3 * _WIDTH, y + 1 + at // 3 * _HEIGHT))
        y += 1 + -(-len(charts) // 3) * _HEIGHT
    return panels


def _variable(name: str, query: str) -> dict[str, Any]:
    return {
        "name": name,
        "type": "query",
        "datasource": _SOURCE,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }


def dashboard() -> dict[str, Any]:
    """The whole of it, as Grafana exports one."""
    source: dict[str, Any] = {"name": "datasource", "type": "datasource", "query": "prometheus", "current": {}}
    variables: list[dict[str, Any]] = [
        source,
        _variable("job", "label_values(terraphim_build_info, job)"),
        _variable("instance", 'label_values(terraphim_build_info{job=~"$job"}, instance)'),
    ]
    return {
        "title": "Terraphim LLM Proxy",
        "uid": "terraphim-llm-proxy",
        "description": "Made by tools/dashboard.py. Every process of an address answers for all of them.",
        "tags": ["terraphim", "llm"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": variables},
        "annotations": {"list": []},
        "panels": _panels(),
    }


def text() -> str:
    """The file's text."""
    return json.dumps(dashboard(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PATH.parent.mkdir(parents=True, exist_ok=True)
    PATH.write_text(text(), "utf-8")
