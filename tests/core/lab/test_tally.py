"""Counting what a backtest found."""

from random import Random

import msgspec
import pytest
from facts import settings, snapshot
from relived import CHEAP, CLEVER, live

from core.decision_record import Record
from core.exchange import Decision, Refusal
from core.lab.compare import compared
from core.lab.money import Bill
from core.lab.tally import EXAMPLES, Histogram, Tally, day_of
from wasm_host.answer import Outcome

REFUSED = Decision("custom", "denied", (), "s", refusal=Refusal(403, "no"))


@pytest.fixture(scope="module")
def record() -> Record:
    return live(snapshot(settings(default=CLEVER)))


@pytest.fixture(scope="module")
def other() -> Decision:
    return live(snapshot(settings(default=CHEAP))).decision


def numbered(record: Record, number: int) -> Record:
    return msgspec.structs.replace(record, request_id=f"req_{number:03}", at_ms=86_400_000 * (1 + number % 3) + number)


def ruled_by(decision: Decision, name: str) -> Decision:
    return msgspec.structs.replace(decision, phase="custom", reason=f"rule:{name}")


def test_differences_are_counted_with_their_earliest_examples(record: Record, other: Decision) -> None:
    tally = Tally()
    for number in (9, 3, 6, 0, 12, 15, 18):
        its = numbered(record, number)
        tally.add(its, compared(its, other))
    flips = tally.flips[CLEVER, CHEAP]
    assert flips.count == 7
    assert [example.request_id for example in flips.examples] == [f"req_{n:03}" for n in (0, 3, 6, 9, 12)]
    assert len(flips.examples) == EXAMPLES
    assert tally.reasons == {}


def test_another_reason_for_the_same_target_is_no_flip(record: Record) -> None:
    tally = Tally()
    tally.add(record, compared(record, ruled_by(record.decision, "a")))
    assert (tally.flips, tally.reasons["default", "rule:a"].count) == ({}, 1)


def test_refusals_new_and_gone(record: Record) -> None:
    tally = Tally()
    tally.add(record, compared(record, REFUSED))
    refused = msgspec.structs.replace(record, decision=REFUSED)
    tally.add(refused, compared(refused, record.decision))
    tally.add(refused, compared(refused, REFUSED))
    assert [(key, kind.count) for key, kind in tally.refused.items()] == [(("denied", "refused 403"), 1)]
    assert [(key, kind.count) for key, kind in tally.served.items()] == [(("denied", "refused 403"), 1)]
    assert {key: kind.count for key, kind in tally.flips.items()} == {
        (CLEVER, "refused 403"): 1, ("refused 403", CLEVER): 1,
    }  # fmt: skip


def test_rules_win_and_lose(record: Record) -> None:
    tally = Tally()
    asked = (Outcome(rule="b", code="trap", fuel=10), Outcome(rule="a", code="route", fuel=20))
    won = msgspec.structs.replace(ruled_by(record.decision, "a"), asked=asked)
    tally.add(record, compared(record, won), ["b"])
    before = msgspec.structs.replace(record, decision=ruled_by(record.decision, "b"), asked=asked[:1])
    tally.add(before, compared(before, won))
    tally.add(before, compared(before, ruled_by(record.decision, "b")))
    a, b = tally.rules["a"], tally.rules["b"]
    assert (a.decided_before, a.decided, a.won, a.asked) == (0, 2, {"default": 1, "rule:b": 1}, 2)
    assert (b.decided_before, b.decided, b.kept, b.lost, b.asked_before) == (2, 1, 1, {"rule:a": 1}, 2)
    assert (b.faults_before, b.faults, b.recorded, tally.partial) == ({"trap": 2}, {"trap": 2}, 1, 1)
    assert (a.fuel.most, b.fuel.percentile(50)) == (20, 10)


def test_what_has_no_price_is_counted_and_not_guessed(record: Record) -> None:
    tally = Tally()
    tally.bill(record.at_ms, Bill(5, 7, 1), "a,b", "c,d")
    tally.bill(record.at_ms, Bill(5, None), "a,b", "c,d")
    money = tally.money
    assert (money.requests, money.base, money.candidate, money.cold) == (1, 5, 7, 1)
    assert money.unpriced == {"c,d": 1}


def test_shares_make_the_same_tally_in_whatever_way_they_are_cut(record: Record, other: Decision) -> None:
    random = Random(7)  # noqa: S311
    decisions = (other, REFUSED, record.decision, ruled_by(other, "a"))
    whole, shares = Tally(), [Tally() for _ in range(3)]
    for number in range(60):
        its, decision = numbered(record, number), random.choice(decisions)
        asked = (Outcome(rule="a", code=random.choice(["trap", "abstain"]), fuel=random.randrange(10_000)),)
        found = compared(its, msgspec.structs.replace(decision, asked=asked))
        bill = Bill(random.randrange(1000), random.choice([None, 5]))
        for tally in (whole, random.choice(shares)):
            tally.seen(its.at_ms)
            tally.add(its, found)
            tally.bill(its.at_ms, bill, "a,b", "c,d")
    random.shuffle(shares)
    joined = Tally()
    for tally in shares:
        joined.join(tally)
    assert msgspec.structs.asdict(joined) == msgspec.structs.asdict(whole)
    assert joined.records == 60


def test_percentiles_are_off_by_less_than_a_hundredth() -> None:
    random = Random(1)  # noqa: S311
    values = sorted(random.randrange(1, 5_000_000) for _ in range(5000))
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    for percent in (50, 99):
        true = values[-(-len(values) * percent // 100) - 1]
        assert true * 127 / 128 <= histogram.percentile(percent) <= true
    assert histogram.most == values[-1]
    assert len(histogram.counts) < 2500
    assert Histogram().percentile(50) == 0


def test_days_are_of_utc() -> None:
    assert [day_of(ms) for ms in (0, 86_399_999, 86_400_000)] == ["1970-01-01", "1970-01-01", "1970-01-02"]
