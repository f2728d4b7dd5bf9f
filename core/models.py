"""`GET /v1/models`: `auto` and every target, in the shape of the client that asks."""

from typing import Any

from core.routing.snapshot import Snapshot

#: Targets have no date of their own; the APIs want one.
_CREATED, _CREATED_AT = 1_735_689_600, "2025-01-01T00:00:00Z"


def listing(snapshot: Snapshot, *, anthropic: bool) -> dict[str, Any]:
    """All models, `auto` (the proxy decides) first."""
    names = ["auto", *sorted(snapshot.target_names)]
    data = [entry(name, anthropic=anthropic) for name in names]
    if anthropic:
        return {"data": data, "has_more": False, "first_id": names[0], "last_id": names[-1]}
    return {"object": "list", "data": data}


def entry(name: str, *, anthropic: bool) -> dict[str, Any]:
    """One model. Any plain name is a model here: the phases decide what answers it."""
    if anthropic:
        return {"type": "model", "id": name, "display_name": name, "created_at": _CREATED_AT}
    owner = name.partition(",")[0] if "," in name else "terraphim"
    return {"id": name, "object": "model", "created": _CREATED, "owned_by": owner}
