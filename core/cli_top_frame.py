"""One picture of `top`, as rich draws it: names of anybody's are made visible first."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from core.top_figures import Figures
from core.visible import visible

#: Columns of a terminal that shows everything of a request, and lines that its requests have at least.
_WIDE: Final = 110
_LEAST: Final = 6
#: Rows of targets and of rules, at most.
_SIDE: Final = 8
_BAD: Final = "bold red"
#: Columns that share what the others leave, in these parts; the others are as wide as what stands in them.
_RATIOS: Final = {"requested": 3, "resolved": 5, "reason": 4, "target": 5, "rule": 3, "outcomes": 5}
_LEAST_WIDTHS: Final = {"time": 8, "client": 8, "phase": 7, "tokens": 9, "USD": 6, "ms": 6}
_NUMBERS: Final = frozenset({"requests", "errors", "p50 ms", "USD", "ms", "tokens", "status", "µs p50"})


def frame(figures: Figures, *, where: str, state: str, now_ms: float, size: tuple[int, int]) -> Group:
    """`state` is empty while the proxy tells, else why it does not; `size` is the terminal's, columns and lines."""
    width, height = size
    head = _head(figures, where, state, now_ms)
    parts: list[RenderableType] = [head]
    left = height - 2 - len(head.wrap(Console(width=width), width))
    for rows in (_targets(figures.targets), _rules(figures.rules)):
        if rows is not None and left > rows.row_count + 2 + _LEAST:
            left -= rows.row_count + 2
            parts += [Text(), rows]
    shown = list(reversed(figures.requests.values()))[: max(1, left - 1)]
    return Group(*parts, Text(), _requests(shown, wide=width >= _WIDE))


def _head(figures: Figures, where: str, state: str, now_ms: float) -> Text:
    told, overview = figures.summary(now_ms), figures.overview
    text = Text(overflow="fold")
    text.append("terraphim-proxy ", style="bold")
    text.append(
        f"{visible(overview.get('version', ''), 20)}  {where}  snapshot {visible(overview.get('snapshot', '?'), 12)}"
    )
    if overview.get("simulated") is True:
        text.append("  SIMULATED", style="yellow")
    if state:
        text.append(f"  {visible(state)}", style=_BAD)
    problems = overview.get("problems")
    if isinstance(problems, list) and problems:
        text.append(f"  {len(problems)} problems", style=_BAD)
    text.append(f"\n{_rate(told['requests_per_s'])} requests/s, {_whole(told['in_flight'])} in flight, ")
    text.append(f"{_whole(told['requests'])} in all, ")
    text.append(f"{_whole(told['errors'])} errors", style=_BAD if told["errors"] else "")
    text.append(f" ({_rate(told['errors_per_s'])}/s)\n")
    text.append(f"ms p50 {_ms(told['ms_p50'])}, p95 {_ms(told['ms_p95'])}, ")
    text.append(f"first content p50 {_ms(told['first_ms_p50'])} (last minute); ")
    text.append(f"spent {_usd(told['spent_micro_usd'])}{' + ?' if told['unpriced'] else ''} ")
    text.append(f"(last {told['of']} requests)")
    if figures.lost:
        text.append(f"\n{figures.lost} requests were too many to show", style="yellow")
    return text


def _requests(shown: Sequence[Mapping[str, Any]], *, wide: bool) -> Table:
    names = ["time", "client", "requested", "resolved", "phase", "reason", "status", "tokens", "USD", "ms"]
    kept = [name for name in names if wide or name not in {"client", "phase", "tokens", "USD"}]
    table = _table(*kept)
    for each in shown:
        status, opened = each.get("status"), each.get("state") == "open"
        bad = bool(each.get("error")) or (isinstance(status, int) and status >= 400)
        cells = dict(zip(names, _cells(each, opened=opened), strict=True))
        table.add_row(*(cells[name] for name in kept), style=_BAD if bad else "dim" if opened else "")
    return table


def _cells(each: Mapping[str, Any], *, opened: bool) -> tuple[str, ...]:
    tokens = each.get("tokens")
    used = tokens if isinstance(tokens, dict) else {}
    return (
        _clock(each.get("at_ms")),
        visible(each.get("client") or each.get("agent") or "", 14),
        visible(each.get("requested") or "", 40),
        visible(each.get("answered_by") or each.get("target") or "-", 60),
        visible(each.get("phase") or "", 8),
        visible(each.get("reason") or "", 40),
        "…" if opened else visible(each.get("status"), 6),
        "" if opened else f"{_whole(used.get('input'))}/{_whole(used.get('output'))}",
        "" if opened else _usd(each.get("cost_micro_usd")),
        "" if opened else _ms(each.get("ms")),
    )


def _targets(targets: Sequence[Mapping[str, Any]]) -> Table | None:
    """Those that were asked or are unwell, the busiest first; None if there are none."""
    telling = [each for each in targets if each.get("requests") or each.get("breaker") not in {"closed", None}]
    telling.sort(key=lambda each: (each.get("breaker") == "closed", -_number(each.get("requests"))))
    if not telling:
        return None
    table = _table("target", "breaker", "requests", "errors", "p50 ms", "USD")
    for each in telling[:_SIDE]:
        well = each.get("breaker") == "closed"
        table.add_row(
            visible(each.get("target") or "", 44),
            visible(each.get("breaker") or "", 10),
            _whole(each.get("requests")),
            _whole(each.get("errors")),
            _ms(each.get("p50_ms")),
            _usd(each.get("spend_micro_usd")),
            style="" if well else _BAD,
        )
    return table


def _rules(rules: Sequence[Mapping[str, Any]]) -> Table | None:
    if not rules:
        return None
    table = _table("rule", "mode", "breaker", "outcomes", "µs p50")
    for each in rules[:_SIDE]:
        outcomes, micros = each.get("outcomes"), each.get("micros")
        counts = outcomes.items() if isinstance(outcomes, dict) else ()
        table.add_row(
            visible(each.get("name") or "", 30),
            visible(each.get("mode") or "", 10) if each.get("enabled") is not False else "off",
            visible(each.get("breaker") or "", 10),
            ", ".join(f"{visible(code, 12)} {_whole(count)}" for code, count in list(counts)[:6]),
            _whole(micros.get("p50")) if isinstance(micros, dict) else "",
            style=_BAD if each.get("problem") or each.get("breaker") in {"open", "quarantine"} else "",
        )
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, expand=True, header_style="bold")
    for name in columns:
        number = name in _NUMBERS
        table.add_column(
            Text(name),
            justify="right" if number else "left",
            no_wrap=True,
            overflow="ellipsis",
            ratio=_RATIOS.get(name),
            min_width=_LEAST_WIDTHS.get(name, len(name)) if name not in _RATIOS else None,
        )
    return table


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _rate(value: float | None) -> str:
    return "?" if value is None else f"{value:.1f}"


def _whole(value: Any) -> str:
    return f"{value:,.0f}" if isinstance(value, int | float) else "?"


def _ms(value: Any) -> str:
    return f"{value:,.0f}" if isinstance(value, int | float) else "-"


def _usd(micros: Any) -> str:
    return f"{micros / 1_000_000:.4f}" if isinstance(micros, int | float) else "?"


def _clock(at_ms: Any) -> str:
    try:
        return time.strftime("%H:%M:%S", time.localtime(at_ms / 1000))
    except (TypeError, ValueError, OverflowError, OSError):
        return "?"
