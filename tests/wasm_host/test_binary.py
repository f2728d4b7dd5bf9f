import pytest
from hypothesis import given
from hypothesis import strategies as st
from wasm_modules import leb, patient, wasm_section
from wasmtime import wat2wasm

from wasm_host.abi import Signature
from wasm_host.binary import Export, Import, Limits, Malformed, Module, Table, parse

HEADER = b"\0asm\x01\0\0\0"


def parsed(text: str) -> Module:
    return parse(bytes(wat2wasm(text)))


def test_an_empty_module() -> None:
    assert parse(HEADER) == Module(size=8)


def test_every_section() -> None:
    module = parsed("""(module
      (import "m" "f" (func (param i32 f64) (result i64)))
      (import "m" "t" (table 1 2 funcref)) (import "m" "m" (memory 1)) (import "m" "g" (global (mut f32)))
      (table 3 funcref) (memory 2 5) (tag (param i32))
      (global i32 (i32.const -5)) (global (mut i64) (i64.const 1)) (global f64 (f64.const 1)) (global f32 (f32.const 1))
      (global funcref (ref.null func))
      (global i32 (i32.add (i32.const 1) (i32.const 2))) (global v128 (v128.const i64x2 1 2))
      (export "f" (func 1)) (export "g" (global 0)) (start 1) (elem (i32.const 0) 1) (elem declare func 1)
      (func) (data "abc") (data (i32.const 0) "de") (data (memory 1) (i32.const 0) "f")
      (@custom "name of mine" "content"))""")
    assert module.imports == [
        Import("m", "f", "function", Signature(("i32", "f64"), ("i64",))),
        Import("m", "t", "table", None),
        Import("m", "m", "memory", None),
        Import("m", "g", "global", None),
    ]
    assert module.tables == [Table("funcref", Limits(1, 1, 2)), Table("funcref", Limits(0, 3, None))]
    assert module.memories == [Limits(0, 1, None), Limits(1, 2, 5)]
    assert module.globals == ["f32", "i32", "i64", "f64", "f32", "funcref", "i32", "v128"]
    assert module.exports == [Export("f", "function", 1), Export("g", "global", 0)]
    assert (module.start, module.tags, module.data_size, module.bodies) == (1, 1, 6, [2])
    assert ("name of mine", b"content") in module.custom
    assert module.function_type(0) == Signature(("i32", "f64"), ("i64",))
    assert module.function_type(1) == Signature((), ())


def test_limits_of_other_proposals() -> None:
    assert parsed("(module (memory 1 2 shared))").memories == [Limits(3, 1, 2)]
    assert parsed("(module (memory i64 1))").memories == [Limits(4, 1, None)]


@given(st.integers(0, (1 << 32) - 1))
@patient
def test_numbers_round_trip(value: int) -> None:
    """As the minimum of a memory, which is where a large number may stand in a small module."""
    module = parse(HEADER + wasm_section(5, b"\x01\x00" + leb(value)))
    assert module.memories == [Limits(0, value, None)]


@pytest.mark.parametrize("number", [b"\x80\x80\x80\x80\x10", b"\xff\xff\xff\xff\x1f", b"\x80\x80\x80\x80\x80\x00"])
def test_numbers_over_32_bits(number: bytes) -> None:
    with pytest.raises(Malformed, match="integer"):
        parse(HEADER + wasm_section(5, b"\x01\x00" + number))


def test_a_count_cannot_announce_more_than_there_are_bytes() -> None:
    with pytest.raises(Malformed, match="268435455 items announced, 3 bytes left"):
        parse(HEADER + wasm_section(1, b"\xff\xff\xff\x7f\x60\0\0"))


def test_a_damage_is_located() -> None:
    with pytest.raises(Malformed) as caught:
        parse(HEADER + wasm_section(1, b"\x01\x60\x00\x05"))
    assert caught.value.offset == 14
    assert "at byte 14" in str(caught.value)
