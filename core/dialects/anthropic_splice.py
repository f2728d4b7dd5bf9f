"""An Anthropic request for another model of Anthropic's dialect: the client's bytes, only what must change changed."""

from collections.abc import Callable

import msgspec
from msgspec import Struct

from core.dialects import anthropic_thinking
from core.dialects.readable import BILLING, without_billing
from core.dialects.sealing import is_foreign
from core.dialects.splice import Edit, splice
from core.dialects.subagent import carriers, tag_in, without_tag_bytes
from core.exchange import Candidate
from core.messages import Message, Request

#: Server-side clearing of old thinking, refused by Anthropic for a request without thinking.
_CLEAR_THINKING = b"clear_thinking"


class _Text(Struct):
    text: str = ""


def splice_request(request: Request, candidate: Candidate) -> bytes:
    """`request.raw` for the candidate."""
    edits: dict[str | int, Edit] = {}
    if request.model != candidate.target.model:
        edits["model"] = msgspec.json.encode(candidate.target.model)
    limit = candidate.max_tokens
    if limit and request.max_tokens and request.max_tokens > limit:
        edits["max_tokens"] = b"%d" % limit
    messages = _reasoning(request.messages, candidate)
    edits |= anthropic_thinking.edits(request, candidate)
    # Clearing old thinking needs thinking, too.
    if candidate.drop_thinking or _must_not_think(request, candidate) or edits.get("thinking", b"") is None:
        edits |= _without_thinking(request)
    tagged = tag_in(request.raw)
    if tagged:
        messages |= dict.fromkeys(carriers(request.messages), without_tag_bytes)
    if messages:
        edits["messages"] = messages
    if change := _system(request, candidate, tagged=tagged):
        edits["system"] = change
    return splice(request.raw, edits, request.places)


def _system(request: Request, candidate: Candidate, *, tagged: bool) -> Callable[[bytes], bytes] | None:
    """The change that the instructions need: no tag, and no billing line for who is not Anthropic."""
    if "system" not in request.fields:
        return None
    billed = candidate.copy and bool(request.system) and request.system[0].text.startswith(BILLING)
    if not billed:
        return without_tag_bytes if tagged else None
    return lambda system: without_tag_bytes(_without_billing(system))


def _without_billing(system: bytes) -> bytes:
    if system.startswith(b'"'):
        return msgspec.json.encode(without_billing(msgspec.json.decode(system, type=str)))
    first = msgspec.json.decode(system, type=list[_Text])[0]
    rest = without_billing(first.text)
    return splice(system, {0: {"text": msgspec.json.encode(rest)} if rest.strip() else None})


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


def _reasoning(messages: list[Message], candidate: Candidate) -> dict[int | str, Edit]:
    """Edits that remove thinking that the provider did not sign: this proxy made it of another provider's reasoning.

    The real Anthropic refuses it. What was sealed for this very provider is opened. A turn that was nothing else goes
    as a whole, as empty content is refused too.
    """
    edits: dict[int | str, Edit] = {}
    for number, message in enumerate(messages):
        if message.role != "assistant":
            continue
        changes: dict[str | int, Edit] = {
            i: edit
            for i, block in enumerate(message.content)
            if is_foreign(block) and (edit := anthropic_thinking.returned(block, candidate)) != {}
        }
        if changes:
            whole = len(changes) == len(message.content) and not any(changes.values())
            edits[number] = None if whole else {"content": changes}
    return edits


def _must_not_think(request: Request, candidate: Candidate) -> bool:
    """Whether `thinking: enabled` would be refused for what another provider answered in this tool loop."""
    return request.thinking.type == "enabled" and anthropic_thinking.in_loop_without_thinking(request, candidate)
