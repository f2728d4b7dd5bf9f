"""What a backtest has counted so far. It grows with what differs (targets, rules, reasons, days), not with the log, and
two tallies make the same one in whatever order they are added. Pure.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from msgspec import Struct, field

from core.decision_record import Record
from core.lab.compare import Compared, Removed, faulty
from core.lab.money import Bill

#: So many examples of each kind of difference are kept, the earliest.
EXAMPLES: Final = 5
#: Values are counted to so many binary digits: a percentile is at most 1/128 too low.
_BITS: Final = 8


class Example(Struct, frozen=True, order=True):
    """One decision that came out differently. `at_ms` is Unix time; reasons are before and after."""

    at_ms: int
    request_id: str
    session: str
    before: str
    after: str


class Kind(Struct):
    """A kind of difference: how often it was seen, and the first examples."""

    count: int = 0
    examples: list[Example] = []

    def add(self, count: int, examples: Iterable[Example]) -> None:
        self.count += count
        self.examples = sorted([*self.examples, *examples])[:EXAMPLES]


class Histogram(Struct):
    """Natural numbers, each cut to its first binary digits."""

    counts: Counter[int] = field(default_factory=Counter)
    most: int = 0

    def add(self, value: int) -> None:
        cut = max(0, value.bit_length() - _BITS)
        self.counts[value >> cut << cut] += 1
        self.most = max(self.most, value)

    def join(self, other: "Histogram") -> None:
        self.counts.update(other.counts)
        self.most = max(self.most, other.most)

    def percentile(self, percent: int) -> int:
        """The nearest rank's value; 0 of none."""
        wanted, seen = self.counts.total() * percent, 0
        for value in sorted(self.counts):
            seen += self.counts[value]
            if seen * 100 >= wanted:
                return value
        return 0


class RuleTally(Struct):
    """One rule, before and after. `won` says from whom it took decisions, `lost` to whom it lost them, `kept` how often
    it decided both times. `recorded` are answers that were taken from the record, not run.
    """

    asked_before: int = 0
    asked: int = 0
    decided_before: int = 0
    decided: int = 0
    kept: int = 0
    recorded: int = 0
    won: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    faults_before: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    fuel: Histogram = field(default_factory=Histogram)


class Money(Struct):
    """Micro-USD times a million, of requests that have a price on both sides. `unused`: requests without any usage;
    `unpriced` by the target that has no price.
    """

    requests: int = 0
    base: int = 0
    candidate: int = 0
    cold: int = 0
    unused: int = 0
    unpriced: Counter[str] = field(default_factory=Counter)
    #: By day (UTC, `YYYY-MM-DD`).
    base_days: Counter[str] = field(default_factory=Counter)
    candidate_days: Counter[str] = field(default_factory=Counter)


class Tally(Struct):
    """All of it."""

    records: int = 0
    partial: int = 0
    not_replayable: Counter[str] = field(default_factory=Counter)
    #: By target before and after.
    flips: dict[tuple[str, str], Kind] = {}
    #: Same target: by reason before and after.
    reasons: dict[tuple[str, str], Kind] = {}
    behind: int = 0
    removed_before: Counter[Removed] = field(default_factory=Counter)
    removed: Counter[Removed] = field(default_factory=Counter)
    #: By reason and status.
    refused: dict[tuple[str, str], Kind] = {}
    served: dict[tuple[str, str], Kind] = {}
    rules: dict[str, RuleTally] = {}
    money: Money = field(default_factory=Money)
    first_ms: int = 0
    last_ms: int = 0

    @property
    def replayed(self) -> int:
        """Records whose decision could be made again."""
        return self.records - self.not_replayable.total()

    def seen(self, at_ms: int) -> None:
        """A record of this moment was read."""
        self.records += 1
        self.first_ms = min(self.first_ms or at_ms, at_ms)
        self.last_ms = max(self.last_ms, at_ms)

    def add(self, record: Record, found: Compared, taken: Iterable[str] = ()) -> None:
        """A record whose decision was made again. `taken` are rules whose answers were the record's own, since they
        could not be run.
        """
        recorded = frozenset(taken)
        self.partial += bool(recorded)
        self._differences(record, found)
        self.removed_before.update(found.before.removed)
        self.removed.update(found.after.removed)
        for outcome in found.before.asked:
            rule = self._rule(outcome.rule)
            rule.asked_before += 1
            rule.faults_before.update([outcome.code] if faulty(outcome) else [])
        for outcome in found.after.asked:
            rule = self._rule(outcome.rule)
            rule.asked += 1
            rule.recorded += outcome.rule in recorded
            rule.faults.update([outcome.code] if faulty(outcome) else [])
            rule.fuel.add(outcome.fuel)
        self._deciders(found.before.by, found.after.by)

    def bill(self, at_ms: int, bill: Bill, base: str, candidate: str) -> None:
        """What it costs; the targets' names are for what has no price."""
        nameless = [name for name, sum_ in ((base, bill.base), (candidate, bill.candidate)) if sum_ is None]
        if bill.base is None or bill.candidate is None:
            self.money.unpriced.update(dict.fromkeys(nameless, 1))
            return
        day, money = day_of(at_ms), self.money
        money.requests += 1
        money.base, money.candidate = money.base + bill.base, money.candidate + bill.candidate
        money.cold += bill.cold
        money.base_days[day] += bill.base
        money.candidate_days[day] += bill.candidate

    def _differences(self, record: Record, found: Compared) -> None:
        before, after = found.before, found.after
        self.behind += found.behind
        example = Example(record.at_ms, record.request_id, record.inputs.features.session_id, before.by, after.by)
        if found.flipped:
            _kind(self.flips, before.target, after.target).add(1, [example])
        elif before.by != after.by:
            _kind(self.reasons, before.by, after.by).add(1, [example])
        if after.refused and not before.refused:
            _kind(self.refused, after.by, after.target).add(1, [example])
        if before.refused and not after.refused:
            _kind(self.served, before.by, before.target).add(1, [example])

    def _deciders(self, before: str, after: str) -> None:
        if before.startswith("rule:"):
            rule = self._rule(before.removeprefix("rule:"))
            rule.decided_before += 1
            rule.kept += before == after
            rule.lost.update([after] if before != after else [])
        if after.startswith("rule:"):
            rule = self._rule(after.removeprefix("rule:"))
            rule.decided += 1
            rule.won.update([before] if before != after else [])

    def _rule(self, name: str) -> RuleTally:
        return self.rules.setdefault(name, RuleTally())

    def join(self, other: "Tally") -> None:
        """Add what somebody else has counted."""
        first, last = min(filter(None, (self.first_ms, other.first_ms)), default=0), max(self.last_ms, other.last_ms)
        _join(self, other)
        self.first_ms, self.last_ms = first, last


def day_of(at_ms: int) -> str:
    """The day (UTC) of a moment, `YYYY-MM-DD`."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).date().isoformat()


def _kind(kinds: dict[tuple[str, str], Kind], before: str, after: str) -> Kind:
    return kinds.setdefault((before, after), Kind())


def _join(one: Any, other: Any) -> None:
    """Add the other's counts to the one's, whatever both are made of."""
    for name in one.__struct_fields__:
        mine, theirs = getattr(one, name), getattr(other, name)
        if isinstance(mine, int):
            setattr(one, name, mine + theirs)
        elif isinstance(mine, Counter):
            mine.update(theirs)
        elif isinstance(mine, dict):
            _join_each(mine, theirs)
        else:
            _join_one(mine, theirs)


def _join_each(one: dict[Any, Any], other: dict[Any, Any]) -> None:
    for key, theirs in other.items():
        _join_one(one.setdefault(key, type(theirs)()), theirs)


def _join_one(one: Any, other: Any) -> None:
    if isinstance(one, Kind):
        one.add(other.count, other.examples)
    elif isinstance(one, Histogram):
        one.join(other)
    else:
        _join(one, other)
