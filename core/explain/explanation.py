"""The whole explanation as data: what `POST /v1/route` and `explain --json` answer."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

import msgspec

from core.dialects import CLIENTS
from core.errors import BadRequest
from core.exchange import Decision, Features, Inputs, TargetState
from core.explain import costs, phases
from core.routing.snapshot import Snapshot


def dialect_of(query: str, headers: Mapping[str, str], body: bytes) -> str:
    """Dialect of a body that may be any: `?dialect=`, else its marks (DESIGN, "Endpoints")."""
    asked = parse_qs(query).get("dialect", [""])[0]
    if asked:
        if asked not in CLIENTS:
            raise BadRequest(f"dialect: {asked[:40]!r} is not one of {', '.join(sorted(CLIENTS))}")
        return asked
    if "anthropic-version" in headers:
        return "anthropic"
    try:
        fields = msgspec.json.decode(body or b"{}", type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return "openai"
    if "input" in fields and "messages" not in fields:
        return "openai-responses"
    return "anthropic" if "system" in fields else "openai"


def explanation(
    decision: Decision,
    inputs: Inputs,
    snapshot: Snapshot | None = None,
    *,
    states: Mapping[str, TargetState] | None = None,
    chars: int | None = None,
) -> dict[str, Any]:
    """The decision, its candidates with their costs, the facts that it was made from, every phase, and the trace.

    Of the request's text only words that patterns found, if `inputs` have them; `chars` is its length if they have not.
    `states`: what is known of how targets are, where the decision did not ask for all of it.
    """
    answer = _decision(decision, inputs, snapshot)
    shown = {
        "decision": answer,
        "features": _facts(inputs.features, chars),
        "session": msgspec.structs.asdict(inputs.session),
        "phases": phases.of_decision(decision, inputs, snapshot, chars),
        "trace": [msgspec.structs.asdict(step) for step in decision.trace],
    }
    if known := {**inputs.states, **(states or {})}:
        shown["targets"] = {
            name: {fact: value for fact, value in msgspec.structs.asdict(state).items() if value is not None}
            for name, state in known.items()
        }
    return shown


def _facts(features: Features, chars: int | None) -> dict[str, Any]:
    facts = msgspec.structs.asdict(features)
    facts.pop("granted")
    facts["last_user"] = f"{len(features.last_user) if chars is None else chars} characters"
    return facts


def _decision(decision: Decision, inputs: Inputs, snapshot: Snapshot | None) -> dict[str, Any]:
    target = decision.target
    answer: dict[str, Any] = {
        "provider": target.provider if target else None,
        "model": target.model if target else None,
        "phase": decision.phase,
        "reason": decision.reason,
        "score": decision.score,
        "scenarios": decision.scenarios,
        "candidates": [
            {
                "target": str(candidate.target),
                "tokens": candidate.tokens,
                "max_tokens": candidate.max_tokens,
                "drop_thinking": candidate.drop_thinking,
                "unverified": candidate.unverified,
                "expected": costs.of_candidate(candidate, inputs, snapshot),
            }
            for candidate in decision.candidates
        ],
        "snapshot": decision.snapshot,
    }
    if decision.tags:
        answer["tags"] = decision.tags
    if decision.refusal is not None:
        answer["refusal"] = {"status": decision.refusal.status, "message": decision.refusal.message}
    return answer
