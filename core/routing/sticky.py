"""Whether a session stays where its prompt cache is, although a concept or the default names another target. Pure.

Both ways are priced for the rest of the conversation, in whole micro-USD:

    requests   as many more as there have been, this one included: at least 1, at most 20
    this one   reads what the target's cache holds of it, and writes the rest
    each next  reads all of the one before it, and writes as much as this one brought, at most as much as each has
               brought on average
    answers    are as long as the last ones were

The session leaves if that is cheaper. A way back is not part of it: when it is proposed it is weighed like this one,
with whatever the cache there still holds. Hard needs are not weighed, and within a tool loop nothing else counts. A
concept of high priority ("switch to opus") is an order: what a user asks for by name has no price.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from core.exchange import Candidate, Target
from core.messages import Usage
from core.prices import MICRO, exact
from core.routing.proposal import Proposal
from core.session import SOFT, STICKY

if TYPE_CHECKING:
    from core.routing.decide import Deciding

#: A session is thought to make at most so many further requests.
MOST_REQUESTS: Final = 20


def settled(deciding: "Deciding", proposal: Proposal) -> Proposal:
    """The proposal, or the same with the session's own target in front; the trace says why, and names the figures."""
    session, proposed = deciding.session, proposal.candidates[0].target
    anchor = session.last_target if deciding.features.tool_loop else session.home
    if not (anchor and deciding.snapshot.settings.sessions.sticky and proposal.phase in SOFT):
        return proposal
    if anchor == str(proposed):
        return proposal
    why, figures = _verdict(deciding, anchor, proposal)
    candidate = deciding.admit("sticky", Target.parse(anchor)) if why in STAYS else None
    if why in STAYS and candidate is None:
        why = "cannot serve"
    outcome = "left" if candidate is None else "stayed"
    deciding.note("sticky", outcome, target=anchor, proposed=str(proposed), why=why, **figures)
    return proposal if candidate is None else _staying(proposal, candidate)


#: Why a session stays, if its target can serve the request; it leaves for anything else.
STAYS: Final = frozenset({"tool loop", "cheaper to stay"})


def _staying(proposal: Proposal, candidate: Candidate) -> Proposal:
    others = tuple(other for other in proposal.candidates if other.target != candidate.target)
    reason = STICKY + proposal.reason.removeprefix("concept:")
    return msgspec.structs.replace(proposal, reason=reason, candidates=(candidate, *others))


def _verdict(deciding: "Deciding", anchor: str, proposal: Proposal) -> tuple[str, Mapping[str, Any]]:
    """Why the session stays or leaves, and what was weighed."""
    if anchor not in deciding.snapshot.target_names:
        return "not configured", {}
    state = deciding.states.get(anchor)
    if state is not None and not state.healthy:
        return "not well", {}
    if deciding.features.tool_loop:
        return "tool loop", {}
    if proposal.phase == "pattern" and proposal.priority >= deciding.snapshot.settings.sessions.follow_priority:
        return "an order", {}
    return _weighed(deciding, Target.parse(anchor), proposal.candidates[0].target)


def _weighed(deciding: "Deciding", here: Target, there: Target) -> tuple[str, Mapping[str, Any]]:
    cached = _cached(deciding, here)
    if not cached:
        return "nothing cached", {}
    requests = min(max(deciding.session.turns, 1), MOST_REQUESTS)
    stay, leave = _cost(deciding, here, requests), _cost(deciding, there, requests)
    figures = {"cached_tokens": cached, "requests": requests, "stay_micro_usd": stay, "leave_micro_usd": leave}
    if stay is None or leave is None:
        return "price unknown", figures
    return ("cheaper to leave" if leave < stay else "cheaper to stay"), figures


def _cached(deciding: "Deciding", target: Target) -> int:
    """Tokens of this request that the target's prompt cache holds."""
    keep_s = deciding.snapshot.settings.sessions.prompt_cache_s
    return min(deciding.session.cached(str(target), deciding.features.now_ms, keep_s), deciding.tokens(target))


def _cost(deciding: "Deciding", target: Target, requests: int) -> int | None:
    """Micro-USD of so many requests at a target; None if a price is unknown."""
    tokens, session = deciding.tokens(target), deciding.session
    brought = min(max(tokens - session.last_input_tokens, 0), tokens // (session.turns + 1))
    usage = expected(tokens, _cached(deciding, target), brought, session.output_tokens, requests)
    whole = exact(usage, deciding.snapshot.card(target).price)
    return None if whole is None else whole // MICRO


def expected(tokens: int, cached: int, brought: int, output: int, requests: int) -> Usage:
    """What the next requests of a conversation use: this one has so many tokens, of which a cache holds `cached`, and
    each adds `brought`; answers have `output`.
    """
    more = requests - 1
    read = cached + more * tokens + brought * more * (more - 1) // 2
    return Usage(cache_read=read, cache_write=tokens - cached + more * brought, output=requests * output)
