"""Turns as a comparison makes them."""

from bench.compare.cells import Cell
from bench.compare.figures import Turn
from bench.load_generator import Seen, Times

S16 = Cell("JSON", "S", 16)


def times(p50: float = 1000.0, p99: float = 2000.0, count: int = 100) -> Times:
    return Times(count, p50, p50, p99, p99, p99)


def seen(rate: float, delay: Times | None = None, first: Times | None = None) -> Seen:
    return Seen(
        answers=100, seconds=1.0, rate=rate, broken={}, all=100, all_broken=0, unfinished=0, reconnected=0,
        latency=times(), first_byte=times(), first_word=first or times(), delay=delay or times(),
    )  # fmt: skip


def turn(
    target: str,
    round: int,  # noqa: A002 - the field's name
    rate: float,
    cell: Cell = S16,
    cpu_ms: float = 0.5,
    pss_mb: float = 100.0,
) -> Turn:
    return Turn(cell, target, round, seen(rate), cpu_ms, pss_mb)
