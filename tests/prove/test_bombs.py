import pytest

from prove.bombs import BOMBS, SMALL, many_exports, many_functions, many_globals, many_sections, many_types, wide_type
from prove.encode import leb, rule, wasm_section
from prove.fuzzing import CALLS_PER_BYTE, MESSAGE_MAX, weigh
from wasm_host import binary
from wasm_host.preflight import Refusal, preflight

#: Those that are judged without an engine.
JUDGED = {name: bomb.code for name, bomb in BOMBS.items() if bomb.code in ("limit", "feature")}


@pytest.mark.parametrize("name", [name for name in BOMBS if name != "much_data"])
def test_a_bomb_is_small_or_one_that_is_refused_by_its_size(name: str) -> None:
    assert len(BOMBS[name].make()) <= SMALL or name in (*JUDGED, "deep_text")


@pytest.mark.parametrize("name", JUDGED)
def test_refused_without_an_engine_in_few_words(name: str) -> None:
    verdict = preflight(BOMBS[name].make(), {"module": 1 << 26})
    assert isinstance(verdict, Refusal)
    assert verdict.code == JUDGED[name]
    assert len(verdict.message) <= MESSAGE_MAX


@pytest.mark.parametrize("make", [many_functions, many_types, wide_type, many_sections, many_exports, many_globals])
def test_the_preflights_work_is_linear(make: object) -> None:
    assert callable(make)
    once, twice = make(2_000), make(4_000)
    assert weigh(once) <= CALLS_PER_BYTE * len(once)
    assert weigh(twice) <= 2.05 * weigh(once)


def test_the_frame_of_all_bombs_is_a_rule() -> None:
    module = preflight(rule())
    assert isinstance(module, binary.Module)
    assert [export.name for export in module.exports] == ["memory", "rule_v1_alloc", "rule_v1_route"]


@pytest.mark.parametrize(("value", "encoded"), [(0, "00"), (127, "7f"), (128, "8001"), (624_485, "e58e26")])
def test_leb128(value: int, encoded: str) -> None:
    assert leb(value).hex() == encoded


def test_a_section_is_id_size_content() -> None:
    assert wasm_section(3, b"abc") == b"\x03\x03abc"
