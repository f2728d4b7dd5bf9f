"""What the last calls of rules took."""

from core.rule_figures import LAST, RuleFigures
from wasm_host.answer import Outcome


def outcome(fuel: int, micros: int, code: str = "abstain", rule: str = "r") -> Outcome:
    return Outcome(rule=rule, code=code, fuel=fuel, micros=micros)


def test_fuel_and_time_are_of_the_last_calls() -> None:
    figures = RuleFigures()
    figures.keep(["r"])
    figures.asked([outcome(1_000_000, 1_000_000)])
    figures.asked([outcome(number, number * 10) for number in range(1, LAST + 1)])
    assert figures.of("r") == {"fuel": {"mean": 256, "max": LAST}, "micros": {"p50": 2560, "p99": 5070}}


def test_who_was_passed_over_took_nothing_and_strangers_are_not_kept() -> None:
    figures = RuleFigures()
    figures.keep(["r"])
    figures.asked([outcome(5, 5, "skipped"), outcome(5, 5, rule="stranger")])
    nothing = {"fuel": {"mean": None, "max": None}, "micros": {"p50": None, "p99": None}}
    assert figures.of("r") == figures.of("stranger") == nothing
    figures.asked([outcome(5, 6)])
    figures.keep(["r", "s"])
    assert figures.of("r")["fuel"]["max"] == 5
    figures.keep(["s"])
    figures.keep(["r"])
    assert figures.of("r") == nothing
