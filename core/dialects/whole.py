"""A whole answer as the events of a stream, and back: what is written for streams serves both."""

from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Raw

from core.dialects.base import Change
from core.messages import (
    EMPTY_OBJECT,
    Block,
    BlockDelta,
    BlockStart,
    BlockStop,
    MessageDelta,
    MessageStart,
    MessageStop,
    Response,
    StreamEvent,
    Usage,
)


def events(response: Response, piece: int = 0) -> list[StreamEvent]:
    """The answer as a stream, its deltas of at most `piece` characters; 0: one delta each."""
    opening = Usage(input=response.usage.input)
    stream: list[StreamEvent] = [MessageStart(response.id, response.model, opening)]
    for index, block in enumerate(response.content):
        stream.append(BlockStart(index, _bare(block)))
        stream += [*_deltas(index, block, piece), BlockStop(index)]
    stream.append(MessageDelta(response.stop_reason, response.stop_sequence, response.usage))
    stream.append(MessageStop())
    return stream


def _bare(block: Block) -> Block:
    """The block as it begins; one of a type without deltas is whole at once."""
    match block.type:
        case "text":
            return Block(type="text")
        case "thinking":
            return Block(type="thinking", signature="")
        case "tool_use":
            return Block(type="tool_use", id=block.id, name=block.name)
    return block


def _deltas(index: int, block: Block, piece: int) -> list[StreamEvent]:
    match block.type:
        case "text":
            return [BlockDelta(index, "text", part) for part in _cut(block.text, piece)]
        case "thinking":
            signature = [BlockDelta(index, "signature", block.signature)] if block.signature else []
            return [*(BlockDelta(index, "thinking", part) for part in _cut(block.thinking, piece)), *signature]
        case "tool_use":
            return [BlockDelta(index, "input_json", part) for part in _cut(bytes(block.input).decode(), piece)]
    return []


def _cut(text: str, piece: int) -> Iterable[str]:
    step = piece or len(text) or 1
    return (text[at : at + step] for at in range(0, len(text), step))


def collected(stream: Iterable[StreamEvent]) -> Response:
    """The answer that a legal stream tells. A call without arguments has an empty object."""
    response = Response(id="", model="", content=[], stop_reason="")
    arguments: list[str] = []
    for event in stream:
        match event:
            case MessageStart(id=id, model=model, usage=usage):
                response.id, response.model, response.usage = id, model, usage
            case BlockStart(block=block):
                response.content.append(msgspec.structs.replace(block))
                arguments = []
            case BlockDelta(kind="input_json", data=data):
                arguments.append(data)
            case BlockDelta(kind=kind, data=data):
                block = response.content[-1]
                setattr(block, kind, (getattr(block, kind) or "") + data)
            case BlockStop() if arguments:
                response.content[-1].input = Raw("".join(arguments).encode()) if any(arguments) else EMPTY_OBJECT
            case MessageDelta(stop_reason=reason, stop_sequence=sequence, usage=usage):
                response.stop_reason, response.stop_sequence, response.usage = reason, sequence, usage
    return response


def changed(response: Response, changes: Sequence[Change]) -> Response:
    """The answer after these changes, in their order."""
    return collected(through(changes, events(response))) if changes else response


def through(changes: Sequence[Change], stream: Iterable[StreamEvent]) -> list[StreamEvent]:
    """What becomes of these events."""
    found = list(stream)
    for change in changes:
        found = [after for event in found for after in change.take(event)]
    return found
