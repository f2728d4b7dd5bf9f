"""Writes WebAssembly binaries by hand: what no text can say, or would say in megabytes.

Source: WebAssembly Core Specification 2.0, chapter 5 (binary format).
"""

from collections.abc import Sequence
from typing import Final

from wasm_host import abi

HEADER: Final = b"\0asm\x01\0\0\0"
I32, I64 = 0x7F, 0x7E
END: Final = b"\x0b"
#: Opcodes that the bombs are made of.
BLOCK, LOOP, IF, ELSE, BR_IF, BR_TABLE, CALL, DROP = (
    b"\x02",
    b"\x03",
    b"\x04",
    b"\x05",
    b"\x0d",
    b"\x0e",
    b"\x10",
    b"\x1a",
)
EMPTY: Final = b"\x40"


def leb(value: int) -> bytes:
    """Unsigned LEB128."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def vector(items: Sequence[bytes]) -> bytes:
    """A count and the items."""
    return leb(len(items)) + b"".join(items)


def wasm_name(text: str) -> bytes:
    """A name: length and UTF-8."""
    return leb(len(text.encode())) + text.encode()


def wasm_section(number: int, content: bytes) -> bytes:
    """A section: id, size, content."""
    return bytes([number]) + leb(len(content)) + content


def function_type(params: Sequence[int], results: Sequence[int]) -> bytes:
    """A function type of value type codes."""
    return b"\x60" + leb(len(params)) + bytes(params) + leb(len(results)) + bytes(results)


def body(code: bytes, local_groups: Sequence[tuple[int, int]] = ()) -> bytes:
    """A function's body without its size: groups of (count, type) of locals, then `code` and its end."""
    return vector([leb(count) + bytes([kind]) for count, kind in local_groups]) + code + END


#: Types, functions and bodies that make a module a rule: `alloc` is constant, `route` abstains.
_RULE_TYPES: Final = (function_type([I32], [I32]), function_type([I32, I32], [I64]))
_RULE_BODIES: Final = (body(b"\x41\x80\x08"), body(b"\x42\x00"))


def rule(
    types: Sequence[bytes] = (),
    functions: Sequence[tuple[int, bytes]] = (),
    *,
    sections: dict[int, bytes] | None = None,
    tail: bytes = b"",
) -> bytes:
    """A whole rule that abstains and has more in it, as bytes.

    `types` follow two of its own, so that they count from 2; `functions` are (type index, body) and count from 2 too.
    `sections` are whole contents of further sections by id, `tail` are bytes after the last.
    """
    exports = ((abi.MEMORY, 2, 0), (abi.ALLOC, 0, 0), (abi.ROUTE, 0, 1))
    bodies = [*_RULE_BODIES, *(code for _, code in functions)]
    contents = {
        1: vector([*_RULE_TYPES, *types]),
        3: vector([leb(0), leb(1), *(leb(kind) for kind, _ in functions)]),
        5: b"\x01\x00\x01",
        7: vector([wasm_name(name) + bytes([kind, item]) for name, kind, item in exports]),
        10: vector([leb(len(code)) + code for code in bodies]),
    } | (sections or {})
    return HEADER + b"".join(wasm_section(number, contents[number]) for number in sorted(contents)) + tail
