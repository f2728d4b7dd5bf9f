"""Anthropic's stream, both ways."""

from typing import Any

import msgspec

from core import sse
from core.dialects.anthropic_blocks import write_block
from core.dialects.anthropic_events import (
    CUT,
    NAMELESS,
    NO_REASON,
    Event,
    broken,
    event_name,
    is_nameless,
    opened_block,
    read_event,
)
from core.dialects.usage import to_anthropic
from core.dialects.wire_decoder import WireDecoder
from core.messages import (
    Block,
    BlockDelta,
    BlockStart,
    BlockStop,
    MessageDelta,
    MessageStart,
    MessageStop,
    Ping,
    StreamError,
    StreamEvent,
    Usage,
)


class Decoder(WireDecoder):
    """Anthropic's events to neutral ones. message_delta is given with message_stop, so that there is one of it."""

    def __init__(self) -> None:
        super().__init__()
        self._stop: tuple[str, str | None] | None = None
        self._tool_used = False

    def _ended(self) -> list[StreamEvent]:
        self._over = True
        return [CUT]

    def _read(self, wire: sse.Event, data: bytes) -> list[StreamEvent]:
        if not data.strip():
            return []
        name = event_name(wire)
        if name is not None and name not in _HANDLERS:
            return []
        event = read_event(name, data) if name else None
        if name is None or event is None:
            self._over = True
            return [broken(name)]
        return _HANDLERS[name](self, event)

    def _message_start(self, event: Event) -> list[StreamEvent]:
        self.usage = event.usage_over(self.usage)
        return [MessageStart(event.message.id, event.message.model, self.usage)]

    def _block_start(self, event: Event) -> list[StreamEvent]:
        """The block, empty; what some servers put into it at once comes as its first delta."""
        sent = opened_block(event.content_block)
        if is_nameless(sent):
            self._over = True
            return [NAMELESS]
        self._tool_used |= sent.type == "tool_use"
        bare = Block(type=sent.type, id=sent.id, name=sent.name, data=sent.data)
        if sent.type == "thinking":
            bare.signature = ""
        events: list[StreamEvent] = [BlockStart(event.index, bare)]
        if sent.text and sent.type == "text":
            events.append(BlockDelta(event.index, "text", sent.text))
        if sent.thinking:
            events.append(BlockDelta(event.index, "thinking", sent.thinking))
        if sent.signature:
            events.append(BlockDelta(event.index, "signature", sent.signature))
        arguments = bytes(sent.input)
        if sent.type == "tool_use" and arguments not in (b"{}", b"null"):
            events.append(BlockDelta(event.index, "input_json", arguments.decode()))
        return events

    def _block_delta(self, event: Event) -> list[StreamEvent]:
        delta = event.delta
        match delta.type:
            case "text_delta":
                return [BlockDelta(event.index, "text", delta.text or "")]
            case "input_json_delta":
                return [BlockDelta(event.index, "input_json", delta.partial_json or "")]
            case "thinking_delta":
                return [BlockDelta(event.index, "thinking", delta.thinking or "")]
            case "signature_delta":
                return [BlockDelta(event.index, "signature", delta.signature or "")]
        return []  # citations and what comes later

    def _block_stop(self, event: Event) -> list[StreamEvent]:
        return [BlockStop(event.index)]

    def _message_delta(self, event: Event) -> list[StreamEvent]:
        self.usage = event.usage_over(self.usage)
        if event.delta.stop_reason:
            self._stop = (event.delta.stop_reason, event.delta.stop_sequence)
        return []

    def _message_stop(self, _: Event) -> list[StreamEvent]:
        self._over = True
        if self._stop is None:
            return [NO_REASON]
        self.complete = True
        reason, sequence = self._stop
        if reason == "end_turn" and self._tool_used:
            reason = "tool_use"  # some servers that copy the API do not tell them apart
        return [MessageDelta(reason, sequence, self.usage), MessageStop()]

    def _ping(self, _: Event) -> list[StreamEvent]:
        return [Ping()]

    def _error(self, event: Event) -> list[StreamEvent]:
        self._over = True
        return [StreamError(event.error.type, event.error.message)]


_HANDLERS = {
    "message_start": Decoder._message_start,
    "content_block_start": Decoder._block_start,
    "content_block_delta": Decoder._block_delta,
    "content_block_stop": Decoder._block_stop,
    "message_delta": Decoder._message_delta,
    "message_stop": Decoder._message_stop,
    "ping": Decoder._ping,
    "error": Decoder._error,
}

_DELTA_FIELD = {
    "text": ("text_delta", "text"),
    "thinking": ("thinking_delta", "thinking"),
    "signature": ("signature_delta", "signature"),
    "input_json": ("input_json_delta", "partial_json"),
}


class Encoder:
    """Neutral events to Anthropic's. Every event has its `event:` line; `citations` is left out, never null."""

    def encode(self, event: StreamEvent) -> bytes:
        body = _body(event)
        return sse.encode(msgspec.json.encode(body), body["type"])


def _body(event: StreamEvent) -> dict[str, Any]:
    match event:
        case MessageStart(id=id, model=model, usage=usage):
            return {"type": "message_start", "message": _opening(id, model, usage)}
        case BlockStart(index=index, block=block):
            return {"type": "content_block_start", "index": index, "content_block": _opened(block)}
        case BlockDelta(index=index, kind=kind, data=data):
            type, field = _DELTA_FIELD[kind]
            return {"type": "content_block_delta", "index": index, "delta": {"type": type, field: data}}
        case BlockStop(index=index):
            return {"type": "content_block_stop", "index": index}
        case MessageDelta(stop_reason=reason, stop_sequence=sequence, usage=usage):
            delta = {"stop_reason": reason, "stop_sequence": sequence}
            return {"type": "message_delta", "delta": delta, "usage": to_anthropic(usage)}
        case MessageStop():
            return {"type": "message_stop"}
        case Ping():
            return {"type": "ping"}
        case StreamError(type=type, message=message):
            return {"type": "error", "error": {"type": type, "message": message}}


def _opening(id: str, model: str, usage: Usage) -> dict[str, Any]:
    return {
        "id": id,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": to_anthropic(usage),
    }


def _opened(block: Block) -> dict[str, Any]:
    """A block as it begins; one of a type that we do not write goes out as its bare type, id and name."""
    written = write_block(block)
    return written if written is not None else {"type": block.type, "id": block.id, "name": block.name, "input": {}}
