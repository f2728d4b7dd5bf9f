"""`GET /v1/models`: `auto` and every target, in the shape of the client that asks; pure.

Shapes: Anthropic's API reference, "List Models", and OpenAI's, "List models". What is known of a model's sizes stands
in Anthropic's own fields, and in those that Groq added to OpenAI's.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from core.errors import BadRequest
from core.exchange import Target
from core.routing.snapshot import UNKNOWN, Snapshot

#: Targets have no date of their own; the APIs want one.
_CREATED, _CREATED_AT = 1_735_689_600, "2025-01-01T00:00:00Z"
#: Anthropic's most models a page.
MOST = 1000


def listing(
    snapshot: Snapshot, query: Mapping[str, str], *, anthropic: bool, allowed: tuple[str, ...] = ()
) -> dict[str, Any]:
    """`auto` (the proxy decides) first, then all targets that are `allowed` (`permission`); for Anthropic's clients the
    page that they ask for.
    """
    names = ["auto", *sorted(snapshot.open_to(allowed))]
    if not anthropic:
        return {"object": "list", "data": [entry(snapshot, name, anthropic=False) for name in names]}
    page, more = _page(names, query)
    data = [entry(snapshot, name, anthropic=True) for name in page]
    first, last = (page[0], page[-1]) if page else (None, None)
    return {"data": data, "has_more": more, "first_id": first, "last_id": last}


def _page(names: Sequence[str], query: Mapping[str, str]) -> tuple[Sequence[str], bool]:
    """What `after_id` or `before_id` and `limit` ask for, and whether more lies in that direction."""
    limit = _limit(query)
    if before := query.get("before_id"):
        end = _place(names, "before_id", before)
        begin = max(0, end - limit)
        return names[begin:end], begin > 0
    begin = _place(names, "after_id", query["after_id"]) + 1 if query.get("after_id") else 0
    return names[begin : begin + limit], begin + limit < len(names)


def _limit(query: Mapping[str, str]) -> int:
    asked = query.get("limit", str(MOST))
    if not (asked.isascii() and asked.isdigit() and len(asked) <= 4 and 1 <= int(asked) <= MOST):
        raise BadRequest(f"limit: a number from 1 to {MOST} is expected")
    return int(asked)


def _place(names: Sequence[str], field: str, name: str) -> int:
    if name not in names:
        raise BadRequest(f"{field}: {name[:80]!r} is no id of this list")
    return names.index(name)


def entry(snapshot: Snapshot, name: str, *, anthropic: bool) -> dict[str, Any]:
    """One model. Any plain name is a model here: the phases decide what answers it."""
    card = snapshot.card(Target.parse(name)) if "," in name else UNKNOWN
    room = card.max_input or card.context_window
    if anthropic:
        named = {"type": "model", "id": name, "display_name": name, "created_at": _CREATED_AT, "lifecycle": "active"}
        return named | _known(max_input_tokens=room, max_tokens=card.max_output)
    owner = name.partition(",")[0] if "," in name else "terraphim"
    owned = {"id": name, "object": "model", "created": _CREATED, "owned_by": owner}
    return owned | _known(context_window=card.context_window, max_completion_tokens=card.max_output)


def _known(**sizes: int | None) -> dict[str, Any]:
    return {name: size for name, size in sizes.items() if size is not None}
