"""An Anthropic request for another model of Anthropic's dialect: the client's bytes, only what must change changed."""

import msgspec

from core.dialects import anthropic_thinking
from core.dialects.sealing import is_foreign
from core.dialects.splice import Edit, splice
from core.dialects.subagent import carriers, tag_in, without_tag_bytes
from core.exchange import Candidate
from core.messages import Message, Request

#: Server-side clearing of old thinking, refused by Anthropic for a request without thinking.
_CLEAR_THINKING = b"clear_thinking"


def splice_request(request: Request, candidate: Candidate) -> bytes:
    """`request.raw` for the candidate."""
    edits: dict[str | int, Edit] = {}
    if request.model != candidate.target.model:
        edits["model"] = msgspec.json.encode(candidate.target.model)
    limit = candidate.max_tokens
    if limit and request.max_tokens and request.max_tokens > limit:
        edits["max_tokens"] = b"%d" % limit
    removed = _unsigned_thinking(request.messages)
    edits |= anthropic_thinking.edits(request, candidate)
    # Clearing old thinking needs thinking, too.
    if candidate.drop_thinking or _must_not_think(request) or edits.get("thinking", b"") is None:
        edits |= _without_thinking(request)
    messages = removed
    if tag_in(request.raw):
        messages = removed | dict.fromkeys(carriers(request.messages), without_tag_bytes)
        if "system" in request.fields:
            edits["system"] = without_tag_bytes
    if messages:
        edits["messages"] = messages
    return splice(request.raw, edits)


def _without_thinking(request: Request) -> dict[str | int, Edit]:
    """Edits that take thinking out of the request, and what depends on it."""
    edits: dict[str | int, Edit] = {}
    if "thinking" in request.fields:
        edits["thinking"] = None
    if "output_config" in request.fields:
        edits["output_config"] = _without_effort
    if "context_management" in request.fields and _CLEAR_THINKING in request.raw:
        edits["context_management"] = None
    return edits


def _without_effort(config: bytes) -> bytes:
    return splice(config, {"effort": None}) if config.startswith(b"{") else config


def _unsigned_thinking(messages: list[Message]) -> dict[int | str, Edit]:
    """Edits that remove thinking that Anthropic did not sign: this proxy made it of another provider's reasoning.

    The real Anthropic refuses it. A turn that was nothing else goes as a whole, as empty content is refused too.
    """
    edits: dict[int | str, Edit] = {}
    for number, message in enumerate(messages):
        if message.role != "assistant":
            continue
        ours = [i for i, block in enumerate(message.content) if is_foreign(block)]
        if ours:
            edits[number] = {"content": dict.fromkeys(ours)} if len(ours) < len(message.content) else None
    return edits


def _must_not_think(request: Request) -> bool:
    """Whether `thinking: enabled` would be refused for what another provider answered in this tool loop."""
    return request.thinking.type == "enabled" and anthropic_thinking.in_loop_without_thinking(request)
