"""What an answer says of its conversation: the state that the next request is decided by. Pure, by the clock given."""

from hashlib import blake2b
from typing import Final

from core.exchange import Decision, Features, SessionState, Target, Warm
from core.features import COMPACTION
from core.messages import Usage
from core.prompt_cache import LEAST_TOKENS, held
from core.schema import Price

#: Phases that a session stays at home in: the others are somebody's word for this request alone.
SOFT: Final = frozenset({"pattern", "default"})
#: The reason of a decision to stay begins so.
STICKY: Final = "sticky:"
#: A mark begins so, which no id that a client sent can (`identity`).
_MARK: Final = "~"
#: Caches that are remembered of a conversation.
CACHES: Final = 4


def key_of(features: Features) -> str:
    """Under which a client's conversation is remembered. No session's id holds a slash."""
    return f"{features.session_id}/{features.thread}" if features.thread else features.session_id


def mark_of(features: Features) -> str:
    """Which client's session this is, subagents and side jobs included, in 17 characters that tell nothing else of it.

    Features whose session's id was replaced by its mark have the same mark. What has no session stands for itself.
    """
    return mark(features.client_key, features.session_id or f"\0{features.seed}")


def mark(client_key: str, session_id: str) -> str:
    """As `mark_of`."""
    if session_id.startswith(_MARK):
        return session_id
    whole = f"{client_key}\0{session_id}".encode("utf-8", "replace")
    return _MARK + blake2b(whole, digest_size=8).hexdigest()


def after(
    state: SessionState,
    features: Features,
    decision: Decision,
    answered_by: Target,
    usage: Usage,
    price: Price | None,
) -> SessionState | None:
    """The state after an answer; None if it stays as it was: a compaction is no turn of the conversation that it is
    about. `price` is the target's, None if it only played an answer.
    """
    if features.request_class == COMPACTION:
        return None
    read = usage.input + usage.cache_read + usage.cache_write
    target, warm = str(answered_by), state.warm
    if price is not None and read:
        warm = _warmed(state, target, held(usage, price), features.now_ms)
    return SessionState(
        turns=state.turns + 1,
        last_target=target,
        last_input_tokens=read or features.token_count,
        cached_prefix_tokens=usage.cache_read + usage.cache_write,
        home=target if _settles(decision, answered_by, features) else state.home,
        output_tokens=(3 * state.output_tokens + usage.output) // 4 if state.output_tokens else usage.output,
        warm=warm,
    )


def _settles(decision: Decision, answered_by: Target, features: Features) -> bool:
    """Whether the conversation is at home at this target from now on: it was decided for, and answered itself."""
    stayed = decision.reason.startswith(STICKY)
    return decision.phase in SOFT and not stayed and answered_by == decision.target and features.thread != "side"


def _warmed(state: SessionState, target: str, tokens: int, now_ms: int) -> tuple[Warm, ...]:
    others = tuple(warm for warm in state.warm if warm.target != target)
    return others[-CACHES:] if tokens < LEAST_TOKENS else (*others[1 - CACHES :], Warm(target, tokens, now_ms))
