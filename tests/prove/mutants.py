"""Bytes that almost are a module, for the preflight. Pure: a number is a mutant, in every run the same one.

Half of the changes know sections: a blind change seldom survives the first length that it breaks.
"""

import random
from collections.abc import Callable, Sequence
from typing import Final

from prove.encode import HEADER, leb, wasm_section

#: Numbers on which readers of LEB128 and of counts have stumbled.
_NUMBERS: Final = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0x1_0000_0000, (1 << 64) - 1)
#: The same in encodings that are too long, or never end.
_LEBS: Final = (*(leb(number) for number in _NUMBERS), b"\x80\x00", b"\x80\x80\x80\x80\x80\x00", b"\xff" * 11)
_LONGEST: Final = 1 << 16

Change = Callable[[random.Random, bytes, bytes], bytes]


def mutant(seeds: Sequence[bytes], number: int) -> bytes:
    """One to four changes to one of `seeds`; some changes take a part of another."""
    rng = random.Random(number)  # noqa: S311 - reproducible on purpose
    data = rng.choice(seeds)
    for _ in range(rng.choice((1, 1, 2, 4))):
        data = rng.choice(_CHANGES)(rng, data, rng.choice(seeds))[:_LONGEST]
    return data


def sections(data: bytes) -> list[tuple[int, bytes]]:
    """The sections of a module as far as they can be told apart: id and content."""
    found, at = [], len(HEADER)
    while at < len(data):
        number, at = data[at], at + 1
        size = shift = 0
        while at < len(data):
            size, shift, at = size | (data[at] & 0x7F) << shift, shift + 7, at + 1
            if data[at - 1] < 0x80 or shift > 63:
                break
        found.append((number, data[at : at + size]))
        at += size
    return found


def _joined(parts: Sequence[tuple[int, bytes]]) -> bytes:
    return HEADER + b"".join(wasm_section(number & 0xFF, content) for number, content in parts)


def _span(rng: random.Random, data: bytes) -> tuple[int, int]:
    start = rng.randrange(len(data) + 1)
    return start, min(len(data), start + rng.choice((1, 1, 2, 4, 16, 64)))


def _flip(rng: random.Random, data: bytes, _: bytes) -> bytes:
    if not data:
        return data
    out = bytearray(data)
    out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
    return bytes(out)


def _overwrite(rng: random.Random, data: bytes, _: bytes) -> bytes:
    start, end = _span(rng, data)
    return data[:start] + rng.choice((rng.randbytes(end - start), rng.choice(_LEBS))) + data[end:]


def _remove(rng: random.Random, data: bytes, _: bytes) -> bytes:
    start, end = _span(rng, data)
    return data[:start] + data[end:]


def _repeat(rng: random.Random, data: bytes, _: bytes) -> bytes:
    start, end = _span(rng, data)
    return data[:end] + data[start:end] * rng.choice((1, 1, 2, 100)) + data[end:]


def _cut(rng: random.Random, data: bytes, _: bytes) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _splice(rng: random.Random, data: bytes, other: bytes) -> bytes:
    (start, end), (other_start, other_end) = _span(rng, data), _span(rng, other)
    return data[:start] + other[other_start:other_end] + data[end:]


def _inside(change: Change) -> Change:
    """`change` within one section, whose length is then right again."""

    def inner(rng: random.Random, data: bytes, other: bytes) -> bytes:
        parts = sections(data)
        if not parts:
            return change(rng, data, other)
        at = rng.randrange(len(parts))
        number, content = parts[at]
        parts[at] = (number, change(rng, content, other))
        return _joined(parts)

    return inner


def _rearrange(rng: random.Random, data: bytes, other: bytes) -> bytes:
    """Sections swapped, dropped, doubled, renumbered, or taken from another module."""
    parts, others = sections(data), sections(other)
    if not parts or not others:
        return data
    at = rng.randrange(len(parts))
    number, content = parts[at]
    choice = rng.randrange(5)
    if choice == 0:
        rng.shuffle(parts)
    elif choice == 1:
        del parts[at]
    elif choice == 2:
        parts.insert(at, parts[at])
    elif choice == 3:
        parts[at] = (rng.choice((*range(15), number ^ 0x80)), content)
    else:
        parts = sorted([*(part for part in parts if part[0] != number), rng.choice(others)], key=lambda part: part[0])
    return _joined(parts)


_BLIND: Final[tuple[Change, ...]] = (_flip, _overwrite, _remove, _repeat, _cut, _splice)
_CHANGES: Final[tuple[Change, ...]] = (
    *_BLIND, *(_inside(change) for change in (_flip, _flip, _overwrite, _overwrite, _remove, _repeat, _splice)),
    _rearrange, _rearrange,
)  # fmt: skip
