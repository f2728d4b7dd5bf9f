"""What targets were asked and cost in the last hour, as this process saw it. Pure: time is a parameter.

Only configured targets are kept: a model that a client made up is counted with nobody.
"""

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from core import prices
from core.exchange import CANCELLED, Exchange, Target
from core.ring import Ring
from core.schema import ModelCard

#: An hour, in minutes.
STEP_MS: Final = 60_000
STEPS: Final = 60
#: Ends of an attempt that say nothing against the target.
_FINE: Final = frozenset({"ok", CANCELLED, "refused"})


class TargetCounts(NamedTuple):
    """Of the last hour: attempts, those that failed, and what was used, in micro-USD as far as prices are known."""

    requests: int = 0
    errors: int = 0
    micro_usd: int = 0


class TargetFigures:
    """Of the targets of one configuration."""

    def __init__(self) -> None:
        self._rings: dict[Target, tuple[Ring, Ring, Ring]] = {}
        self._targets: frozenset[Target] = frozenset()

    def keep(self, targets: Iterable[Target]) -> None:
        """These are the targets now; those that stay keep their counts."""
        self._targets = frozenset(targets)
        self._rings = {target: rings for target, rings in self._rings.items() if target in self._targets}

    def over(self, exchange: Exchange, card: Callable[[Target], ModelCard], now_ms: int) -> None:
        """A request is over; `card` knows prices."""
        for attempt in exchange.attempts:
            if rings := self._of(attempt.target):
                rings[0].add(now_ms)
                if attempt.outcome not in _FINE:
                    rings[1].add(now_ms)
        if exchange.cost is not None and len(exchange.attempts) == 1 and not exchange.spent:  # nearly every request
            self._spent(exchange.attempts[0].target, exchange.cost.micros, now_ms)
            return
        for spent in exchange.bill():
            self._spent(spent.target, prices.cost([spent], card).micros, now_ms)

    def _spent(self, target: Target, micros: int, now_ms: int) -> None:
        if micros and (rings := self._of(target)):
            rings[2].add(now_ms, micros)

    def _of(self, target: Target) -> tuple[Ring, Ring, Ring] | None:
        rings = self._rings.get(target)
        if rings is None and target in self._targets:
            rings = self._rings[target] = (Ring(STEP_MS, STEPS), Ring(STEP_MS, STEPS), Ring(STEP_MS, STEPS))
        return rings

    def of(self, target: Target, now_ms: int) -> TargetCounts:
        """What is known of one."""
        rings = self._rings.get(target)
        return TargetCounts(*(ring.total(now_ms) for ring in rings)) if rings else TargetCounts()
