"""Calls counted, and what they call for."""

import random
from typing import Any

import pytest

from core.rollout import ENFORCE, PROMOTE, ROLLBACK, SHADOW, Stage
from core.rollout_figures import Figures, Verdict, is_fault, verdict
from core.schema_rollout import RolloutSettings
from wasm_host import abi
from wasm_host.answer import Outcome

CANARY = Stage("canary", 10)
FUEL = 1000


def outcome(code: str = "abstain", **fields: Any) -> Outcome:
    return Outcome(rule="r", code=code, **{"fuel": 10, "micros": 5, **fields})


GOOD, TRAP = outcome(), outcome("trap")


def figures(calls: list[Outcome], *, would: bool = False, differs: bool = False, **settings: Any) -> Figures:
    found = Figures(RolloutSettings(**settings), FUEL)
    for call in calls:
        found.add(call, would=would, differs=differs)
    return found


def moved(found: Figures, stage: Stage = CANARY, *, back: bool = True, held: bool = False) -> Verdict | None:
    return verdict(found, stage, back=back, held=held)


def test_one_failure_more_than_may_be_rolls_back_however_few_the_calls_were() -> None:
    assert moved(figures([TRAP, TRAP])) is None
    found = moved(figures([TRAP, TRAP, TRAP]))
    assert found == Verdict(ROLLBACK, SHADOW, "3 of the last 3 calls failed (trap 3); 1 % may")


def test_a_rule_that_goes_bad_late_is_seen_as_soon() -> None:
    assert moved(figures([GOOD] * 5000 + [TRAP] * 2)) is None
    assert moved(figures([GOOD] * 5000 + [TRAP] * 3)) is not None


def test_old_failures_are_forgotten() -> None:
    rare = ([TRAP] + [GOOD] * 99) * 50
    assert moved(figures(rare)) is None
    assert moved(figures([*rare, TRAP, TRAP])) is not None
    assert moved(figures([*rare, *[GOOD] * 200, TRAP, TRAP])) is None


def test_the_last_calls_are_counted_as_if_they_were_looked_at_again() -> None:
    rng = random.Random(7)  # noqa: S311 - reproducible on purpose
    codes = ("abstain", "route", "trap", "fuel")
    calls = [outcome(rng.choice(codes), fuel=rng.randrange(FUEL), shadow=rng.random() < 0.7) for _ in range(500)]
    settings = RolloutSettings(min_decisions=50, max_fault_rate=55, max_fuel=50, max_disagreement=45)
    found, seen, kept = Figures(settings, FUEL), set[str](), list[tuple[Outcome, bool]]()
    for call in calls:
        differs = rng.random() < 0.5
        found.add(call, would=True, differs=differs)
        kept = [*kept, (call, call.shadow and differs)][-50:]
        alone = Figures(settings, FUEL)
        for old, disagreed in kept:
            alone.add(old, would=True, differs=disagreed)
        assert found.too_many() == alone.too_many()
        seen.add(found.too_many().rpartition(" calls ")[2][:8])
    assert len(seen) > 2


@pytest.mark.parametrize(
    ("code", "message", "whether"),
    [
        *((code, "", code in abi.FAULTS) for code in abi.OUTCOMES if code != "skipped"),
        ("skipped", "breaker: too many faults in a minute", True),
        ("skipped", "quarantine: worker processes died in it", True),
        ("skipped", "oversize: the request is over 5 bytes for this rule", False),
    ],
)
def test_a_failure_is_the_rules_own(code: str, message: str, whether: bool) -> None:
    assert is_fault(outcome(code, message=message)) is whether


def test_fuel_counts_when_there_were_enough_calls() -> None:
    heavy = outcome(fuel=901)
    limit: dict[str, Any] = {"max_fuel": 90, "min_decisions": 100}
    assert moved(figures([heavy] * 99, **limit)) is None
    assert moved(figures([heavy] + [outcome(fuel=900)] * 99, **limit)) is None
    found = moved(figures([heavy] * 2 + [GOOD] * 98, **limit))
    assert found is not None
    assert found.why == "2 of the last 100 calls used more than 90 % of the fuel limit"


def test_disagreement_is_that_of_calls_in_shadow() -> None:
    limit: dict[str, Any] = {"max_disagreement": 20, "min_decisions": 100}
    shadow = outcome("route", shadow=True)
    found = figures([shadow] * 21, would=True, differs=True, **limit)
    for _ in range(79):
        found.add(shadow, would=True, differs=False)
    why = moved(found)
    assert why is not None
    assert why.why == "another target in 21 of the last 100 calls in shadow; 20 % may be"
    assert moved(figures([outcome("route")] * 100, would=True, differs=True, **limit)) is None
    few = figures([outcome("route")] * 95 + [shadow] * 5, would=True, differs=True, **limit)
    assert moved(few) is None  # five say nothing


def test_what_passes_the_gate_nowhere_is_no_disagreement() -> None:
    assert figures([outcome("route", shadow=True)], would=False, differs=True).disagreed == 0


@pytest.mark.parametrize(
    ("stage", "back", "auto"), [(SHADOW, True, "rollback"), (CANARY, False, "rollback"), (CANARY, True, "off")]
)
def test_who_is_not_rolled_back(stage: Stage, back: bool, auto: str) -> None:
    assert moved(figures([TRAP] * 50, auto=auto), stage, back=back) is None


def test_a_rule_that_a_promotion_led_to_everybody_goes_back_too() -> None:
    assert moved(figures([TRAP] * 3), ENFORCE) is not None


def test_it_is_promoted_step_by_step_if_that_is_asked_for() -> None:
    enough = figures([GOOD] * 200, auto="promote")
    for stage, to in ((SHADOW, Stage("canary", 5)), (Stage("canary", 5), Stage("canary", 25)), (CANARY, None)):
        found = moved(enough, stage)
        assert found is not None
        assert (found.action, found.to) == (PROMOTE, to or Stage("canary", 25))
    assert moved(figures([GOOD] * 199, auto="promote")) is None
    assert moved(figures([GOOD] * 500)) is None
    assert moved(enough, ENFORCE) is None
    assert moved(enough, held=True) is None


def test_what_does_not_hold_its_limits_is_not_promoted() -> None:
    assert moved(figures([GOOD] * 197 + [TRAP] * 3, auto="promote"), SHADOW) is None
    rolled = moved(figures([GOOD] * 197 + [TRAP] * 3, auto="promote"))
    assert rolled is not None
    assert rolled.action == ROLLBACK


def test_what_is_shown() -> None:
    found = figures([outcome(fuel=n, micros=2 * n) for n in range(1, 101)] + [TRAP, outcome("fuel")])
    assert found.shown() == {
        "calls": 102, "would_decide": 0, "in_shadow": 0, "disagreed": 0, "faults": {"fuel": 1, "trap": 1},
        "fuel": {"p50": 49, "p99": 99}, "micros": {"p50": 98, "p99": 198},
    }  # fmt: skip
    assert Figures(RolloutSettings(), FUEL).shown()["fuel"] == {"p50": 0, "p99": 0}


def test_kinds_of_a_call() -> None:
    found = Figures(RolloutSettings(), FUEL)
    assert found.add(outcome("route", shadow=True), would=True, differs=True) == [
        "call", "would_decide", "in_shadow", "disagreed",
    ]  # fmt: skip
    assert found.add(outcome("route"), would=True, differs=True) == ["call", "would_decide"]
    assert found.add(TRAP, would=False, differs=False) == ["call", "fault"]
