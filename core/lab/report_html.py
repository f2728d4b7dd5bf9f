"""A backtest's report as one HTML page that needs nothing else: no script, no file from elsewhere. Pure."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from core.lab.plots import columns, flows
from core.lab.report import Change, Report
from core.lab.report_text import base_of, counts, summary
from wasm_host.answer import clean

_STYLE: Final = """
:root { color-scheme: light dark; --back: #fff; --ink: #1b1f24; --faint: #d0d7de; --bad: #b42318; --good: #1a7f37; }
@media (prefers-color-scheme: dark) {
  :root { --back: #14171b; --ink: #e6e8eb; --faint: #3a4048; --bad: #ff8a80; --good: #6fdc8c; }
}
body { background: var(--back); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; max-width: 62rem;
  margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: .5rem 0 1.5rem; display: block; overflow-x: auto; }
th, td { border-bottom: 1px solid var(--faint); padding: .25rem .75rem .25rem 0; text-align: left;
  vertical-align: top; }
td.n { text-align: right; font-variant-numeric: tabular-nums; }
svg { width: 100%; height: auto; font-size: 12px; }
svg text { fill: currentColor; } svg line { stroke: var(--faint); }
.band { fill: none; stroke-opacity: .55; }
.c0 { fill: #3b82c4; stroke: #3b82c4; } .c1 { fill: #d97a29; stroke: #d97a29; } .c2 { fill: #3fa373; stroke: #3fa373; }
.c3 { fill: #a061c4; stroke: #a061c4; } .c4 { fill: #c9516b; stroke: #c9516b; } .c5 { fill: #8c8f3a; stroke: #8c8f3a; }
svg .band { fill: none; } rect { stroke: none; }
.bad { color: var(--bad); } .good { color: var(--good); }
"""
#: Nothing is fetched, nothing runs, whatever a name says.
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
_MOST: Final = 200


def html(found: Report, broken: Sequence[str] = (), bounds: Sequence[str] = ()) -> str:
    """The page."""
    title = f"Backtest of {', '.join(found.candidate)}"
    body = [_tag("h1", title), _tag("p", f"against {base_of(found)}"), *_verdict(broken, bounds)]
    body += [_rows((), summary(found))]
    body += _section("Flips", flows([(each.before, each.after, each.count) for each in found.by_target[:12]]))
    body += _changes("Flips", found.by_target) + _changes("Other reasons, same target", found.by_reason)
    body += _changes("New refusals", found.refused) + _changes("Refusals gone", found.served)
    body += _money(found) + _gate(found) + _rules(found)
    whys = [(why, f"{count:,}") for why, count in found.not_replayable.items()]
    body += _section("Not decided again", _rows(("why", "records"), whys)) if whys else []
    head = [
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">',
        '<meta name="viewport" content="width=device-width">',
        _tag("title", title),
        f"<style>{_STYLE}</style>",
    ]
    return "\n".join(["<!doctype html>", '<html lang="en">', *head, *body, "</html>", ""])


def _verdict(broken: Sequence[str], bounds: Sequence[str]) -> list[str]:
    if broken:
        return [_tag("p", f"exceeded: {each}", "bad") for each in broken]
    return [_tag("p", f"held: {', '.join(bounds)}", "good")] if bounds else []


def _changes(title: str, changes: Sequence[Change]) -> list[str]:
    """A table; each row with its examples."""
    if not changes:
        return []
    rows = []
    for change in changes[:_MOST]:
        examples = "; ".join(
            f"{shown.time} {shown.request_id} session {shown.session or 'none'}: {shown.before} → {shown.after}"
            for shown in change.examples
        )
        rows.append((change.before, change.after, f"{change.count:,}", f"{change.share:g} %", examples))
    return _section(title, _rows(("from", "to", "count", "share", "examples"), rows))


def _money(found: Report) -> list[str]:
    days = found.cost.days
    if not days:
        return []
    series = [("as it was", [each[1] for each in days]), ("candidate", [each[2] for each in days])]
    plot = columns([day for day, *_ in days], series, "USD", "Cost by day")
    rows = [(day, f"{before:.6f}", f"{after:.6f}") for day, before, after in days]
    return _section("Cost by day", plot + _rows(("day (UTC)", "as it was, USD", "candidate, USD"), rows))


def _gate(found: Report) -> list[str]:
    rows = [
        (gate.by, gate.target, gate.why, f"{gate.before:,}", f"{gate.after:,}")
        for gate in found.gate[:_MOST]
        if gate.before != gate.after
    ]
    heading = ("who named it", "target", "why", "before", "after")
    return _section("Turned away by the gate", _rows(heading, rows)) if rows else []


def _rules(found: Report) -> list[str]:
    body = []
    for rule in found.rules:
        rows = [
            ("asked", f"{rule.asked[0]:,} → {rule.asked[1]:,}"),
            ("decided", f"{rule.decided[0]:,} → {rule.decided[1]:,}"),
            ("won from", counts(rule.won)),
            ("lost to", counts(rule.lost)),
            ("faults", f"{counts(rule.faults_before) or 'none'} → {counts(rule.faults) or 'none'}"),
            ("answers from the record", f"{rule.recorded:,}"),
            ("fuel p50, p99, max", f"{rule.fuel_p50:,}, {rule.fuel_p99:,}, {rule.fuel_max:,}"),
        ]
        names = [f"{least:,}" for least, _ in rule.fuel]
        plot = columns(names, [("calls", [float(count) for _, count in rule.fuel])], "calls", f"Fuel of {rule.name}")
        body += _section(f"Rule {rule.name}", _rows((), rows) + plot)
    return body


def _section(title: str, content: str) -> list[str]:
    return [_tag("h2", title), content] if content else []


def _rows(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(_tag("th", cell) for cell in heading)
    body = "\n".join(f"<tr>{''.join(_tag('td', cell) for cell in row)}</tr>" for row in rows)
    return f"<table>\n{f'<tr>{head}</tr>' if head else ''}\n{body}\n</table>"


def _tag(name: str, said: str, kind: str = "") -> str:
    """An element with this text, whatever characters are in it."""
    its = f' class="{kind}"' if kind else ""
    return f"<{name}{its}>{escape(clean(said))}</{name}>"
