import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wasm_modules import ALLOC, CONFORMANCE, patient, running, wasm_section
from wasmtime import wat2wasm

from wasm_host import abi, binary
from wasm_host.preflight import Refusal, preflight, shape

RUNNING = [path for path in sorted(CONFORMANCE.rglob("*.wat")) if path.parent.name != "refused"]


def wasm(text: str) -> bytes:
    return bytes(wat2wasm(text))


def test_all_of_wasi_is_allowed_with_its_types_and_nothing_beside() -> None:
    for name, kind in abi.WASI_IMPORTS.items():
        for params in (kind.params, (*kind.params, "i32")):
            text = f'(import "{abi.WASI}" "{name}" (func (param {" ".join(params)}) (result {" ".join(kind.results)})))'
            result = preflight(
                wasm(
                    running("(i64.const 0)", text)
                    .replace('(memory (export "memory") 5)', "")
                    .replace(ALLOC, '(memory (export "memory") 5)' + ALLOC)
                )
            )
            assert isinstance(result, binary.Module if params == kind.params else Refusal), name


@pytest.mark.parametrize(
    ("exports", "expected"),
    [
        ({abi.ROUTE}, "reactor"), ({abi.START}, "command"), ({abi.START, abi.ROUTE}, "reactor"),
        ({abi.START, abi.ALLOC}, "command"), (set(), "reactor"),
    ],
)  # fmt: skip
def test_the_shape_is_told_by_the_exports(exports: set[str], expected: str) -> None:
    assert shape(exports) == expected


HEADER = b"\0asm\x01\0\0\0"
GOOD = wasm(running("(i64.const 0)"))


@pytest.mark.parametrize("path", RUNNING, ids=lambda path: path.stem)
def test_running_modules_pass(path: Path) -> None:
    assert isinstance(preflight(wasm(path.read_text())), binary.Module)


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        (b"", "not_wasm", "not a WebAssembly"),
        (b"(module)", "not_wasm", "not a WebAssembly"),
        (b"\0asm", "malformed", "version"),
        (b"\0asm\x02\0\0\0", "malformed", "version"),
        (b"\0asm\x0d\0\x01\0", "component", "component"),
        (HEADER, "export", abi.ALLOC),
        (HEADER + b"\x01", "malformed", "unexpected end"),
        (HEADER + b"\x01\xff\xff\xff\xff\x7f", "malformed", "over 32 bits"),
        (HEADER + b"\x01\x80\x80\x80\x80\x80\x00", "malformed", "more than 5 bytes"),
        (HEADER + wasm_section(1, b"\xff\xff\xff\xff\x0f"), "malformed", "announced"),
        (HEADER + wasm_section(1, b"\x01\x61"), "malformed", "not a function"),
        (HEADER + wasm_section(1, b"\x01\x60\x01\x00\x00"), "malformed", "unknown value type"),
        (HEADER + wasm_section(1, b"\x00") + wasm_section(1, b"\x00"), "malformed", "repeated or out of order"),
        (HEADER + wasm_section(3, b"\x00") + wasm_section(2, b"\x00"), "malformed", "repeated or out of order"),
        (HEADER + wasm_section(99, b""), "malformed", "unknown section"),
        (HEADER + wasm_section(1, b"\x00\x00"), "malformed", "too many"),
        (HEADER + wasm_section(3, b"\x01\x07"), "malformed", "type 7 does not exist"),
        (
            HEADER + wasm_section(1, b"\x01\x60\0\0") + wasm_section(3, b"\x01\0"),
            "malformed",
            "1 functions declared, 0 defined",
        ),
        (HEADER + wasm_section(7, b"\x01\x01a\x00\x05"), "malformed", "does not exist"),
        (HEADER + wasm_section(7, b"\x01\x01\xff\x00\x00"), "malformed", "UTF-8"),
        (HEADER + wasm_section(8, b"\x00"), "malformed", "start names function 0"),
        (HEADER + wasm_section(5, b"\x01\x10\x01"), "malformed", "limits flag"),
        (HEADER + wasm_section(6, b"\x01\x7f\x00\x11\x0b"), "malformed", "constant expression"),
    ],
)
def test_damaged_bytes_are_named(data: bytes, code: str, words: str) -> None:
    result = preflight(data)
    assert isinstance(result, Refusal)
    assert result.code == code
    assert words in str(result)
    assert result.hint


def test_two_exports_of_one_name() -> None:
    twice = wasm_section(5, b"\x01\x00\x01") + wasm_section(7, b"\x02\x01m\x02\x00\x01m\x02\x00")
    result = preflight(HEADER + twice)
    assert isinstance(result, Refusal)
    assert "two exports" in result.message


def test_limits_follow_the_operator() -> None:
    module = wasm(f'(module (memory (export "memory") 300) {ALLOC} {route()})')
    refused = preflight(module)
    assert isinstance(refused, Refusal)
    assert "300 pages" in refused.message
    assert isinstance(preflight(module, {"memory": 300 * abi.PAGE}), binary.Module)
    small = preflight(module, {"module": 10})
    assert isinstance(small, Refusal)
    assert small.code == "limit"


def route() -> str:
    return '(func (export "rule_v1_route") (param i32 i32) (result i64) (i64.const 0))'


def test_a_function_body_may_be_256_kib_long() -> None:
    def module(size: int) -> bytes:
        body = "(nop)" * size
        return wasm(running("(i64.const 0)", f"(func {body})"))

    # A body is a count of locals, the instructions and `end`.
    assert isinstance(preflight(module(abi.FUNCTION_BODY - 2)), binary.Module)
    over = preflight(module(abi.FUNCTION_BODY - 1))
    assert isinstance(over, Refusal)
    assert "function 0 is 262145 bytes" in over.message


def test_many_functions_and_much_data_are_refused() -> None:
    functions = preflight(wasm(running("(i64.const 0)", "(func)" * (abi.FUNCTIONS + 1))))
    data = "a" * (abi.LIMITS["memory"].default + 1)
    bytes_of_data = preflight(wasm(running("(i64.const 0)", f'(data "{data}")')), {"module": 1 << 30})
    exports = "".join(f'(func (export "f{number}"))' for number in range(abi.EXPORTS))
    many_exports = preflight(wasm(running("(i64.const 0)", exports)))
    for result, words in ((functions, "functions, the limit"), (bytes_of_data, "of data"), (many_exports, "exports")):
        assert isinstance(result, Refusal)
        assert result.code == "limit"
        assert words in result.message


def test_every_prefix_gets_an_answer() -> None:
    for length in range(len(GOOD)):
        assert isinstance(preflight(GOOD[:length]), Refusal)


@patient
@given(st.binary(max_size=300))
def test_any_bytes_get_an_answer(data: bytes) -> None:
    assert isinstance(preflight(data), Refusal)
    assert isinstance(preflight(HEADER + data), Refusal | binary.Module)


@patient
@given(st.sampled_from(RUNNING), st.randoms(use_true_random=False))
def test_any_mutation_gets_an_answer(path: Path, chance: random.Random) -> None:
    data = bytearray(wasm(path.read_text()))
    for _ in range(chance.randint(1, 8)):
        at = chance.randrange(8, len(data))
        match chance.randrange(3):
            case 0:
                data[at] = chance.randrange(256)
            case 1:
                del data[at : at + chance.randint(1, 4)]
            case 2:
                data[at:at] = chance.randbytes(chance.randint(1, 4))
        if len(data) <= 9:
            break
    assert isinstance(preflight(bytes(data)), Refusal | binary.Module)


def test_facts_agree_with_the_engine() -> None:
    """The parser's own reading of exports is that of the toolchain which wrote the binary."""
    module = preflight(wasm((CONFORMANCE / "good" / "extra_exports.wat").read_text()))
    assert isinstance(module, binary.Module)
    assert [(export.name, export.kind) for export in module.exports] == [
        ("memory", "memory"),
        ("table", "table"),
        ("__heap_base", "global"),
        ("rule_v2_route", "function"),
        ("_start", "function"),
        ("rule_v1_alloc", "function"),
        ("rule_v1_route", "function"),
    ]
