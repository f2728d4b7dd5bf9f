"""What each phase looked at, found and said, and which were not reached. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from core.exchange import Decision, Features, Found, Inputs, Step
from core.explain import looks, rules
from core.routing.snapshot import Snapshot
from core.session import SOFT

#: Characters of a match that are shown.
_MOST: Final = 80


def of_decision(
    decision: Decision, inputs: Inputs, snapshot: Snapshot | None, chars: int | None = None
) -> list[dict[str, Any]]:
    """One entry a phase, in the order in which they are asked: `outcome`, what was `looked_at`, the trace's `steps`,
    and what it found or asked. Without a snapshot only those that the trace names. `chars`: see `explanation`.
    """
    steps = _by_phase(decision.trace)
    if snapshot is None:
        order: Sequence[str] = tuple(dict.fromkeys(("explicit", *(name for name in steps if name != "features"))))
    else:
        order = ("explicit", *snapshot.settings.routing.order, "sticky", "fallback")
    shown, over = [], ""
    for name in order:
        own = steps.get(name, [])
        entry: dict[str, Any] = {"phase": name, **_outcome(name, own, over, decision, inputs, snapshot)}
        entry["looked_at"] = looks.of_phase(name, inputs, snapshot)
        entry["steps"] = [msgspec.structs.asdict(step) for step in own]
        if name == "custom":
            entry["rules"] = rules.of_decision(decision, inputs, snapshot)
        if name == "pattern":
            entry["matches"] = of_matches(decision.matches, inputs.features)
            entry["looked_at"] |= {} if chars is None else {"characters": chars}
        shown.append(entry)
        if name == decision.phase:
            over = f"the {name} phase {'refused' if decision.refusal else 'decided'}"
    return shown


def _by_phase(trace: Sequence[Step]) -> Mapping[str, list[Step]]:
    """A line of the gate belongs to the phase whose line comes next; the last ones are about fallbacks."""
    found: dict[str, list[Step]] = {}
    gate: list[Step] = []
    for step in trace:
        gate.append(step)
        if step.phase != "gate":
            found.setdefault(step.phase, []).extend(gate)
            gate = []
    if gate:
        found.setdefault("fallback", []).extend(gate)
    return found


def _outcome(
    name: str, steps: list[Step], over: str, decision: Decision, inputs: Inputs, snapshot: Snapshot | None
) -> dict[str, str]:
    if name == "fallback":
        if decision.refusal:
            return {"outcome": "not reached", "why": over}
        return {"outcome": f"{len(decision.candidates) - 1} behind"}
    said = [step for step in steps if step.phase == name]
    if name == "custom" and said and name != decision.phase:
        return {"outcome": "passed"}
    if said:
        return {"outcome": said[-1].outcome}
    if name == "sticky":
        return _unstuck(decision, inputs, snapshot)
    if over:
        return {"outcome": "not reached", "why": over}
    return {"outcome": "passed"}


def _unstuck(decision: Decision, inputs: Inputs, snapshot: Snapshot | None) -> dict[str, str]:
    """Why nobody weighed whether the session stays; see `sticky.settled`."""
    session = inputs.session
    anchor = session.last_target if inputs.features.tool_loop else session.home
    if decision.refusal:
        why = "nobody is asked"
    elif snapshot is not None and not snapshot.settings.sessions.sticky:
        why = "sessions.sticky is off"
    elif decision.phase not in SOFT:
        why = f"what the {decision.phase} phase decides is not weighed"
    elif not anchor:
        why = "the session is at home nowhere yet"
    else:
        why = "the session is there already"
    return {"outcome": "not weighed", "why": why}


def of_matches(matches: Sequence[Found] | None, features: Features) -> list[dict[str, Any]] | None:
    """What patterns found, the best first; None if nobody looked. Words are shown where they are there."""
    if matches is None:
        return None
    return [
        {
            "concept": found.concept,
            "path": found.path,
            "how": found.how,
            "score": found.score,
            "priority": found.priority,
            "spans": list(_spans(found, features.last_user)),
        }
        for found in matches
    ]


def _spans(found: Found, text: str) -> Iterator[dict[str, Any]]:
    for start, end, pattern in found.spans:
        span: dict[str, Any] = {"start": start, "end": end}
        if pattern:
            span["pattern"] = pattern
        if text:
            span["words"] = text[start : min(end, start + _MOST)]
        yield span
