import pytest

from prove import fuzzing
from prove.encode import HEADER, rule, wasm_section
from prove.fuzzing import fuzz
from prove.mutants import mutant, sections
from wasm_host import binary
from wasm_host.abi import Signature
from wasm_host.preflight import Refusal

SEEDS = [rule(), rule(tail=wasm_section(0, b"\x04note!"))]
IMPORTS = [binary.Import("terraphim", "log", "function", Signature(("i32", "i32", "i32"), ()))]


def test_a_number_is_always_the_same_mutant() -> None:
    assert [mutant(SEEDS, number) for number in range(50)] == [mutant(SEEDS, number) for number in range(50)]
    assert len({mutant(SEEDS, number) for number in range(50)}) > 40


def test_sections_of_a_whole_module_and_of_a_broken_one() -> None:
    assert [number for number, _ in sections(SEEDS[1])] == [1, 3, 5, 7, 10, 0]
    assert HEADER + b"".join(wasm_section(number, content) for number, content in sections(SEEDS[1])) == SEEDS[1]
    assert sections(HEADER + b"\x01\x05ab") == [(1, b"ab")]
    assert sections(b"") == []


def test_some_mutants_are_whole_and_most_are_not() -> None:
    result = fuzz(SEEDS, 0, 500)
    assert result.findings == []
    assert sum(result.codes.values()) == 500
    assert {"accepted", "malformed", "export"} <= set(result.codes)
    assert 0 < result.engine["accepted"] <= result.codes["accepted"]
    assert result.weighed == 50
    assert result.calls_per_byte > 0


def test_a_child_that_ends_is_a_finding() -> None:
    result = fuzz([], 0, 1)  # nothing to mutate
    assert len(result.findings) == 1


def test_what_the_engine_takes_must_not_be_called_damaged(monkeypatch: pytest.MonkeyPatch) -> None:
    fuzzer = fuzzing._Fuzzer(SEEDS)
    assert fuzzer._judge(SEEDS[0]) == ""
    monkeypatch.setattr(fuzzing, "preflight", lambda _: Refusal("limit", "too large", "shrink it"))
    assert fuzzer._judge(SEEDS[0]) == ""
    monkeypatch.setattr(fuzzing, "preflight", lambda _: Refusal("malformed", "odd", "rebuild it"))
    assert fuzzer._judge(SEEDS[0]).startswith("the engine accepts what is refused as malformed")
    monkeypatch.setattr(fuzzing, "preflight", lambda _: Refusal("limit", "x" * 3_000, "shrink it"))
    assert fuzzer._judge(SEEDS[0]) == "refused as limit in 3000 characters, hint 'shrink it'"


def test_both_must_see_the_same_exports_and_imports(monkeypatch: pytest.MonkeyPatch) -> None:
    fuzzer = fuzzing._Fuzzer(SEEDS)
    for field, other in (("exports", [binary.Export("memory", "memory", 0)]), ("imports", IMPORTS)):
        module = binary.parse(SEEDS[0])
        setattr(module, field, other)
        monkeypatch.setattr(fuzzing, "preflight", lambda _, module=module: module)
        assert fuzzer._judge(SEEDS[0]).startswith(field)


def test_whatever_is_raised_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    fuzzer = fuzzing._Fuzzer(SEEDS)
    monkeypatch.setattr(fuzzing, "preflight", lambda _: 1 / 0)
    fuzzer.one(1)
    [finding] = fuzzer.tally.findings
    assert finding.startswith("mutant 1: ZeroDivisionError: division by zero: ")
