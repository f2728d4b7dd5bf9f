"""A backtest's report for people, as a terminal's lines. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeVar

from core.lab.report import Change, Report, Rule
from wasm_host.answer import clean

#: So many lines of a kind are printed; the JSON has all.
TOP: Final = 10
_T = TypeVar("_T")


def summary(found: Report) -> list[tuple[str, str]]:
    """The figures that are looked at first."""
    rows = [
        ("records", f"{found.records:,}" + (f", {found.since} to {found.until}" if found.records else "")),
        ("decided again", f"{found.replayed:,} ({found.replayable:g} %)"),
    ]
    if found.partial:
        rows.append(("of these partial", f"{found.partial:,} (a rule's answer was taken from the record)"))
    return [
        *rows,
        ("flips", f"{found.flips:,} ({found.flipped:g} %)"),
        ("other reason, same target", f"{found.reasons:,}"),
        ("other fallbacks or limits only", f"{found.behind:,}"),
        ("refusals", f"{found.refusals_new:,} new, {found.refusals_gone:,} gone"),
        ("faults of rules", f"{found.faults:,}"),
        ("cost", cost_line(found)),
    ]


def cost_line(found: Report) -> str:
    """What it costs, in words."""
    cost = found.cost
    if not cost.requests:
        return "no request has usage and prices on both sides" + _without(found)
    sign = "+" if cost.difference > 0 else ""
    change = f"{sign}{cost.difference:.4f} USD" + (f" ({sign}{cost.share:g} %)" if cost.base else "")
    said = f"{cost.base:.4f} USD to {cost.candidate:.4f} USD, {change}"
    cold = f", of which {cost.cold:.4f} USD for prompt caches that are lost" if cost.cold else ""
    return f"{said}{cold}; {cost.requests:,} requests{_without(found)}"


def _without(found: Report) -> str:
    unpriced = sum(found.cost.unpriced.values())
    left_out = [(found.cost.unused, "without usage"), (unpriced, "without a price")]
    return "".join(f", {count:,} {what} left out" for count, what in left_out if count)


def text(found: Report, broken: Sequence[str] = ()) -> str:
    """For a terminal."""
    width = max(len(name) for name, _ in summary(found))
    lines = [f"{', '.join(found.candidate)} against {base_of(found)}"]
    lines += [f"  {name:<{width}}  {value}" for name, value in summary(found)]
    for title, said in _sections(found):
        lines += ["", title, *(f"  {line}" for line in said)]
    lines += ["", *(f"exceeded: {each}" for each in broken)] if broken else []
    return "\n".join(map(clean, lines))


def base_of(found: Report) -> str:
    """What the candidate was put into."""
    return "the present configuration" if found.base == "current" else "what was decided"


def _sections(found: Report) -> Iterator[tuple[str, list[str]]]:
    """Titles, each with its lines; those of which there is nothing to say are left out."""
    changes = (
        ("flips", found.by_target),
        ("other reasons", found.by_reason),
        ("new refusals", found.refused),
        ("refusals gone", found.served),
    )
    for title, listed in changes:
        if listed:
            yield title, [line for change in _top(listed) for line in _change_lines(change)] + _more(listed)
    if moved := [gate for gate in found.gate if gate.before != gate.after]:
        told = [f"{gate.by} names {gate.target}: {gate.why}: {gate.before} → {gate.after}" for gate in _top(moved)]
        yield "turned away by the gate", told + _more(moved)
    if found.rules:
        yield "rules", [line for rule in found.rules for line in rule_lines(rule)]
    if found.not_replayable:
        yield "not decided again", [f"{count:,}  {why}" for why, count in found.not_replayable.items()][:TOP]
    if found.cost.unpriced:
        yield "without a price", [f"{count:,}  {name}" for name, count in found.cost.unpriced.items()][:TOP]


def _top(listed: Sequence[_T]) -> Sequence[_T]:
    return listed[:TOP]


def _more(listed: Sequence[object]) -> list[str]:
    return [f"and {len(listed) - TOP} more (--json has all)"] if len(listed) > TOP else []


def _change_lines(change: Change) -> Iterator[str]:
    yield f"{change.count:,} ({change.share:g} %)  {change.before} → {change.after}"
    for shown in change.examples[:2]:
        yield f"    {shown.request_id}  {shown.time}  {shown.before} → {shown.after}"


def rule_lines(rule: Rule) -> Iterator[str]:
    """What is said of one rule."""
    (asked_before, asked), (before, after) = rule.asked, rule.decided
    recorded = f", {rule.recorded:,} answers from the record" if rule.recorded else ""
    yield f"{rule.name}: asked {asked_before:,} → {asked:,}, decided {before:,} → {after:,}{recorded}"
    fuel = f"fuel p50 {rule.fuel_p50:,}, p99 {rule.fuel_p99:,}, max {rule.fuel_max:,}"
    for title, counted in (("won from", rule.won), ("lost to", rule.lost), ("faults", rule.faults)):
        if counted:
            fuel += f"; {title} {counts(counted)}"
    yield f"    {fuel}"


def counts(counted: Mapping[str, int]) -> str:
    """Names with their counts."""
    return ", ".join(f"{name} {count:,}" for name, count in list(counted.items())[:TOP])
