"""Modules that cost far more to judge than they weigh. Pure; nothing is stored, all are made when needed.

An optimising compiler is superlinear somewhere, and each shape here looks for a place: nesting, joins of many values,
branches over many levels, locals that take no bytes, functions that do, and sections of a million small things.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from prove.encode import (
    BLOCK,
    BR_IF,
    BR_TABLE,
    DROP,
    ELSE,
    EMPTY,
    END,
    I32,
    I64,
    IF,
    LOOP,
    body,
    function_type,
    leb,
    rule,
    vector,
    wasm_name,
    wasm_section,
)
from wasm_host.abi import KIB, MIB

#: Up to this size a bomb must be judged within the bound on CPU.
SMALL: Final = 256 * KIB
_GET, _SET, _CONST = b"\x20", b"\x21", b"\x41\x01"
_TAKES_I32: Final = function_type([I32], [])


class Bomb(NamedTuple):
    """`code` is the refusal that must come; empty where a fast machine may compile it within its limit."""

    make: Callable[[], bytes]
    code: str = ""


def _one(code: bytes, *more_types: bytes, local_groups: tuple[tuple[int, int], ...] = ()) -> bytes:
    """A rule with one more function, (i32) -> (); `more_types` count from 3."""
    return rule([_TAKES_I32, *more_types], [(2, body(code, local_groups))])


def nested_if(size: int = 195 * KIB) -> bytes:
    """`if` in `if` in `if`, each with an else."""
    opening = _GET + leb(0) + IF + EMPTY
    levels = size // (len(opening) + 2)
    return _one(opening * levels + (ELSE + END) * levels)


def nested_else(size: int = 195 * KIB, count: int = 8) -> bytes:
    """Each level sets a local in both arms, so that every end joins values."""
    opening = _GET + leb(0) + IF + EMPTY + _CONST + _SET + leb(1) + ELSE + _CONST + _SET + leb(1)
    levels = size // (len(opening) + 1)
    return _one(opening * levels + END * levels, local_groups=((count, I32),))


def many_functions(count: int = 20_000) -> bytes:
    """Functions of a few bytes."""
    return rule([function_type([], [])], [(2, body(b"\x01" * 6))] * count)


def many_locals(functions: int = 20_000, count: int = 50_000) -> bytes:
    """Five bytes declare 50 000 locals, in each function."""
    return rule([function_type([], [])], [(2, body(b"", [(count, I64)]))] * functions)


def branches(opening: bytes, size: int = 195 * KIB) -> bytes:
    """Blocks or loops in each other, and from each level a branch to the outermost."""
    levels = size // 8
    out = [_GET + leb(0) + BR_IF + leb(level) + END for level in reversed(range(levels))]
    return _one((opening + EMPTY) * levels + b"".join(out))


def branch_tables(targets: int = 60_000, levels: int = 100, functions: int = 3) -> bytes:
    """Functions that are one table of branches each."""
    table = vector([leb(index % levels) for index in range(targets)]) + leb(0)
    code = body((BLOCK + EMPTY) * levels + _GET + leb(0) + BR_TABLE + table + END * levels)
    return rule([_TAKES_I32], [(2, code)] * functions)


def wide_blocks(width: int = 1_000, size: int = 195 * KIB) -> bytes:
    """Three bytes are a block with a thousand parameters and results."""
    wide = function_type([I32] * width, [I32] * width)
    blocks = (BLOCK + leb(3) + END) * (size // 3)
    return _one(_CONST * width + blocks + DROP * width, wide)


def wide_ifs(width: int = 500, size: int = 190 * KIB) -> bytes:
    """The same with two arms, so that every value is joined."""
    wide = function_type([I32] * width, [I32] * width)
    ifs = (_GET + leb(0) + IF + leb(3) + ELSE + END) * (size // 6)
    return _one(_CONST * width + ifs + DROP * width, wide)


def loops_with_locals(size: int = 195 * KIB, count: int = 10_000) -> bytes:
    """Loops in each other around a chain of assignments: many values live across many loop heads."""
    chain = b"".join(_GET + leb(index) + _SET + leb(index + 1) for index in range(2_000))
    loop = LOOP + EMPTY + _GET + leb(0) + BR_IF + leb(0)
    levels = (size - 2 * len(chain)) // (len(loop) + 1)
    return _one(loop * levels + chain + END * levels, local_groups=((count, I32),))


def stores(size: int = 190 * KIB) -> bytes:
    """Straight code in which each instruction can trap."""
    one = _GET + leb(0)
    return _one((one + one + b"\x36\x02\x00") * (size // 7))


def large_function(size: int = 700 * KIB) -> bytes:
    """One function of nops."""
    return _one(b"\x01" * size)


def many_types(count: int = 70_000) -> bytes:
    """Types that nobody uses."""
    return rule([function_type([], [])] * count)


def wide_type(width: int = 200_000) -> bytes:
    """One type with far more parameters than an engine takes."""
    return rule([function_type([I32] * width, [])])


def vector_type(width: int = 200_000) -> bytes:
    """The same with v128, which preflight refuses and must not print in full."""
    return rule([function_type([0x7B] * width, [])])


def many_sections(count: int = 40_000) -> bytes:
    """Custom sections."""
    return rule(tail=wasm_section(0, wasm_name("x")) * count)


def many_exports(count: int = 30_000) -> bytes:
    """One function under many names."""
    names = [wasm_name(f"{index:x}") + b"\x00\x00" for index in range(count)]
    own = [("memory", 2, 0), ("rule_v1_alloc", 0, 0), ("rule_v1_route", 0, 1)]
    return rule(sections={7: vector([*(wasm_name(name) + bytes([kind, item]) for name, kind, item in own), *names])})


def many_globals(count: int = 40_000) -> bytes:
    """Globals with initialisers."""
    return rule(sections={6: vector([bytes([I32, 0]) + _CONST + END] * count)})


def much_data(size: int = 60 * MIB) -> bytes:
    """Sixty megabytes of zeros in one passive segment."""
    return rule(sections={11: vector([b"\x01" + leb(size) + bytes(size)])})


def deep_text(levels: int = 100_000) -> bytes:
    """Brackets in the text format: a reader that recurses has no stack left. It is a valid module, and no rule."""
    return b"(module (func " + b"(block " * levels + b")" * levels + b"))"


#: Every bomb by name.
BOMBS: Final[Mapping[str, Bomb]] = MappingProxyType(
    {
        "nested_if": Bomb(nested_if),
        "nested_else": Bomb(nested_else),
        "many_functions": Bomb(many_functions),
        "many_locals": Bomb(many_locals),
        "br_if_blocks": Bomb(lambda: branches(BLOCK)),
        "br_if_loops": Bomb(lambda: branches(LOOP)),
        "branch_tables": Bomb(branch_tables),
        "wide_blocks": Bomb(wide_blocks),
        "wide_ifs": Bomb(wide_ifs),
        "loops_with_locals": Bomb(loops_with_locals),
        "stores": Bomb(stores),
        "large_function": Bomb(large_function, "limit"),
        "many_types": Bomb(many_types),
        "wide_type": Bomb(wide_type, "compile"),
        "vector_type": Bomb(vector_type, "feature"),
        "many_sections": Bomb(many_sections),
        "many_exports": Bomb(many_exports, "limit"),
        "many_globals": Bomb(many_globals),
        "much_data": Bomb(much_data, "limit"),
        "deep_text": Bomb(deep_text, "export"),
    }
)
