"""That the proof sees what a broken relay does."""

import random
from collections.abc import Iterable
from pathlib import Path

import pytest

from core.dialects import CLIENTS
from prove.random_answers import answer, cut, damaged, framed
from prove.translation import WIRES, Relayed, relayed, section


def test_what_holds(tmp_path: Path) -> None:
    found = section(tmp_path, 12 * len(WIRES) * len(CLIENTS))
    assert (found.findings, found.verdict) == ([], "held")
    assert found.number.startswith("0 of ")


def losing(provider: str, client: str, chunks: Iterable[bytes], changed: bool) -> tuple[bytes, bool]:
    data, complete = relayed(provider, client, chunks, changed)
    return data.replace(b"o", b"", 1) if b"word" in data else data, complete


def doubling(provider: str, client: str, chunks: Iterable[bytes], changed: bool) -> tuple[bytes, bool]:
    data, complete = relayed(provider, client, chunks, changed)
    return data.replace("☃".encode(), "☃☃".encode(), 1), complete


def inventing(provider: str, client: str, chunks: Iterable[bytes], changed: bool) -> tuple[bytes, bool]:
    """Every end is a success; the bytes are the relay's own."""
    return relayed(provider, client, chunks, changed)[0], True


def denying(provider: str, client: str, chunks: Iterable[bytes], changed: bool) -> tuple[bytes, bool]:
    return relayed(provider, client, chunks, changed)[0], False


@pytest.mark.parametrize(
    ("relay", "seen"),
    [(losing, "sound"), (doubling, "sound"), (inventing, "damaged"), (denying, "sound")],
)
def test_what_is_broken_is_found(tmp_path: Path, relay: Relayed, seen: str) -> None:
    found = section(tmp_path, 40, relay)
    assert [finding for finding in found.findings if finding.startswith(seen)]
    assert not found.number.startswith("0 of ")


def test_a_number_always_gives_the_same() -> None:
    for number in range(20):
        once, again = random.Random(number), random.Random(number)  # noqa: S311
        assert answer(once) == answer(again)


def test_the_ways_to_cut_and_damage_are_all_taken() -> None:
    rng = random.Random(1)  # noqa: S311
    frames = list(next(iter(WIRES.values())).frames(answer(rng), {"model": "m"}, 0))
    events = framed(frames, rng)
    stream = b"".join(events)
    chunkings = [cut(stream, rng) for _ in range(200)]
    assert all(b"".join(chunks) == stream for chunks in chunkings)
    assert min(map(len, chunkings)) == 1
    assert max(map(len, chunkings)) > 20
    assert len({damaged(events, rng) for _ in range(200)}) > 100
