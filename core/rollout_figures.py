"""How a rule does at its stage, call by call, and what is to be done about it. Pure.

A call costs the same however many there were. What is judged are the last calls, so that a rule that goes bad after a
million good ones is seen as soon as one that was bad from the start.
"""

from collections import Counter, deque
from typing import Any, Final, NamedTuple

from core.rollout import ENFORCE, PROMOTE, ROLLBACK, SHADOW, Stage, following
from core.schema_rollout import RolloutSettings
from wasm_host import abi
from wasm_host.answer import Outcome

#: Reasons for which a rule is left out that are its own doing; a request that is too large for it is not.
_OWN_DOING: Final = ("breaker", "quarantine")
#: Per cent of the calls that may use more fuel than `max_fuel`: so it bounds the 99th percentile.
_HEAVY: Final = 1.0
#: Of the calls that are judged, this part must have been in shadow for its disagreement to say something.
_SHADOWED: Final = 0.1


#: What a call is counted as, each kind also as the first.
KINDS: Final = ("call", "would_decide", "in_shadow", "disagreed", "fault")


class _Call(NamedTuple):
    """`fault` is its code, empty if there was none; `heavy`: more fuel than `max_fuel`."""

    fault: str
    heavy: bool
    shadow: bool
    disagreed: bool
    fuel: int
    micros: int


class Verdict(NamedTuple):
    """What is to be done: `action` is a move's, `to` the stage, `why` has the figures."""

    action: str
    to: Stage
    why: str


def is_fault(outcome: Outcome) -> bool:
    """Whether the rule failed, or is left alone because it did."""
    if outcome.code == "skipped":
        return outcome.message.partition(":")[0] in _OWN_DOING
    return outcome.code in abi.FAULTS


class Figures:
    """Of one rule at one stage, since it came there. `last` calls are judged; `fuel` is the rule's limit."""

    def __init__(self, settings: RolloutSettings, fuel: int) -> None:
        self.settings = settings
        self._heavy = None if settings.max_fuel is None else fuel * settings.max_fuel / 100
        self._last: deque[_Call] = deque()
        self._faults: Counter[str] = Counter()
        self._heavies = self._shadowed = self._disagreed = 0
        self.calls = self.would = self.shadowed = self.disagreed = 0
        self.faults: Counter[str] = Counter()

    def add(self, outcome: Outcome, *, would: bool, differs: bool) -> list[str]:
        """A call, and which of `KINDS` it was. `would`: its word counted, or would have if it was in shadow; `differs`:
        it would have changed the target.
        """
        fault = outcome.code if is_fault(outcome) else ""
        heavy = self._heavy is not None and outcome.fuel > self._heavy
        disagreed = outcome.shadow and would and differs
        if fault:
            self.faults[fault] += 1
        self.calls += 1
        self.would += would
        self.shadowed += outcome.shadow
        self.disagreed += disagreed
        self._last.append(_Call(fault, heavy, outcome.shadow, disagreed, outcome.fuel, outcome.micros))
        self._count(self._last[-1], 1)
        if len(self._last) > self.settings.min_decisions:
            self._count(self._last.popleft(), -1)
        was = (True, would, outcome.shadow, disagreed, bool(fault))
        return [kind for kind, whether in zip(KINDS, was, strict=True) if whether]

    def _count(self, call: _Call, by: int) -> None:
        """A call comes to the last ones, or leaves them."""
        if call.fault:
            self._faults[call.fault] += by
        self._heavies += by * call.heavy
        self._shadowed += by * call.shadow
        self._disagreed += by * call.disagreed

    @property
    def enough(self) -> bool:
        """Whether there were as many calls as are judged."""
        return len(self._last) == self.settings.min_decisions

    def too_many(self) -> str:
        """The limit that the last calls do not hold, in words; empty if they hold all.

        Faults count as soon as there are more than so many calls may have; the rest when there were enough calls.
        """
        settings, of = self.settings, self.settings.min_decisions
        if (faults := self._faults.total()) > of * settings.max_fault_rate / 100:
            codes = ", ".join(f"{code} {count}" for code, count in sorted(self._faults.items()) if count)
            return f"{faults} of the last {len(self._last)} calls failed ({codes}); {settings.max_fault_rate:g} % may"
        if not self.enough:
            return ""
        if self._heavies > of * _HEAVY / 100:
            return f"{self._heavies} of the last {of} calls used more than {settings.max_fuel:g} % of the fuel limit"
        shadowed, disagreed = self._shadowed, self._disagreed
        most = settings.max_disagreement
        if most is not None and shadowed >= of * _SHADOWED and disagreed > shadowed * most / 100:
            return f"another target in {disagreed} of the last {shadowed} calls in shadow; {most:g} % may be"
        return ""

    def shown(self) -> dict[str, Any]:
        """For people and programs; percentiles are of the last calls."""
        fuel, micros = (sorted(getattr(call, name) for call in self._last) for name in ("fuel", "micros"))
        return {
            "calls": self.calls,
            "would_decide": self.would,
            "in_shadow": self.shadowed,
            "disagreed": self.disagreed,
            "faults": dict(sorted(self.faults.items())),
            "fuel": {"p50": percentile(fuel, 50), "p99": percentile(fuel, 99)},
            "micros": {"p50": percentile(micros, 50), "p99": percentile(micros, 99)},
        }


def verdict(figures: Figures, stage: Stage, *, back: bool, held: bool) -> Verdict | None:
    """What the figures call for. `back`: the rule may be rolled back at this stage; `held`: nobody but a person may
    promote it.
    """
    settings = figures.settings
    if settings.auto == "off":
        return None
    if why := figures.too_many():
        return Verdict(ROLLBACK, SHADOW, why) if back and stage != SHADOW else None
    if settings.auto != "promote" or held or not figures.enough or stage == ENFORCE:
        return None
    to = following(stage, settings.steps)
    return None if to is None else Verdict(PROMOTE, to, f"the last {settings.min_decisions} calls held every limit")


def percentile(ordered: list[int], percent: int) -> int:
    """Nearest rank; 0 of nothing."""
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)] if ordered else 0
