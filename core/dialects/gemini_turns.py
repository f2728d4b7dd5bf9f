"""A conversation as Gemini's `contents`: turns of user and model that alternate, beginning with the user's.

Source: Gemini API reference, "Content" and "Part"; Google's documentation, "Function calling" and "Thought signatures".
The answers to a model's calls stand together in the next turn, before all else, as many as there were calls: a call
without its result, and a result without its call, have no form there and become text. What a client of another dialect
knows by a call's id has the function's name here.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Raw

from core.dialects.gemini_carried import STAND_IN, Carried, read
from core.dialects.gemini_model import is_current
from core.dialects.readable import as_text, content_text, without_tags
from core.dialects.sealing import opened
from core.errors import BadRequest
from core.exchange import Candidate
from core.messages import Block, Request, Source

#: Media types that a function's response may hold (Google's documentation, "Multimodal function responses").
_IN_RESPONSES = frozenset({"image/png", "image/jpeg", "image/webp", "application/pdf"})
Part = dict[str, Any]


def contents(request: Request, candidate: Candidate) -> list[dict[str, Any]]:
    """The turns; empty if nobody has said anything."""
    turns = _turns(request)
    wire: list[dict[str, Any]] = []
    for number, (role, blocks) in enumerate(turns):
        calls = _answered(blocks, turns[number + 1 : number + 2])
        before = _answered(*_last_two(turns, number)) if role == "user" else {}
        parts = _user(blocks, before, candidate) if role == "user" else _model(blocks, calls, candidate)
        if not parts:
            continue
        if wire and wire[-1]["role"] == role:
            wire[-1]["parts"] += parts
        else:
            wire.append({"role": role, "parts": parts})
    if wire and wire[0]["role"] == "model":
        wire.insert(0, {"role": "user", "parts": [{"text": "Continue."}]})
    return wire


Turn = tuple[str, list[Block]]


def _turns(request: Request) -> list[Turn]:
    turns: list[Turn] = []
    for message, content in zip(request.messages, without_tags(request), strict=True):
        role = "model" if message.role == "assistant" else "user"
        blocks = _reminder(content) if message.role == "system" else content
        if turns and turns[-1][0] == role:
            turns[-1][1].extend(blocks)
        elif blocks:
            turns.append((role, list(blocks)))
    return turns


def _reminder(content: list[Block]) -> list[Block]:
    """A system message in the middle, as the user's text: there is one system instruction, before all else."""
    text = "\n\n".join(filter(None, map(as_text, content)))
    return [Block(type="text", text=f"<system-reminder>\n{text}\n</system-reminder>")] if text else []


def _last_two(turns: Sequence[Turn], number: int) -> tuple[list[Block], Sequence[Turn]]:
    """The turn before this one, and this one."""
    return (turns[number - 1][1] if number else []), turns[number : number + 1]


def _answered(blocks: list[Block], following: Sequence[Turn]) -> dict[str, str]:
    """Names by id of a model turn's calls whose results are in the turn that follows, in the calls' order."""
    results = {block.tool_use_id for _, said in following for block in said if block.type == "tool_result"}
    return {block.id: block.name for block in blocks if block.type == "tool_use" and block.id in results}


def _model(blocks: list[Block], calls: Mapping[str, str], candidate: Candidate) -> list[Part]:
    """The model's turn, with what it must get back on the parts that it came on."""
    provider = candidate.target.provider
    kept = [(block, read(opened(_sealed(block), provider))) for block in blocks]
    signatures = {carried.id: carried.value for _, carried in kept if carried and carried.kind == "call"}
    parts: list[Part] = []
    late: list[Carried] = []
    unused = set(calls)
    for block, carried in kept:
        if carried and carried.kind in {"text", "tail"} and not _sign_text(parts, carried):
            late.append(carried)
        elif block.type == "tool_use" and block.id in unused:
            unused.discard(block.id)
            parts.append(_call(block, signatures.get(block.id)))
        else:
            parts += _said_by_model(block, carried)
    _sign_late(parts, late)
    first = next((part for part in parts if "functionCall" in part), None)
    if first and is_current(candidate.target.model):
        first.setdefault("thoughtSignature", STAND_IN)
    return parts


def _sealed(block: Block) -> str | None:
    match block.type:
        case "thinking":
            return block.signature
        case "redacted_thinking":
            return block.data
    return None


def _said_by_model(block: Block, carried: Carried | None) -> list[Part]:
    """Anything but an answered call. Thoughts without their signature tell Gemini nothing, and are left out."""
    if carried and carried.kind == "own":
        return [{"text": block.thinking, "thought": True, "thoughtSignature": carried.value}]
    if carried and carried.kind == "part":
        return [part] if (part := _whole_part(carried.value)) else []
    if block.type == "tool_use":
        return [{"text": f"[{block.name} was called with {bytes(block.input).decode()}, and gave no result]"}]
    return [_media(block)] if block.source and block.type == "image" else _text_part(as_text(block))


def _whole_part(json: str) -> Part:
    """What the provider's own tools did. It went through a client: anything else is left out."""
    try:
        part = msgspec.json.decode(json, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError):
        return {}
    return part if part.keys() <= {"toolCall", "toolResponse", "thoughtSignature"} else {}


def _sign_text(parts: list[Part], carried: Carried) -> bool:
    """Put a text's signature where it was; False if no text is before it."""
    if not parts or "text" not in parts[-1] or "thoughtSignature" in parts[-1]:
        return False
    if carried.kind == "tail":
        parts.append({"text": "", "thoughtSignature": carried.value})
    else:
        parts[-1]["thoughtSignature"] = carried.value
    return True


def _sign_late(parts: list[Part], late: list[Carried]) -> None:
    """Signatures that came back before their text, as clients send them that keep reasoning apart: on the last one."""
    for carried in late:
        at = max((i for i, part in enumerate(parts) if part.keys() == {"text"}), default=None)
        if at is None or carried.kind == "tail":
            parts.insert(len(parts) if at is None else at + 1, {"text": "", "thoughtSignature": carried.value})
        else:
            parts[at]["thoughtSignature"] = carried.value


def _call(block: Block, signature: str | None) -> Part:
    part: Part = {"functionCall": {"id": block.id, "name": block.name, "args": _arguments(block.input)}}
    return part | ({"thoughtSignature": signature} if signature else {})


def _arguments(input: Raw) -> Any:
    """The arguments as they are; Gemini takes an object only."""
    return input if bytes(input).lstrip().startswith(b"{") else {}


def _user(blocks: list[Block], calls: Mapping[str, str], candidate: Candidate) -> list[Part]:
    """The user's turn: results in the order of their calls, then what cannot stand in them, then what was said."""
    results: dict[str, Block] = {}
    others: list[Block] = []
    for block in blocks:
        if block.type == "tool_result" and block.tool_use_id in calls and block.tool_use_id not in results:
            results[block.tool_use_id] = block
        else:
            others.append(block)
    responses: list[Part] = []
    beside: list[Part] = []
    for id, name in calls.items():
        response, media = _result(results[id], name, nested=is_current(candidate.target.model))
        responses.append(response)
        if media:
            beside += [{"text": f"What {name} gave besides ({id}):"}, *media]
    said = [part for block in others for part in _said_by_user(block)]
    return [*responses, *beside, *said]


def _result(block: Block, name: str, *, nested: bool) -> tuple[Part, list[Part]]:
    """A function's response, and what of it stands beside: earlier models take text only there."""
    response: Part = {"id": block.tool_use_id, "name": name}
    response["response"] = {"error" if block.is_error else "output": content_text(block)}
    content = block.content if isinstance(block.content, list) else []
    media = [_media(each) for each in content if each.source and _is_media(each)]
    inside = [each for each in media if nested and _mime(each) in _IN_RESPONSES]
    if inside:
        response["parts"] = inside
    return {"functionResponse": response}, [each for each in media if each not in inside]


def _said_by_user(block: Block) -> list[Part]:
    if block.type == "tool_result":
        nested = block.content if isinstance(block.content, list) else []
        media = [_media(each) for each in nested if each.source and _is_media(each)]
        return [*_text_part(f"[the result of a tool call that is not shown: {content_text(block)}]"), *media]
    if block.source and _is_media(block):
        return [_media(block)]
    if block.type in {"input_audio", "video_url"}:
        raise BadRequest(f"messages: content of type {block.type} cannot be passed on to this provider")
    return _text_part(as_text(block))


def _text_part(text: str) -> list[Part]:
    return [{"text": text}] if text else []


def _is_media(block: Block) -> bool:
    """Whether it is bytes or an address; a document may also be text."""
    source = block.source
    return block.type == "image" or (
        block.type == "document" and source is not None and source.type in {"base64", "url", "file"}
    )


def _mime(part: Part) -> str:
    mime: str = part.get("inlineData", {}).get("mimeType", "")
    return mime


def _media(block: Block) -> Part:
    source = block.source or Source(type="")
    if source.type == "base64":
        return {"inlineData": {"mimeType": source.media_type, "data": source.data}}
    if source.type == "url":
        return {"fileData": {"mimeType": source.media_type or _guessed(block, source.url), "fileUri": source.url}}
    raise BadRequest(f"source.type: {source.type!r} is stored at another provider; send it as base64 or url")


def _guessed(block: Block, url: str) -> str:
    """A media type for an address, by how it ends."""
    if block.type == "document":
        return "application/pdf"
    ending = url.partition("?")[0].rpartition(".")[2].lower()
    return f"image/{ending}" if ending in {"png", "webp", "gif", "heic", "heif"} else "image/jpeg"
