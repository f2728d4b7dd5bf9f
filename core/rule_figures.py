"""What the last calls of each rule took. Pure. How often a rule said what, `metrics` counts already."""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, Final

from core.rollout_figures import percentile
from wasm_host.answer import Outcome

#: So many calls of each rule are looked at.
LAST: Final = 512


class RuleFigures:
    """Of the rules that serve, by name."""

    def __init__(self) -> None:
        self._calls: dict[str, deque[tuple[int, int]]] = {}

    def keep(self, names: Iterable[str]) -> None:
        """These are the rules now; those that stay keep their calls."""
        self._calls = {name: self._calls.get(name) or deque(maxlen=LAST) for name in names}

    def asked(self, outcomes: Sequence[Outcome]) -> None:
        """Rules were asked; one that was passed over took nothing."""
        for outcome in outcomes:
            calls = self._calls.get(outcome.rule)
            if calls is not None and outcome.code != "skipped":
                calls.append((outcome.fuel, outcome.micros))

    def of(self, name: str) -> dict[str, Any]:
        """Instructions and microseconds of the last calls: nulls where there were none."""
        calls = tuple(self._calls.get(name, ()))
        fuel, micros = [fuel for fuel, _ in calls], sorted(micros for _, micros in calls)
        if not calls:
            return {"fuel": {"mean": None, "max": None}, "micros": {"p50": None, "p99": None}}
        return {
            "fuel": {"mean": round(sum(fuel) / len(fuel)), "max": max(fuel)},
            "micros": {"p50": percentile(micros, 50), "p99": percentile(micros, 99)},
        }
