"""What a backtest found, as values that are printed: the same tally makes the same bytes. Pure.

Shares are of the decisions that could be made again, in thousandths of a per cent rounded to the nearest; money is in
US dollars, rounded to a millionth.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from msgspec import Struct

from core.lab.tally import Example, Histogram, Kind, Money, RuleTally, Tally
from core.prices import MICRO


class Shown(Struct, frozen=True):
    """One decision that came out differently; `time` is ISO 8601 (UTC)."""

    request_id: str
    time: str
    session: str
    before: str
    after: str


class Change(Struct, frozen=True):
    """What became of what, how often, and the earliest examples."""

    before: str
    after: str
    count: int
    share: float
    examples: list[Shown]


class Gate(Struct, frozen=True):
    """Decisions in which the gate turned away a target, by who had named it and why."""

    by: str
    target: str
    why: str
    before: int
    after: int


class Rule(Struct, frozen=True):
    """See `RuleTally`."""

    name: str
    asked: tuple[int, int]
    decided: tuple[int, int]
    kept: int
    recorded: int
    won: dict[str, int]
    lost: dict[str, int]
    faults_before: dict[str, int]
    faults: dict[str, int]
    fuel_p50: int
    fuel_p99: int
    fuel_max: int
    #: Instructions (the least of each octave) and how many calls had at least so many and less than twice of it.
    fuel: list[tuple[int, int]]


class Cost(Struct, frozen=True):
    """Requests that have a price on both sides. `cold`: what of the difference is due to prompt caches that hold less
    than those that were used.
    """

    requests: int
    base: float
    candidate: float
    difference: float
    share: float
    cold: float
    unused: int
    unpriced: dict[str, int]
    days: list[tuple[str, float, float]]


class Report(Struct, frozen=True, kw_only=True):
    """All of it. `candidate` are the names of what was tried, `digest` the SHA-256 of its content."""

    candidate: list[str]
    digest: str
    base: str
    records: int
    replayed: int
    replayable: float
    partial: int
    not_replayable: dict[str, int]
    since: str
    until: str
    flips: int
    flipped: float
    by_target: list[Change]
    reasons: int
    by_reason: list[Change]
    behind: int
    gate: list[Gate]
    refusals_new: int
    refusals_gone: int
    refused: list[Change]
    served: list[Change]
    faults: int
    rules: list[Rule]
    cost: Cost


def report(tally: Tally, candidate: Iterable[str], digest: str, base: str) -> Report:
    """The report of a finished tally."""
    whole = tally.replayed
    return Report(
        candidate=list(candidate),
        digest=digest,
        base=base,
        records=tally.records,
        replayed=whole,
        replayable=share(whole, tally.records),
        partial=tally.partial,
        not_replayable=_counts(tally.not_replayable),
        since=_time(tally.first_ms) if tally.records else "",
        until=_time(tally.last_ms) if tally.records else "",
        flips=_count(tally.flips),
        flipped=share(_count(tally.flips), whole),
        by_target=_changes(tally.flips, whole),
        reasons=_count(tally.reasons),
        by_reason=_changes(tally.reasons, whole),
        behind=tally.behind,
        gate=_gate(tally),
        refusals_new=_count(tally.refused),
        refusals_gone=_count(tally.served),
        refused=_changes(tally.refused, whole),
        served=_changes(tally.served, whole),
        faults=sum(rule.faults.total() for rule in tally.rules.values()),
        rules=[_rule(name, tally.rules[name]) for name in sorted(tally.rules)],
        cost=_cost(tally.money),
    )


def share(part: int, whole: int) -> float:
    """Per cent, to a thousandth of one; 0 of nothing."""
    return round(100 * part / whole, 3) if whole else 0.0


def _changes(kinds: Mapping[tuple[str, str], Kind], whole: int) -> list[Change]:
    """The most frequent first."""
    ordered = sorted(kinds.items(), key=lambda item: (-item[1].count, item[0]))
    return [
        Change(before, after, kind.count, share(kind.count, whole), [_shown(example) for example in kind.examples])
        for (before, after), kind in ordered
    ]


def _shown(example: Example) -> Shown:
    return Shown(example.request_id, _time(example.at_ms), example.session, example.before, example.after)


def _gate(tally: Tally) -> list[Gate]:
    """Those that the candidate adds or takes away first, then by how many."""
    both = tally.removed | tally.removed_before
    found = [Gate(each.by, each.target, each.why, tally.removed_before[each], tally.removed[each]) for each in both]
    return sorted(found, key=lambda gate: (-abs(gate.after - gate.before), -gate.after, gate.by, gate.target, gate.why))


def _rule(name: str, tally: RuleTally) -> Rule:
    return Rule(
        name=name,
        asked=(tally.asked_before, tally.asked),
        decided=(tally.decided_before, tally.decided),
        kept=tally.kept,
        recorded=tally.recorded,
        won=_counts(tally.won),
        lost=_counts(tally.lost),
        faults_before=_counts(tally.faults_before),
        faults=_counts(tally.faults),
        fuel_p50=tally.fuel.percentile(50),
        fuel_p99=tally.fuel.percentile(99),
        fuel_max=tally.fuel.most,
        fuel=_octaves(tally.fuel),
    )


def _octaves(fuel: Histogram) -> list[tuple[int, int]]:
    octaves: Counter[int] = Counter()
    for value, count in fuel.counts.items():
        octaves[1 << value.bit_length() >> 1] += count
    return sorted(octaves.items())


def _cost(money: Money) -> Cost:
    difference = money.candidate - money.base
    days = sorted(money.base_days | money.candidate_days)
    return Cost(
        requests=money.requests,
        base=_dollars(money.base),
        candidate=_dollars(money.candidate),
        difference=_dollars(difference),
        share=share(difference, money.base),
        cold=_dollars(money.cold),
        unused=money.unused,
        unpriced=_counts(money.unpriced),
        days=[(day, _dollars(money.base_days[day]), _dollars(money.candidate_days[day])) for day in days],
    )


def _dollars(exact: int) -> float:
    return round(exact / MICRO / MICRO, 6)


def _count(kinds: Mapping[tuple[str, str], Kind]) -> int:
    return sum(kind.count for kind in kinds.values())


def _counts(counter: Counter[str]) -> dict[str, int]:
    """The most frequent first."""
    return dict(sorted(counter.items(), key=lambda item: (-item[1], item[0])))


def _time(at_ms: int) -> str:
    moment = datetime.fromtimestamp(at_ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
