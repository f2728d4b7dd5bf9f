"""Why a request goes where it goes, as data: what `POST /v1/route` and `explain` answer."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

import msgspec

from core.dialects import CLIENTS
from core.errors import BadRequest
from core.exchange import Decision, Features, TargetState


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
    decision: Decision, features: Features, states: Mapping[str, TargetState] | None = None
) -> dict[str, Any]:
    """The decision, the facts that it was made from, and every phase's line. No text of the request.

    `states`: what is known of how targets are. Rules may look at it; else it decides only who is passed over.
    """
    target = decision.target
    facts = msgspec.structs.asdict(features)
    facts.pop("granted")
    facts["last_user"] = f"{len(features.last_user)} characters"
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
            }
            for candidate in decision.candidates
        ],
        "snapshot": decision.snapshot,
    }
    if decision.tags:
        answer["tags"] = decision.tags
    if decision.refusal is not None:
        answer["refusal"] = {"status": decision.refusal.status, "message": decision.refusal.message}
    shown = {"decision": answer, "features": facts, "trace": [msgspec.structs.asdict(step) for step in decision.trace]}
    if states:
        shown["targets"] = {
            name: {fact: known for fact, known in msgspec.structs.asdict(state).items() if known is not None}
            for name, state in states.items()
        }
    return shown
