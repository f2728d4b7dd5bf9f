"""The bounds that are stored, and how what was counted compares with them. Pure but for the file."""

import json
import platform
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct

#: Instructions are the same from run to run but for addresses and threads: this is more than they scatter.
TOLERANCE: Final = 0.02
FILE: Final = Path(__file__).parents[1] / "bounds.toml"
_HEAD: Final = (
    "# Instructions for each piece of work, as `make bench-check` counts them; ARGS=--update writes this file.\n"
)


class Bounds(Struct, frozen=True):
    """`interpreter` is what they were counted with: another one needs another number of instructions."""

    interpreter: str
    instructions: dict[str, int]


class Verdict(Struct, frozen=True):
    """One piece of work. `stored` is None if it is new."""

    name: str
    counted: int
    stored: int | None

    @property
    def ratio(self) -> float | None:
        return self.counted / self.stored if self.stored else None

    @property
    def word(self) -> str:
        if self.ratio is None:
            return "NEW"
        if self.ratio > 1 + TOLERANCE:
            return "DEARER"
        return "cheaper" if self.ratio < 1 - TOLERANCE else "ok"


def interpreter() -> str:
    """What counts here."""
    return f"{platform.python_implementation()} {platform.python_version()} {platform.machine()}"


def read(file: Path) -> Bounds:
    """What is stored; nothing if there is no file. ValueError if it is none."""
    if not file.exists():
        return Bounds("", {})
    found = tomllib.loads(file.read_text())
    return Bounds(str(found["interpreter"]), {str(name): int(count) for name, count in found["instructions"].items()})


def written(bounds: Bounds) -> str:
    """The file's text."""
    lines = [f"{json.dumps(name)} = {count}\n" for name, count in bounds.instructions.items()]
    return "".join([_HEAD, f'interpreter = "{bounds.interpreter}"\n\n[instructions]\n', *lines])


def judged(counted: Mapping[str, int], stored: Mapping[str, int]) -> Iterator[Verdict]:
    """A verdict for each piece that was counted."""
    return (Verdict(name, count, stored.get(name)) for name, count in counted.items())
