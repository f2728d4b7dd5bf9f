"""Bounds on a report."""

import msgspec
import pytest

from core.lab.bounds import NAMES, bound
from core.lab.report import Report, report
from core.lab.tally import Kind, Tally


def found(*, flips: int = 0, base: int = 1_000_000, more: int = 0, unknown: int = 0) -> Report:
    tally = Tally(records=1000, flips={("a,b", "c,d"): Kind(flips)})
    tally.not_replayable["why"] = unknown
    tally.money.base, tally.money.candidate = base * 10**6, (base + more) * 10**6
    return report(tally, ["x.wasm"], "", "record")


@pytest.mark.parametrize(
    ("name", "text", "held", "broken"),
    [
        ("max-flips", "3%", {"flips": 30}, {"flips": 31}),
        ("max-flips", "30", {"flips": 30}, {"flips": 31}),
        ("max-flips", "0", {}, {"flips": 1}),
        ("max-cost", "+5%", {"more": 50_000}, {"more": 50_010}),
        ("max-cost", "0.05", {"more": 50_000}, {"more": 50_001}),
        ("max-cost", "0%", {"more": -1}, {"more": 10}),
        ("min-replayable", "90%", {"unknown": 100}, {"unknown": 101}),
        ("min-replayable", "900", {"unknown": 100}, {"unknown": 101}),
    ],
)
def test_a_bound_holds_up_to_it(name: str, text: str, held: dict[str, int], broken: dict[str, int]) -> None:
    assert bound(name, text).broken(found(**held)) == ""
    assert bound(name, text).broken(found(**broken)).startswith(f"--{name} {text}: it is ")


@pytest.mark.parametrize(("name", "field"), [("max-faults", "faults"), ("max-refusals", "refusals_new")])
def test_faults_and_refusals_are_bounded_by_their_number(name: str, field: str) -> None:
    one = msgspec.structs.replace(found(), **{field: 1})
    assert bound(name, "1").broken(one) == ""
    assert bound(name, "0").broken(one)
    assert bound(name, "0.1%").broken(one) == ""
    assert bound(name, "0.09%").broken(one)


def test_what_was_free_may_not_begin_to_cost() -> None:
    assert "what was free" in bound("max-cost", "5%").broken(found(base=0, more=1))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("text", ["", "three", "-1", "3 %", "5%%", "nan"])
def test_what_is_no_bound(name: str, text: str) -> None:
    with pytest.raises(ValueError, match=f"--{name}"):
        bound(name, text)


def test_only_costs_have_a_sign() -> None:
    with pytest.raises(ValueError, match="write it like 3%"):
        bound("max-flips", "+3%")
