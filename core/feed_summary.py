"""One request as a line of the live list: names and numbers, none of its text. Pure."""

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final

from core.decision_record import known_error
from core.exchange import Cost, Exchange
from core.identity import AGENTS

#: A client may call a model as it likes; so much of a name is shown.
MOST: Final = 200
OTHER: Final = "other"
#: Agents whose names are ours: a flow's names come from the configuration and from here.
KNOWN_AGENTS: Final = frozenset(AGENTS.values())
#: What a filter looks at.
SEARCHED: Final = (
    "id", "client", "agent", "class", "session", "requested", "target", "answered_by", "phase", "reason", "status",
    "error",
)  # fmt: skip
Summary = Mapping[str, Any]


def summary(exchange: Exchange, ms: float | None) -> dict[str, Any]:
    """`ms` is how long it took, None while it is open. The values are JSON's."""
    decision, features = exchange.decision, exchange.inputs.features if exchange.inputs else None
    used = exchange.usage.plus(exchange.lost)
    return {
        "id": exchange.request_id,
        "at_ms": exchange.began_ms,
        "endpoint": exchange.endpoint,
        "client": exchange.client_key,
        "agent": features.agent if features else "",
        "class": features.request_class if features else "",
        "session": _short(features.session_id) if features else "",
        "requested": features.model[:MOST] if features else "",
        "target": str(decision.target)[:MOST] if decision and decision.target else None,
        "answered_by": str(exchange.answered_by)[:MOST] if exchange.answered_by else None,
        "phase": decision.phase if decision else "",
        "reason": decision.reason if decision else "",
        "status": exchange.status,
        "error": known_error(exchange.error),
        "stream": features.stream if features else False,
        "state": "open" if ms is None else "done",
        "tokens": {
            "input": used.input,
            "output": used.output,
            "cache_read": used.cache_read,
            "cache_write": used.cache_write,
        },
        "cost_micro_usd": micros(exchange.cost),
        "ms": _rounded(ms),
        "decided_ms": _rounded(exchange.decided_ms),
        "first_ms": _rounded(exchange.first_ms),
        "attempts": len(exchange.attempts),
        "simulated": exchange.simulated,
        "cache": exchange.cache,
        "snapshot": exchange.snapshot[:12],
    }


def micros(cost: Cost | None) -> int | None:
    """None if nobody knows what all of it cost."""
    return None if cost is None or cost.unpriced else cost.micros


def _short(session: str) -> str:
    return blake2b(session.encode("utf-8", "replace"), digest_size=4).hexdigest()


def _rounded(ms: float | None) -> float | None:
    return None if ms is None else round(ms, 2)


def matching(query: str) -> Callable[[Summary], bool]:
    """Whether a summary has all words of `query`, each anywhere in what is searched, or `field:word` in that field."""
    words = [_word(word) for word in query.lower().split()]
    return lambda shown: all(any(word in _text(shown[name]) for name in names) for names, word in words)


def _word(word: str) -> tuple[Sequence[str], str]:
    name, colon, rest = word.partition(":")
    return ((name,), rest) if colon and name in SEARCHED else (SEARCHED, word)


def _text(value: object) -> str:
    return "" if value is None else str(value).lower()
