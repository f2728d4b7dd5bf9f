"""A backtest's report as values."""

import msgspec
from reported import empty, full

from core.lab.report import Report


def test_shares_are_of_what_was_decided_again() -> None:
    found = full()
    assert (found.records, found.replayed, found.replayable) == (1000, 950, 95.0)
    assert (found.flips, found.flipped) == (21, 2.211)
    assert [(change.before, change.after, change.count, change.share) for change in found.by_target] == [
        ("a,b", "c,d", 19, 2.0), ("c,d", "refused 403", 2, 0.211),
    ]  # fmt: skip
    assert list(found.not_replayable.values()) == [40, 10]
    assert (found.since, found.until) == ("1970-01-02T00:00:00.000Z", "1970-01-03T23:59:59.999Z")


def test_money_is_in_dollars() -> None:
    cost = full().cost
    assert (cost.base, cost.candidate, cost.difference, cost.share, cost.cold) == (5.0, 4.0, -1.0, -20.0, 0.1)
    assert cost.days == [("1970-01-02", 2.0, 1.0), ("1970-01-03", 3.0, 3.0)]


def test_rules_and_gate() -> None:
    found = full()
    [rule], [gate] = found.rules, found.gate
    assert (rule.decided, rule.won, rule.faults, found.faults) == ((0, 21), {"default": 21}, {"trap": 2}, 2)
    assert (rule.fuel_p50, rule.fuel_max) == (900, 1100)
    assert rule.fuel == [(0, 1), (2, 1), (512, 2), (1024, 1)]
    assert (gate.by, gate.before, gate.after) == ("rule:x", 0, 5)


def test_the_same_tally_makes_the_same_bytes() -> None:
    assert msgspec.json.encode(full()) == msgspec.json.encode(full())
    assert msgspec.json.decode(msgspec.json.encode(full()), type=Report) == full()


def test_nothing_is_no_hundred_per_cent() -> None:
    found = empty()
    assert (found.replayable, found.flipped, found.cost.share, found.since) == (0.0, 0.0, 0.0, "")
