"""Requests that are over, or not yet, for tests of what is told of them."""

from typing import Any

from facts import decided, features, snapshot

from core.exchange import Attempt, Cost, Exchange, Inputs
from core.messages import Usage
from core.routing.snapshot import Snapshot

#: A concept of the embedded taxonomy's kind, so that the pattern phase finds words of the request.
SHOT = snapshot(
    concepts={"research.md": "# Research\nroute:: openrouter,deepseek/deepseek-chat\nsynonyms:: look into\n"}
)


def exchange(
    number: int = 0, *, shot: Snapshot = SHOT, client: str = "laptop", at_ms: int = 0, **facts: Any
) -> Exchange:
    """Decided, and answered by whom was decided for 12 micro-USD."""
    made = Exchange(f"req_{number:032x}", "/v1/messages", "anthropic", shot.digest, client)
    made.decision = decided(shot, **facts)
    made.inputs = Inputs(features(**facts))
    made.answered_by = made.decision.target
    if made.answered_by:
        made.attempts = [Attempt(made.answered_by, "ok", 30.0, 1)]
    made.usage, made.cost, made.status = Usage(input=100, output=20, cache_read=5), Cost(12), 200
    made.began_ms, made.decided_ms, made.first_ms = at_ms, 0.4, 33.0
    return made


def undecided(number: int = 0, status: int = 400) -> Exchange:
    """One that could not be read."""
    made = Exchange(f"req_{number:032x}", "/v1/messages", "anthropic", SHOT.digest, "laptop")
    made.status, made.error = status, "invalid_request_error"
    return made
