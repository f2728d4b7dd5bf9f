"""What was seen of whom in which cell and round, and the ratios within a round. Pure."""

from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct

from bench.compare.cells import Cell
from bench.load_generator import Seen
from bench.stats import Figure, figure


class Turn(Struct, frozen=True):
    """One target's turn. `cpu_ms` is the CPU time of its process tree for one request; `pss_mb` its memory after it."""

    cell: Cell
    target: str
    round: int
    seen: Seen
    cpu_ms: float
    pss_mb: float


class Failed(Struct, frozen=True):
    """A turn without a figure, and why."""

    target: str
    where: str
    why: str


class Results:
    """All turns so far."""

    def __init__(self, turns: Iterable[Turn] = ()) -> None:
        self._turns: dict[tuple[Cell, str], dict[int, Turn]] = {}
        for turn in turns:
            self.add(turn)

    def add(self, turn: Turn) -> None:
        self._turns.setdefault((turn.cell, turn.target), {})[turn.round] = turn

    def turns(self, cell: Cell, target: str) -> Mapping[int, Turn]:
        """By round; empty if it had no turn there."""
        return self._turns.get((cell, target), {})

    def all(self) -> list[Turn]:
        return [turn for turns in self._turns.values() for turn in turns.values()]

    def cells(self) -> list[Cell]:
        return list(dict.fromkeys(cell for cell, _ in self._turns))

    def targets(self, cell: Cell) -> list[str]:
        return [target for other, target in self._turns if other == cell]

    def of(self, cell: Cell, target: str, value: Callable[[Turn], float]) -> Figure | None:
        return figure(map(value, self.turns(cell, target).values()))

    def compared(self, cell: Cell, target: str, other: str, how: Callable[[Turn, Turn], float]) -> Figure | None:
        """Made of two turns of the same round, for every round that has both."""
        theirs = self.turns(cell, other)
        return figure(how(turn, theirs[at]) for at, turn in self.turns(cell, target).items() if at in theirs)

    def ratio(self, cell: Cell, target: str, other: str) -> Figure | None:
        """Requests per second, by the other's."""
        return self.compared(cell, target, other, lambda ours, theirs: ours.seen.rate / theirs.seen.rate)
