"""How much may change: bounds on a backtest's report, as `3%`, `+5%` or `0`. Pure."""

import re
from collections.abc import Callable, Mapping
from typing import Final

from msgspec import Struct

from core.lab.report import Report, share

_BOUND: Final = re.compile(r"(\+?)(\d+(?:\.\d+)?)(%?)")
#: What is bounded: of a report its count, and the same in per cent.
_COUNTS: Final[Mapping[str, Callable[[Report], tuple[float, float]]]] = {
    "max-flips": lambda found: (found.flips, found.flipped),
    "max-cost": lambda found: (found.cost.difference, found.cost.share),
    "max-faults": lambda found: (found.faults, share(found.faults, found.replayed)),
    "max-refusals": lambda found: (found.refusals_new, share(found.refusals_new, found.replayed)),
    "min-replayable": lambda found: (found.replayed, found.replayable),
}
NAMES: Final = tuple(_COUNTS)


class Bound(Struct, frozen=True):
    """One bound: on which figure, how much, and whether that is per cent."""

    name: str
    limit: float
    percent: bool
    text: str

    def broken(self, found: Report) -> str:
        """How the report breaks it; empty if it holds."""
        count, percent = _COUNTS[self.name](found)
        value = percent if self.percent else count
        holds = value >= self.limit if self.name.startswith("min-") else value <= self.limit
        if not holds:
            return f"--{self.name} {self.text}: it is {value:g}{'%' if self.percent else ''}"
        if self.name == "max-cost" and self.percent and not found.cost.base and found.cost.difference > 0:
            return f"--{self.name} {self.text}: what was free costs {found.cost.difference:g} dollars"
        return ""


def bound(name: str, text: str) -> Bound:
    """The bound that an option's text says; ValueError. Costs are in per cent, or in dollars more than before."""
    match = _BOUND.fullmatch(text.strip())
    if match is None or (match[1] and name != "max-cost"):
        example = "+5%" if name == "max-cost" else "90%" if name.startswith("min-") else "3%"
        raise ValueError(f"--{name}: {text!r} is no bound: write it like {example} or 0")
    return Bound(name, float(match[2]), bool(match[3]), text.strip())
