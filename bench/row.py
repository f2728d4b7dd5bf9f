"""A figure, its bound, and the table that people read."""

import math
from collections.abc import Iterable, Iterator
from typing import Any, Literal

from msgspec import Struct


class Row(Struct, frozen=True, kw_only=True):
    """One figure. `bound` is issue 2's, or None; `spread` is the lowest and the highest of the runs."""

    suite: str
    name: str
    value: float
    unit: str
    bound: float | None = None
    better: Literal["lower", "higher"] = "lower"
    spread: tuple[float, float] | None = None
    note: str = ""
    #: What else was measured, for `--json`; the note says it to people.
    figures: dict[str, float] = {}

    @property
    def verdict(self) -> str:
        """`ok`, `MISSED`, or nothing where there is no bound."""
        if self.bound is None:
            return ""
        kept = self.value <= self.bound if self.better == "lower" else self.value >= self.bound
        return "ok" if kept else "MISSED"

    def as_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in (*self.__struct_fields__, "verdict")}


def table(rows: Iterable[Row]) -> Iterator[str]:
    """The lines of the table, as the rows come."""
    suite = ""
    for row in rows:
        if row.suite != suite:
            suite = row.suite
            yield f"\n{suite}"
        sign = "" if row.bound is None else f"{'≤' if row.better == 'lower' else '≥'} {number(row.bound)}"
        spread = f"({number(row.spread[0])} … {number(row.spread[1])})" if row.spread else ""
        figure = f"{number(row.value):>9} {row.unit:<9}"
        yield f"  {row.name:<46}{figure} {sign:<8} {row.verdict:<7}{spread:<20} {row.note}".rstrip()


def number(value: float) -> str:
    """Three significant digits, without an exponent; a dash for what is no number."""
    if math.isnan(value):
        return "-"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 1 else f"{value:.3f}"
