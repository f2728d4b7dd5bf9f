"""One recorded decision beside the one that a candidate makes of it: what is other. Pure."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct

from core.decision_record import Record
from core.exchange import Decision, Step
from wasm_host import abi
from wasm_host.answer import Outcome

#: Figures of a request in a sentence that is counted.
_FIGURES: Final = re.compile(r"\b\d+\b")


class Removed(Struct, frozen=True):
    """A target that somebody named and the gate turned away; figures are left out of `why`."""

    by: str
    target: str
    why: str


class Side(Struct, frozen=True):
    """One of the two decisions. `target` is `provider,model` or `refused STATUS`, `by` who decided: a rule that denied
    is named like one that routed.
    """

    target: str
    by: str
    refused: bool
    removed: frozenset[Removed]
    asked: Sequence[Outcome]


class Compared(Struct, frozen=True):
    """Both sides. `behind`: the same target for the same reason, with other targets or limits behind it."""

    before: Side
    after: Side
    behind: bool

    @property
    def flipped(self) -> bool:
        return self.before.target != self.after.target


def compared(record: Record, decision: Decision) -> Compared:
    """The record's own decision, and what a candidate decides on its inputs."""
    before, after = side(record.decision, record.asked), side(decision, decision.asked)
    same = (before.target, before.by) == (after.target, after.by)
    return Compared(before, after, same and record.decision.candidates != decision.candidates)


def side(decision: Decision, asked: Sequence[Outcome]) -> Side:
    """A decision, as far as it is compared. `asked` is what rules answered."""
    refusal = decision.refusal
    target = f"refused {refusal.status}" if refusal is not None else str(decision.target)
    return Side(target, decider(decision, asked), refusal is not None, frozenset(_removed(decision.trace)), asked)


def decider(decision: Decision, asked: Sequence[Outcome]) -> str:
    """Who decided: the reason's code; a rule's name for its denial too."""
    if decision.phase == "custom" and decision.refusal is not None:
        return next((f"rule:{outcome.rule}" for outcome in reversed(asked) if outcome.decides), decision.reason)
    return decision.reason


def _removed(trace: Sequence[Step]) -> Iterator[Removed]:
    """What the gate turned away, each with the first later step that says who had named it."""
    waiting: list[Step] = []
    for step in trace:
        if (step.phase, step.outcome) == ("gate", "removed"):
            waiting.append(step)
        elif step.phase != "gate":
            yield from (_told(one, _named_by(step)) for one in waiting)
            waiting.clear()
    yield from (_told(one, "fallback") for one in waiting)


def _told(step: Step, by: str) -> Removed:
    why = "; ".join(_FIGURES.sub("N", reason) for reason in step.detail["why"])
    return Removed(by, step.detail["target"], why)


def _named_by(step: Step) -> str:
    for kind in ("rule", "concept", "scenario"):
        if kind in step.detail:
            name = step.detail[kind]
            return name if kind == "scenario" else f"{kind}:{name}"
    return step.phase


def faulty(outcome: Outcome) -> bool:
    """Whether the rule failed, rather than answered."""
    return outcome.code in abi.FAULTS
