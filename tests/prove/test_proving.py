"""A twentieth of `make conformance`, and that it sees what is broken."""

from pathlib import Path

import pytest

from prove import conformance, loading, trial
from prove.asking import Asked, Batch, Said
from prove.bombs import Bomb
from prove.loading import Judged
from prove.section import Section, show, tally
from prove.smith import EQUIVALENT, Made
from prove.vectors import FOLDER, Vector
from wasm_host.preflight import Refusal


def test_a_twentieth_of_all_holds(tmp_path: Path) -> None:
    sections = list(conformance.sections(tmp_path, share=20))
    assert [section.findings for section in sections] == [[]] * 5
    titles = " ".join(section.title for section in sections)
    assert all(part in titles for part in ("vectors", "bombs", "damaged files", "generated modules", "2000 mutants"))
    generated = sections[3].counts
    assert set(generated) >= {"rule", "rule, invalid code", "mutant of a vector", EQUIVALENT}


@pytest.fixture
def route(tmp_path: Path) -> Path:
    return FOLDER / "good" / "route.wat"


def test_a_vector_that_does_something_else_is_a_finding(route: Path, tmp_path: Path) -> None:
    lies = [Vector(route, "outcome", "abstain"), Vector(FOLDER / "refused" / "no_memory.wat", "load", "limit")]
    section = conformance.vector_section(lies, tmp_path / "cache")
    assert section.findings == ["good/route.wat: route, not abstain", "refused/no_memory.wat: export, not limit"]


def test_an_equivalent_that_decides_differently_is_a_finding(tmp_path: Path) -> None:
    made = [Made(EQUIVALENT, "one", (FOLDER / "good" / "route.wat").read_bytes(), "route")]
    section = conformance.module_section("modules", made, tmp_path / "modules")
    assert section.findings == ["one: not_wasm; the vector that it is equivalent to ends in route"]


def test_a_bomb_over_its_bound_and_a_wrong_refusal_are_findings() -> None:
    refused = Judged(Refusal("cpu", "too much", "less"), 3.01)
    problems = conformance._bomb_problems(Bomb(bytes, "limit"), 10, refused)
    assert list(problems) == ["3.01 s of CPU, the bound is 3.0", "cpu, not limit"]


@pytest.mark.parametrize(
    ("refusal", "said"),
    [
        (Refusal("crash", "died", "report"), "refused as crash: died"),
        (Refusal("limit", "", "less"), "0 characters say why, hint 'less'"),
        (Refusal("limit", "x" * 3000, "less"), "3000 characters say why, hint 'less'"),
        (Refusal("limit", "why"), "3 characters say why, hint ''"),
        (Refusal("limit", "why", "less"), ""),
    ],
)
def test_a_refusal_must_be_stated(refusal: Refusal, said: str) -> None:
    assert loading.ill_said(Judged(refusal)) == said


def test_calls_must_agree_and_be_outcomes() -> None:
    one, other, late = Said("route", 5, "{}"), Said("route", 6, "{}"), Said("timeout", 9, "{}")
    assert trial._disagreement([one] * 4) == ""
    assert trial._disagreement([one] * 3) == "asked 3 times instead of 4"
    assert trial._disagreement([one, one, one, other]) == "four calls, 2 ends: route, 5 / route, 6"
    assert trial._disagreement([one, one, one, late]) == ""
    assert trial._disagreement([Said("hello", 1, "")] * 4) == "ended in hello"


def test_the_module_that_ended_a_child_is_named() -> None:
    first, second = Path("first"), Path("second")
    batches = [Batch((Asked("first"),), "crash: segfault")]
    assert trial._deaths([[first, second]], batches) == {second: "crash: segfault"}


def test_what_was_found_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert show([Section("things", {"good": "3", "better": "4"}), Section("others", {}, ["it broke"])]) == 1
    printed = capsys.readouterr().out.splitlines()
    assert printed == ["things", "  good    3", "  better  4", "others", "  BROKEN it broke", "1 broken promises"]
    assert tally({"a": 1, "b": 3, "c": 1}) == "b 3, a 1, c 1"
