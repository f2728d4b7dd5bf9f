"""Feeding a stream in every way that a network may: whole, byte by byte, and cut once at each byte."""

from collections.abc import Callable, Iterator
from typing import TypeVar

T = TypeVar("T")


def chunkings(stream: bytes) -> Iterator[list[bytes]]:
    """The stream whole, byte by byte, and in two at each place."""
    yield [stream]
    yield [stream[at : at + 1] for at in range(len(stream))]
    for at in range(1, len(stream)):
        yield [stream[:at], stream[at:]]


def fed_in_every_way(stream: bytes, run: Callable[[list[bytes]], T]) -> T:
    """What `run` gives for the whole stream, having shown that it gives the same for every chunking."""
    ways = chunkings(stream)
    expected = run(next(ways))
    for chunks in ways:
        assert run(chunks) == expected, f"differs when cut into {[len(chunk) for chunk in chunks]}"
    return expected
