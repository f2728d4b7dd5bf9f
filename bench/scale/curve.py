"""A cost over sizes, the exponent that it grows with, and what is shown of both. Pure."""

import math
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from bench import plot
from bench.row import Row, number
from bench.stats import Figure, figure


class Curve(Struct, frozen=True):
    """What one cost was at each size in each round; all sizes have as many rounds. `of` names the size."""

    suite: str
    name: str
    of: str
    unit: str
    costs: Mapping[float, Sequence[float]]
    #: The exponent may be so large.
    bound: float

    @property
    def points(self) -> list[tuple[float, Figure]]:
        """The cost at each size, the smallest first."""
        found = ((size, figure(costs)) for size, costs in sorted(self.costs.items()))
        return [(size, cost) for size, cost in found if cost]

    @property
    def exponent(self) -> Figure:
        """Of a fit within each round."""
        sizes = sorted(self.costs)
        rounds = zip(*(self.costs[size] for size in sizes), strict=True)
        found = figure(slope(sizes, costs) for costs in rounds)
        if found is None:
            raise ValueError(f"{self.name} was never measured")
        return found


def slope(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """The exponent k of cost = c · size^k that fits best: least squares of the logarithms. All are greater than 0."""
    across, up = [math.log(size) for size in sizes], [math.log(cost) for cost in costs]
    middle, height = sum(across) / len(across), sum(up) / len(up)
    wide = sum((x - middle) ** 2 for x in across)
    return sum((x - middle) * (y - height) for x, y in zip(across, up, strict=True)) / wide


def row(curve: Curve) -> Row:
    """The exponent, and the costs from the smallest to the largest size."""
    found, points = curve.exponent, curve.points
    said = ", ".join(f"{number(cost.value)} at {size:,.0f}" for size, cost in points)
    return Row(
        suite=curve.suite, name=f"{curve.name}: exponent", value=found.value, unit="", bound=curve.bound,
        spread=(found.lowest, found.highest), note=f"{curve.unit} by {curve.of}: {said}",
        figures={f"at_{size:g}": cost.value for size, cost in points},
    )  # fmt: skip


def at(curve: Curve, size: float, bound: float, name: str) -> Row:
    """The cost at one size."""
    cost = dict(curve.points)[size]
    return Row(
        suite=curve.suite, name=name, value=cost.value, unit=curve.unit, bound=bound,
        spread=(cost.lowest, cost.highest),
    )  # fmt: skip


def pictures(curves: Sequence[Curve]) -> Iterator[tuple[str, str]]:
    """(file name, SVG) for each size that something grows with, and each unit."""
    for of, unit in dict.fromkeys((curve.of, curve.unit) for curve in curves):
        own = [curve for curve in curves if (curve.of, curve.unit) == (of, unit)]
        lines = [(f"{one.name}: exponent {one.exponent.value:.2f}", one.points) for one in own]
        name = f"scale-{of}-{unit}.svg".replace(" ", "-").replace("/", "-")
        yield name, plot.curves(f"{unit} by {of} (lowest … highest of the rounds), logarithmic", of, lines)
