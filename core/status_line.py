"""One line under Claude Code's prompt: which model answered this session, why, and what it has cost. Pure."""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final

import msgspec

from core.visible import visible

DOWN: Final = "proxy down"
#: Classes of requests beside the conversation: what they were routed to says nothing about it.
_BESIDE: Final = frozenset({"auxiliary", "compaction"})


def session_of(data: bytes) -> str:
    """The session's id in what Claude Code passes on standard input; empty if it names none."""
    try:
        told = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return ""
    found = told.get("session_id") if isinstance(told, dict) else None
    return found if isinstance(found, str) else ""


def short_of(session: str) -> str:
    """As the admin plane names a session (`core.feed_summary`)."""
    return blake2b(session.encode("utf-8", "replace"), digest_size=4).hexdigest()


def line(summaries: Sequence[Mapping[str, Any]], session: str, *, forgets: bool) -> str:
    """Of the admin plane's summaries, the newest first. If the proxy `forgets` requests already, some may be of this
    session, and the cost is a lower bound.
    """
    own = [each for each in summaries if each.get("session") == short_of(session)] if session else list(summaries)
    if not own:
        return "proxy up, no request of this session yet"
    newest = next((each for each in own if each.get("class") not in _BESIDE and each.get("target")), own[0])
    target = visible(newest.get("answered_by") or newest.get("target") or "refused", 60)
    why = visible(newest.get("reason") or newest.get("phase") or newest.get("error") or "?", 40)
    parts = [target, why, _cost(own, bound=forgets)]
    parts += ["SIMULATED"] if newest.get("simulated") else []
    errors = sum(1 for each in own if isinstance(status := each.get("status"), int) and status >= 400)
    parts += [f"{errors} error{'s' * (errors > 1)}"] if errors else []
    return " · ".join(parts)


def _cost(own: Sequence[Mapping[str, Any]], *, bound: bool) -> str:
    """Of all requests of the session whose price is known; `?` if some has none."""
    costs = [each.get("cost_micro_usd") for each in own if each.get("state") == "done"]
    known = sum(cost for cost in costs if isinstance(cost, int))
    shown = f"${known / 1_000_000:.4f}".rstrip("0").rstrip(".") if known else "$0"
    return f"{'≥ ' if bound else ''}{shown}{' + ?' if None in costs else ''}"
