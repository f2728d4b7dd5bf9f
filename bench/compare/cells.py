"""The cells of the comparison, and the requests that are sent in them. Pure but for `write`."""

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Final, Literal

from msgspec import Struct

from bench import bodies
from bench import load_generator as load
from bench.compare.target import SAME, TRANSLATED, Speech

Form = Literal["JSON", "SSE"]
Size = Literal["S", "L"]
CONNECTIONS: Final = (1, 16, 64)
#: As many bodies of each kind take turns: the same conversation, another last question, as in an agent's session.
VARIANTS: Final = 8


class Cell(Struct, frozen=True):
    """One kind of traffic."""

    form: Form
    size: Size
    connections: int
    way: str = SAME

    @property
    def title(self) -> str:
        return f"{self.form} {self.size} c={self.connections} {self.way}"


def cells(connections: tuple[int, ...] = CONNECTIONS) -> Iterator[Cell]:
    """All of them."""
    for way, form, size, at_once in product((SAME, TRANSLATED), ("JSON", "SSE"), ("S", "L"), connections):
        yield Cell(form, size, at_once, way)  # type: ignore[arg-type]


class Requests:
    """The bodies as files, each made when it is first asked for."""

    def __init__(self, folder: Path, upstream: str) -> None:
        self._folder, self._upstream = folder, upstream

    def ask(self, cell: Cell, speech: Speech) -> load.Ask:
        """What the load generator is told for this cell, of a target that speaks so."""
        streamed = cell.form == "SSE"
        files = [self._file(cell, speech, number) for number in range(VARIANTS)]
        headers = [header.format(upstream=self._upstream) for header in speech.headers]
        mark = load.MARKS[speech.dialect, streamed]
        return load.Ask(speech.path, files, headers, mark)

    def _file(self, cell: Cell, speech: Speech, number: int) -> Path:
        file = self._folder / f"{speech.dialect}-{speech.model}-{cell.form}-{cell.size}-{number}.json"
        if not file.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            file.write_bytes(body(cell, speech, number))
        return file


def body(cell: Cell, speech: Speech, number: int) -> bytes:
    """One request of the cell, in Anthropic's dialect or in OpenAI's."""
    make = bodies.small if cell.size == "S" else bodies.large
    asked = bodies.asking(make(stream=cell.form == "SSE"), f"Question {number}.")
    named = asked.replace(f'"model":"{bodies.MODEL}"'.encode(), f'"model":"{speech.model}"'.encode(), 1)
    return named if speech.dialect == "anthropic" else bodies.as_chat(named)
