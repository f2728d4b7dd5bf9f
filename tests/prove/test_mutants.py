from prove.encode import HEADER, rule, wasm_section
from prove.fuzzing import fuzz
from prove.mutants import mutant, sections

SEEDS = [rule(), rule(tail=wasm_section(0, b"\x04note!"))]


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
