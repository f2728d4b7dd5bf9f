"""A Responses request for another model of its dialect: the client's bytes, only what must change changed."""

from typing import Any

import msgspec
from msgspec import Raw, Struct

from core.dialects.responses_blocks import MADE
from core.dialects.responses_encode import MIN_OUTPUT
from core.dialects.sealing import is_sealed
from core.dialects.splice import Edit, splice
from core.dialects.subagent import USER_MESSAGES, tag_in, without_tag_bytes
from core.exchange import Candidate
from core.messages import Request

_ENCRYPTED = "reasoning.encrypted_content"


class _Item(Struct):
    type: Any = None
    role: Any = None
    id: Any = None
    encrypted_content: Any = None


def splice_request(request: Request, candidate: Candidate) -> bytes:
    """`request.raw` for the candidate."""
    top = msgspec.json.decode(request.raw, type=dict[str, Raw])
    edits: dict[str | int, Edit] = {}
    if request.model != candidate.target.model:
        edits["model"] = msgspec.json.encode(candidate.target.model)
    limit = candidate.max_tokens
    if limit and request.max_tokens and request.max_tokens > limit:
        edits["max_output_tokens"] = b"%d" % max(MIN_OUTPUT, limit)
    if candidate.drop_thinking:
        edits |= _without_thinking(top)
    tagged = tag_in(request.raw)
    if tagged and "instructions" in top:
        edits["instructions"] = without_tag_bytes
    if items := _items(top["input"], tagged=tagged, drop_thinking=candidate.drop_thinking):
        edits["input"] = items
    return splice(request.raw, edits, request.places)


def _without_thinking(top: dict[str, Raw]) -> dict[str | int, Edit]:
    edits: dict[str | int, Edit] = {"reasoning": None} if "reasoning" in top else {}
    if _ENCRYPTED.encode() in bytes(top.get("include", b"")):
        kept = [each for each in msgspec.json.decode(top["include"]) if each != _ENCRYPTED]
        edits["include"] = msgspec.json.encode(kept) if kept else None
    return edits


def _items(raw: Raw, *, tagged: bool, drop_thinking: bool) -> Any:
    """Edits of the input, or of the text that it is. What only the proxy could have made goes to no provider: reasoning
    that is sealed, and the ids of items.
    """
    sent = bytes(raw)
    if not sent.startswith(b"["):
        return without_tag_bytes if tagged else None
    ours = MADE.encode() in sent or b'"tp1.' in sent
    if not (tagged or ours or drop_thinking):
        return None
    items = msgspec.json.decode(sent, type=list[_Item])
    edits: dict[str | int, Edit] = dict.fromkeys(_carriers(items), without_tag_bytes) if tagged else {}
    for number, item in enumerate(items):
        if item.type == "reasoning" and (drop_thinking or _is_sealed(item)):
            edits[number] = None
        elif isinstance(item.id, str) and f"_{MADE}" in item.id:
            edits[number] = {"id": None}
    return edits


def _is_sealed(item: _Item) -> bool:
    return isinstance(item.encrypted_content, str) and is_sealed(item.encrypted_content)


def _carriers(items: list[_Item]) -> list[int]:
    """The messages that the subagent tag may stand in: instructions, and the user's first ones."""
    users = [number for number, item in enumerate(items) if item.role == "user"][:USER_MESSAGES]
    return users + [number for number, item in enumerate(items) if item.role in ("system", "developer")]
