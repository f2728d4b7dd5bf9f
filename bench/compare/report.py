"""The figures as tables and pictures for people. Pure."""

from collections.abc import Iterator
from typing import Final

from bench import plot
from bench.compare.cells import Cell
from bench.compare.figures import Results, Turn
from bench.row import number
from bench.stats import Figure

_HEAD: Final = (
    f"{'req/s':>9} {'by ours':>8} {'(lowest … highest)':<20}"
    f" {'p50 ms':>8} {'p99 ms':>8} {'CPU ms/req':>11} {'PSS MB':>8}"
)


def lines(results: Results, cell: Cell, ours: str) -> Iterator[str]:
    """One cell: a line a target. Ratios are medians of ratios within a round, to `ours` in this cell."""
    yield f"{cell.title:<28}{_HEAD}"
    for target in results.targets(cell):
        rate, ratio = results.of(cell, target, _rate), results.ratio(cell, target, ours)
        p50, p99 = results.of(cell, target, _p50), results.of(cell, target, _p99)
        cpu, memory = results.of(cell, target, _cpu), results.of(cell, target, _memory)
        spread = f"({number(ratio.lowest)} … {number(ratio.highest)})" if ratio else ""
        yield (
            f"  {target:<26}{_said(rate):>9} {_said(ratio):>8} {spread:<20} {_said(p50):>8} {_said(p99):>8}"
            f" {_said(cpu):>11} {_said(memory):>8}"
        )


def pictures(results: Results) -> Iterator[tuple[str, str]]:
    """(file name, SVG) for each form and way that was measured."""
    for form, way in dict.fromkeys((cell.form, cell.way) for cell in results.cells()):
        cells = [cell for cell in results.cells() if (cell.form, cell.way) == (form, way)]
        names = list(dict.fromkeys(name for cell in cells for name in results.targets(cell)))
        groups = [
            (f"{cell.size} c={cell.connections}", [results.of(cell, name, _rate) for name in names]) for cell in cells
        ]
        title = f"{form}, {way}: requests per second (lowest … highest of the rounds), logarithmic"
        yield f"{form.lower()}-{way}.svg", plot.bars(title, names, groups)


def _said(figure: Figure | None) -> str:
    return number(figure.value) if figure else "-"


def _rate(turn: Turn) -> float:
    return turn.seen.rate


def _p50(turn: Turn) -> float:
    return turn.seen.latency.p50 / 1000


def _p99(turn: Turn) -> float:
    return turn.seen.latency.p99 / 1000


def _cpu(turn: Turn) -> float:
    return turn.cpu_ms


def _memory(turn: Turn) -> float:
    return turn.pss_mb
