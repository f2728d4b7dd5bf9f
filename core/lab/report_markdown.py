"""A backtest's report as Markdown, for a pull request. Pure."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar

from core.lab.report import Change, Report, Rule
from core.lab.report_text import TOP, base_of, counts, summary
from wasm_host.answer import clean

#: What Markdown or HTML would take for its own: names come from clients and from rules' files.
_MARKS: Final = re.compile(r"([\\`*_{}\[\]()<>#!|~&$]|:(?=//)|(?<=www)[.])")
_SPACE: Final = re.compile(r"\s+")
_T = TypeVar("_T")


def markdown(found: Report, broken: Sequence[str] = (), bounds: Sequence[str] = ()) -> str:
    """For a pull request: what holds, the figures, the most frequent flips with an example each, rules."""
    lines = [f"### Backtest of {_names(found.candidate)}", ""]
    if bounds:
        lines += [f"**Exceeded:** {escaped('; '.join(broken))}" if broken else f"Held: {_names(bounds)}", ""]
    lines += _table(
        ("", escaped(f"against {base_of(found)}")), ((name, escaped(value)) for name, value in summary(found))
    )
    tables: tuple[tuple[str, Sequence[Change]], ...] = (
        ("Flips", found.by_target),
        ("Other reasons", found.by_reason),
        ("New refusals", found.refused),
        ("Refusals gone", found.served),
    )
    for title, changes in tables:
        lines += _changes_table(title, changes)
    moved = [gate for gate in found.gate if gate.before != gate.after]
    lines += _titled(
        "Turned away by the gate", ("who", "target", "why", "before", "after"), moved,
        lambda gate: (gate.by, gate.target, gate.why, str(gate.before), str(gate.after)),
    )  # fmt: skip
    lines += _titled(
        "Rules", ("rule", "decided before", "decided after", "won from", "lost to", "faults", "fuel p50 / p99 / max"),
        found.rules, _rule_row,
    )  # fmt: skip
    lines += _titled(
        "Not decided again",
        ("why", "records"),
        list(found.not_replayable.items()),
        lambda item: (item[0], str(item[1])),
    )
    return "\n".join(lines).rstrip() + "\n"


def _rule_row(rule: Rule) -> tuple[str, ...]:
    fuel = f"{rule.fuel_p50:,} / {rule.fuel_p99:,} / {rule.fuel_max:,}"
    decided = (f"{rule.decided[0]:,}", f"{rule.decided[1]:,}")
    return (rule.name, *decided, counts(rule.won), counts(rule.lost), counts(rule.faults), fuel)


def _changes_table(title: str, changes: Sequence[Change]) -> list[str]:
    def row(change: Change) -> tuple[str, ...]:
        shown = change.examples[0]
        example = f"{shown.request_id}: {shown.before} → {shown.after}"
        return change.before, change.after, f"{change.count:,}", f"{change.share:g} %", example

    return _titled(title, ("from", "to", "count", "share", "example"), changes, row)


def _titled(title: str, heading: Sequence[str], rows: Sequence[_T], row: Callable[[_T], Sequence[str]]) -> list[str]:
    """A table under a title, as long as there is something in it."""
    if not rows:
        return []
    cells = ([escaped(cell) for cell in row(each)] for each in rows[:TOP])
    more = [f"… and {len(rows) - TOP} more", ""] if len(rows) > TOP else []
    return [f"#### {title}", "", *_table(heading, cells), *more]


def _table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    ruler = "|".join("---" for _ in heading)
    return [f"| {' | '.join(heading)} |", f"|{ruler}|", *(f"| {' | '.join(row)} |" for row in rows), ""]


def _names(names: Iterable[str]) -> str:
    return ", ".join(map(escaped, names))


def escaped(value: str) -> str:
    """Text that Markdown shows as it is, on one line, and that mentions nobody."""
    return _MARKS.sub(r"\\\1", _SPACE.sub(" ", clean(value))).replace("@", "@\N{ZERO WIDTH SPACE}")
