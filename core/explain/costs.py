"""What asking a candidate is expected to cost: its tokens, what its prompt cache holds, a usual answer. Pure."""

from typing import Any, Final

from core.exchange import Candidate, Inputs
from core.messages import Usage
from core.prices import MICRO, estimate, exact
from core.prompt_cache import reported
from core.routing.snapshot import Snapshot


def of_candidate(candidate: Candidate, inputs: Inputs, snapshot: Snapshot | None) -> dict[str, Any]:
    """`output_tokens` is the mean of the session's answers, None if there were none: then only the prompt is priced.
    Costs are None where no price is known; `most_micro_usd` is what a budget reserves.
    """
    output = inputs.session.output_tokens or None
    shown: dict[str, Any] = {"output_tokens": output, "cached_tokens": None, "micro_usd": None, "usd": None}
    if snapshot is None:
        return shown
    card = snapshot.card(candidate.target)
    cached = min(_held(candidate, inputs, snapshot), candidate.tokens)
    usage = reported(card.price, candidate.tokens, cached, output or 0)
    most = estimate(candidate, inputs.features.max_tokens, card)
    cost = exact(usage, card.price)
    return shown | {
        "cached_tokens": usage.cache_read,
        "micro_usd": None if cost is None else -(-cost // MICRO),
        "usd": None if cost is None else dollars(-(-cost // MICRO)),
        "most_micro_usd": None if most.unpriced else most.micros,
    }


def _held(candidate: Candidate, inputs: Inputs, snapshot: Snapshot) -> int:
    keep_s = snapshot.settings.sessions.prompt_cache_s
    return inputs.session.cached(str(candidate.target), inputs.features.now_ms, keep_s)


def dollars(micros: int) -> str:
    """US dollars with six decimals."""
    return f"{micros // MICRO}.{micros % MICRO:06}"


#: Kinds of tokens, in the order in which they are said.
KINDS: Final = ("input", "cache_read", "cache_write", "output", "reasoning")


def of_usage(usage: Usage) -> dict[str, int]:
    """What was used, by kind; what was not is left out."""
    return {kind: tokens for kind in KINDS if (tokens := getattr(usage, kind))}
