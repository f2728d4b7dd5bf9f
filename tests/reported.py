"""A backtest's report with something of everything in it, for the tests of its forms."""

from core.lab.compare import Removed
from core.lab.report import Report, report
from core.lab.tally import Example, Histogram, Kind, RuleTally, Tally

#: What a client might call a model, or an author a rule's reason.
HOSTILE = '<script>alert("x")</script>|`@team`[a](http://b)\x1b[31m\u202e'
DAY_MS = 86_400_000


def full(name: str = "x.wasm", target: str = "c,d") -> Report:
    """1000 records of two days, of which 950 could be decided again."""
    tally = Tally(records=1000, partial=7, behind=3, first_ms=DAY_MS, last_ms=3 * DAY_MS - 1)
    tally.not_replayable.update({"rule x, which reads request.last_user": 40, "snapshot 0123456789ab is not kept": 10})
    examples = [Example(DAY_MS + at, f"req_{at}", "~s", "default", "rule:x") for at in range(5)]
    tally.flips = {("a,b", target): Kind(19, examples), (target, "refused 403"): Kind(2, examples[:1])}
    tally.reasons = {("default", "rule:x"): Kind(4, examples[:2])}
    tally.refused = {("rule:x", "refused 403"): Kind(2, examples[:1])}
    tally.removed.update({Removed("rule:x", target, "cannot do images"): 5})
    fuel = Histogram()
    for value in (0, 3, 900, 1000, 1100):
        fuel.add(value)
    tally.rules["x"] = RuleTally(asked=950, decided=21, fuel=fuel)
    tally.rules["x"].won["default"] = 21
    tally.rules["x"].faults["trap"] = 2
    money = tally.money
    money.requests, money.base, money.candidate, money.cold, money.unused = 900, 5 * 10**12, 4 * 10**12, 10**11, 20
    money.unpriced[target] = 30
    money.base_days.update({"1970-01-02": 2 * 10**12, "1970-01-03": 3 * 10**12})
    money.candidate_days.update({"1970-01-02": 10**12, "1970-01-03": 3 * 10**12})
    return report(tally, [name], "ab" * 32, "record")


def empty() -> Report:
    """Of nothing."""
    return report(Tally(), ["x.wasm"], "", "current")
