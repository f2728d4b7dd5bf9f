"""Anthropic content blocks: read whatever came, write what we have.

A body is decoded at C speed straight into `Block`s. Only when that fails are its blocks read one by one, as here.
"""

from typing import Any

import msgspec
from msgspec import Raw

from core.dialects.json_gate import decode, refuse_at
from core.messages import Block

#: Block types whose fields are ours to check; a malformed block of another type is kept for what can be read of it.
KNOWN_BLOCKS = frozenset({"text", "image", "document", "thinking", "redacted_thinking", "tool_use", "tool_result"})


def read_block(members: dict[str, Raw], path: str) -> Block:
    """One block from its members. BadRequest with the path if a block of a known type is malformed."""
    try:
        return msgspec.json.decode(msgspec.json.encode(members), type=Block)
    except msgspec.ValidationError as exc:
        type = decode(members.get("type", Raw(b"null")), str | None, f"{path}.type")
        nested = isinstance(members.get("content"), Raw) and bytes(members["content"]).startswith(b"[")
        if type is None or (type in KNOWN_BLOCKS and not (type == "tool_result" and nested)):
            refuse_at(path, exc)
    block = Block(type=type)
    for name in Block.__struct_fields__:
        if name == "content" and type == "tool_result":
            parts = decode(members[name], list[dict[str, Raw]], f"{path}.content")
            block.content = [read_block(part, f"{path}.content.{i}") for i, part in enumerate(parts)]
        elif name in members:
            _keep(block, name, members[name])
    return block


def _keep(block: Block, name: str, value: Raw) -> None:
    """Set the field if the value has its type."""
    try:
        one = msgspec.json.decode(b'{"type":"",' + msgspec.json.encode(name) + b":" + bytes(value) + b"}", type=Block)
    except msgspec.ValidationError:
        return
    setattr(block, name, getattr(one, name))


def write_block(block: Block) -> dict[str, Any] | None:
    """A block of an answer as Anthropic sends it; None for a type that only its own provider can write."""
    match block.type:
        case "text":
            return {"type": "text", "text": block.text}
        case "thinking":
            return {"type": "thinking", "thinking": block.thinking, "signature": block.signature or ""}
        case "redacted_thinking":
            return {"type": "redacted_thinking", "data": block.data}
        case "tool_use":
            return {"type": "tool_use", "id": block.id, "name": block.name, "input": block.input}
    return None
