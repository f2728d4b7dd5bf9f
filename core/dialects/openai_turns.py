"""A request's conversation as the messages of a chat completion.

What of it only some providers take, `Candidate.extensions` says: `cache_control` on text, and the reasoning of earlier
turns, as text (`reasoning_content`) or as what the provider itself had given (`reasoning_details`).
"""

from collections.abc import Iterable
from typing import Any

from core.dialects.openai_reasoning import returned
from core.dialects.readable import as_text, content_text, system_blocks, without_tags
from core.dialects.tool_names import LONGEST, fitting
from core.errors import BadRequest
from core.exchange import Candidate
from core.messages import Block, Request, Source

Part = dict[str, Any]
_LONGEST = LONGEST["openai"]


def messages(request: Request, candidate: Candidate) -> list[Part]:
    """BadRequest names what cannot be passed on."""
    marked = "cache_control" in candidate.extensions
    written: list[Part] = []
    if system := system_blocks(request):
        written.append({"role": "system", "content": _joined(_text(block, marked=marked) for block in system)})
    for message, content in zip(request.messages, without_tags(request), strict=True):
        if message.role == "assistant":
            written += _assistant(content, candidate)
        elif message.role == "system":
            text = "\n\n".join(filter(None, map(as_text, content)))
            written += [{"role": "system", "content": text}] if text else []
        else:
            written += _user_turn(content, marked=marked)
    return written


def tool_name(name: str) -> str:
    """The name as OpenAI takes it."""
    return fitting(name, _LONGEST)


def _text(block: Block, *, marked: bool) -> Part:
    part = {"type": "text", "text": block.text}
    return part | {"cache_control": block.cache_control} if marked and block.cache_control else part


def _joined(parts: Iterable[Part]) -> str | list[Part]:
    """One text, unless there is more to the parts than that."""
    parts = list(parts)
    if all(part.keys() == {"type", "text"} for part in parts):
        return "\n\n".join(part["text"] for part in parts)
    return parts


def _assistant(content: list[Block], candidate: Candidate) -> list[Part]:
    calls = [_call(block) for block in content if block.type == "tool_use"]
    text = "\n\n".join(filter(None, (as_text(block) for block in content if block.type != "tool_use")))
    if not text and not calls:
        return []
    message: Part = {"role": "assistant", "content": text or None}
    if calls:
        message["tool_calls"] = calls
    if "reasoning_content" in candidate.extensions:
        thinking = "\n\n".join(block.thinking for block in content if block.type == "thinking" and block.thinking)
        message |= {"reasoning_content": thinking} if thinking else {}
    if "reasoning_details" in candidate.extensions:
        details = returned(content, candidate.target.provider)
        message |= {"reasoning_details": details} if details else {}
    return [message]


def _call(block: Block) -> Part:
    function = {"name": tool_name(block.name), "arguments": bytes(block.input).decode()}
    return {"id": block.id, "type": "function", "function": function}


def _user_turn(content: list[Block], *, marked: bool) -> list[Part]:
    """Tool results first, as they must follow their calls at once; then their images and what the user said."""
    results = [block for block in content if block.type == "tool_result"]
    turns = [
        {"role": "tool", "tool_call_id": block.tool_use_id, "content": _result(block, marked=marked)}
        for block in results
    ]
    parts: list[Part] = []
    for block in results:
        if images := [each for each in _nested(block) if each.type == "image"]:
            parts.append({"type": "text", "text": f"Images of the tool result {block.tool_use_id}:"})
            parts += filter(None, (_part(image, marked=marked) for image in images))
    parts += filter(None, (_part(block, marked=marked) for block in content if block.type != "tool_result"))
    return [*turns, {"role": "user", "content": _joined(parts)}] if parts else turns


def _nested(block: Block) -> list[Block]:
    return block.content if isinstance(block.content, list) else []


def _result(block: Block, *, marked: bool) -> str | list[Part]:
    """The result's text. OpenAI has no flag for a failed tool, so the text says it."""
    text = content_text(block)
    if block.is_error and not text.lower().startswith("error"):
        text = f"Error: {text}"
    return _joined([_text(Block(type="text", text=text, cache_control=block.cache_control), marked=marked)])


def _part(block: Block, *, marked: bool) -> Part | None:
    source = block.source
    if block.type == "image" and source:
        return {"type": "image_url", "image_url": {"url": _url(source)}}
    if block.type == "document" and source and source.type == "base64":
        file = {"filename": block.name or "document.pdf", "file_data": _url(source)}
        return {"type": "file", "file": file}
    if block.type == "text":
        return _text(block, marked=marked)
    text = as_text(block)
    return {"type": "text", "text": text} if text else None


def _url(source: Source) -> str:
    """A data URL (RFC 2397) for what was sent along, else the URL itself."""
    if source.type == "base64":
        return f"data:{source.media_type};base64,{source.data}"
    if source.type == "url":
        return source.url
    raise BadRequest(f"source.type: {source.type!r} is stored at another provider; send it as base64 or url")
