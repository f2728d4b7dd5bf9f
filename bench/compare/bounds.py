"""What the figures must show (issue 9), as rows: each is held, missed, or not measured. Pure."""

from collections.abc import Iterator, Sequence
from typing import Final, Literal

from msgspec import Struct

from bench.compare.cells import Cell
from bench.compare.figures import Results, Turn
from bench.compare.target import SAME, TRANSLATED
from bench.row import Row
from bench.stats import Figure

SUITE: Final = "It must show"
#: The cells that the issue names bounds for.
S16, L16 = Cell("JSON", "S", 16), Cell("JSON", "L", 16)
OURS, WORKER, INLINE, TRANSLATING = "ours", "ours, worker rule", "ours, inline rule", "ours, translating"
#: What the CPU of one of our requests is compared with: the same server and loop without a proxy's work.
FLOOR: Final = "asgi"
SMG, CCR, PORTKEY, LITELLM = "smg", "claude-code-router", "portkey", "litellm"
PEERS: Final = (SMG, CCR, PORTKEY, LITELLM)


class Ratio(Struct, frozen=True):
    """Requests per second by another's in one cell, at least."""

    cell: Cell
    target: str
    other: str
    bound: float


RATIOS: Final = (
    Ratio(S16, OURS, SMG, 0.7),
    Ratio(S16, OURS, CCR, 4.0),
    Ratio(L16, OURS, SMG, 2.0),
    Ratio(L16, OURS, CCR, 50.0),
    Ratio(S16, WORKER, SMG, 0.5),
    Ratio(L16, WORKER, SMG, 1.5),
)


class Added(Struct, frozen=True):
    """CPU of a request beside the floor's in the same cell, in ms, at most."""

    cell: Cell
    target: str
    bound: float


ADDED: Final = (Added(S16, OURS, 0.20), Added(S16, INLINE, 0.28), Added(S16, WORKER, 0.38), Added(L16, OURS, 0.45))
#: LiteLLM in every cell: requests per second by its own, and memory.
TIMES_LITELLM: Final = 10.0
MEMORY_OF_LITELLM: Final = 1 / 3


def rows(results: Results) -> Iterator[Row]:
    """Every bound that the cells can show."""
    for one in RATIOS:
        name = f"{one.cell.title}: {one.target} by {one.other}"
        yield row(name, results.ratio(one.cell, one.target, one.other), "x", one.bound, "higher")
    yield _worst("every cell: ours by LiteLLM", _of_all(results, SAME, OURS, [LITELLM]), TIMES_LITELLM)
    translated = _of_all(results, TRANSLATED, TRANSLATING, [LITELLM])
    yield _worst("every cell: ours by LiteLLM, translating", translated, TIMES_LITELLM)
    best = _of_all(results, TRANSLATED, TRANSLATING, PEERS)
    yield _worst("every cell: ours by the best peer, translating", best, 1.0)
    memory = results.compared(L16, OURS, LITELLM, lambda ours, theirs: ours.pss_mb / theirs.pss_mb)
    yield row("memory: ours by LiteLLM's (PSS)", memory, "x", MEMORY_OF_LITELLM, "lower")
    for added in ADDED:
        name = f"{added.cell.title}: CPU that {added.target} adds to bare ASGI"
        yield row(name, results.compared(added.cell, added.target, FLOOR, _added_cpu), "ms", added.bound, "lower")


def _added_cpu(ours: Turn, floor: Turn) -> float:
    return ours.cpu_ms - floor.cpu_ms


def _of_all(results: Results, way: str, target: str, others: Sequence[str]) -> list[tuple[str, Figure]]:
    """The ratio of every cell of that way, each to the best of the others there."""
    found = []
    for cell in results.cells():
        ratios = [ratio for other in others if (ratio := results.ratio(cell, target, other))]
        if cell.way == way and ratios:
            found.append((cell.title, min(ratios)))
    return found


def _worst(name: str, ratios: list[tuple[str, Figure]], bound: float) -> Row:
    if not ratios:
        return row(name, None, "x", bound, "higher")
    where, worst = min(ratios, key=lambda each: each[1].value)
    return row(name, worst, "x", bound, "higher", f"the worst of {len(ratios)}: {where}")


def row(
    name: str, found: Figure | None, unit: str, bound: float, better: Literal["lower", "higher"], note: str = ""
) -> Row:
    """Held, missed, or not measured."""
    if found is None:
        return Row(suite=SUITE, name=name, value=float("nan"), unit=unit, note=f"NOT MEASURED (bound {bound:g})")
    spread = (found.lowest, found.highest)
    return Row(
        suite=SUITE, name=name, value=found.value, unit=unit, bound=bound, better=better, spread=spread, note=note
    )
