"""A chat completion request for another model of its dialect: the client's bytes, only what must change changed."""

import msgspec
from msgspec import Raw, Struct

from core.dialects.openai_encode import is_reasoning
from core.dialects.openai_reasoning import read_entries, signature_of
from core.dialects.sealing import SEAL, is_sealed
from core.dialects.splice import Edit, splice
from core.dialects.subagent import USER_MESSAGES, tag_in, without_tag_bytes
from core.exchange import Candidate
from core.messages import Request

_LIMITS = ("max_tokens", "max_completion_tokens")


class _Role(Struct):
    role: str


class _Reasoned(Struct):
    reasoning_details: Raw = Raw()


def splice_request(request: Request, candidate: Candidate) -> bytes:
    """`request.raw` for the candidate. A stream's usage is always asked for; the relay hides it from who did not."""
    top = msgspec.json.decode(request.raw, type=dict[str, Raw])
    edits: dict[str | int, Edit] = {}
    if request.model != candidate.target.model:
        edits["model"] = msgspec.json.encode(candidate.target.model)
    edits |= _limit(top, request, candidate)
    if candidate.drop_thinking and "reasoning_effort" in top:
        edits["reasoning_effort"] = None
    if request.stream and not request.include_usage:
        asked = bytes(top.get("stream_options", b"null"))
        edits["stream_options"] = {"include_usage": b"true"} if asked.startswith(b"{") else b'{"include_usage":true}'
    messages: dict[str | int, Edit] = _sealed_reasoning(top["messages"]) if SEAL in request.raw else {}
    if tag_in(request.raw):
        messages |= dict.fromkeys(_carriers(top["messages"]), without_tag_bytes)
    if messages:
        edits["messages"] = messages
    return splice(request.raw, edits, request.places)


def _sealed_reasoning(messages: Raw) -> dict[str | int, Edit]:
    """Edits that remove what only a provider of another dialect can read: its reasoning, which the proxy sealed."""
    edits: dict[str | int, Edit] = {}
    for number, message in enumerate(msgspec.json.decode(messages, type=list[_Reasoned])):
        entries = read_entries(message.reasoning_details)
        kept = [entry for entry in entries if not is_sealed(signature_of(entry))]
        if len(kept) < len(entries):
            edits[number] = {"reasoning_details": msgspec.json.encode(kept) if kept else None}
    return edits


def _limit(top: dict[str, Raw], request: Request, candidate: Candidate) -> dict[str | int, Edit]:
    """The answer's length, clamped, under the name that the model takes."""
    asked = request.max_tokens
    if not asked:
        return {}
    value = min(asked, candidate.max_tokens or asked)
    sent = [name for name in _LIMITS if bytes(top.get(name, b"null")) != b"null"]
    if is_reasoning(candidate.target.model) and "max_tokens" in sent:
        return {"max_tokens": None, "max_completion_tokens": b"%d" % value}
    return dict.fromkeys(sent, b"%d" % value) if value < asked else {}


def _carriers(messages: Raw) -> list[int]:
    """The messages that the subagent tag may stand in: instructions, and the user's first ones."""
    roles = [each.role for each in msgspec.json.decode(messages, type=list[_Role])]
    users = [number for number, role in enumerate(roles) if role == "user"][:USER_MESSAGES]
    return users + [number for number, role in enumerate(roles) if role in {"system", "developer"}]
