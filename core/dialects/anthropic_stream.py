"""Anthropic's stream, both ways, and the scanner that passes it through.

Source: Anthropic's documentation, "Streaming messages". An unknown event may appear and means nothing to us.
"""

import re
from typing import Any

import msgspec
from msgspec import Raw, Struct

from core import sse
from core.dialects.anthropic_blocks import write_block
from core.dialects.frames import Scan
from core.dialects.usage import AnthropicUsage, to_anthropic
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

CUT = StreamError("api_error", "the provider's stream ended before its message_stop")

_TYPE = re.compile(rb'"type"\s*:\s*"(\w+)"')
_BLOCK_TYPE = re.compile(rb'"content_block"\s*:\s*\{\s*"type"\s*:\s*"(\w+)"')


class _Message(Struct, frozen=True):
    id: str = ""
    model: str = ""
    usage: AnthropicUsage = AnthropicUsage()


class _Delta(Struct, frozen=True):
    type: str = ""
    text: str = ""
    thinking: str = ""
    signature: str = ""
    partial_json: str = ""
    stop_reason: str | None = None
    stop_sequence: str | None = None


class _Error(Struct, frozen=True):
    type: str = "api_error"
    message: str = ""


class _Event(Struct):
    type: str = ""
    index: int = 0
    message: _Message = _Message()
    content_block: Raw = Raw(b'{"type":""}')
    delta: _Delta = _Delta()
    usage: AnthropicUsage = AnthropicUsage()
    error: _Error = _Error()


_read = msgspec.json.Decoder(_Event).decode


def _opened_block(raw: Raw) -> Block:
    """The block of a content_block_start. Of a type that is not known, whatever its fields are, the type is enough."""
    try:
        return msgspec.json.decode(raw, type=Block)
    except msgspec.ValidationError:
        found = _TYPE.search(bytes(raw))
        return Block(type=found[1].decode() if found else "")


def event_name(event: sse.Event) -> str:
    """The event's name; without an `event:` line, its data's `type`."""
    if event.name or event.data is None:
        return event.name
    found = _TYPE.search(event.data)
    return found[1].decode() if found else ""


def _broken(name: str) -> StreamError:
    return StreamError("api_error", f"the provider sent a {name or 'nameless'} event that is not readable")


class Decoder(WireDecoder):
    """Anthropic's events to neutral ones. message_delta is given with message_stop, so that there is one of it."""

    def __init__(self) -> None:
        super().__init__()
        self._stop: tuple[str, str | None] = ("end_turn", None)
        self._tool_used = False

    def _ended(self) -> list[StreamEvent]:
        self._over = True
        return [CUT]

    def _read(self, wire: sse.Event, data: bytes) -> list[StreamEvent]:
        name = event_name(wire)
        if name not in _HANDLERS:
            return []
        try:
            data.decode()  # what is kept raw is not looked into by the reader
            event = _read(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            self._over = True
            return [_broken(name)]
        return _HANDLERS[name](self, event)

    def _message_start(self, event: _Event) -> list[StreamEvent]:
        self.usage = event.message.usage.over(self.usage)
        return [MessageStart(event.message.id, event.message.model, self.usage)]

    def _block_start(self, event: _Event) -> list[StreamEvent]:
        """The block, empty; what some servers put into it at once comes as its first delta."""
        sent = _opened_block(event.content_block)
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

    def _block_delta(self, event: _Event) -> list[StreamEvent]:
        delta = event.delta
        match delta.type:
            case "text_delta":
                return [BlockDelta(event.index, "text", delta.text)]
            case "input_json_delta":
                return [BlockDelta(event.index, "input_json", delta.partial_json)]
            case "thinking_delta":
                return [BlockDelta(event.index, "thinking", delta.thinking)]
            case "signature_delta":
                return [BlockDelta(event.index, "signature", delta.signature)]
        return []  # citations and what comes later

    def _block_stop(self, event: _Event) -> list[StreamEvent]:
        return [BlockStop(event.index)]

    def _message_delta(self, event: _Event) -> list[StreamEvent]:
        self.usage = event.usage.over(self.usage)
        if event.delta.stop_reason:
            self._stop = (event.delta.stop_reason, event.delta.stop_sequence)
        return []

    def _message_stop(self, _: _Event) -> list[StreamEvent]:
        self._over = True
        reason, sequence = self._stop
        if reason == "end_turn" and self._tool_used:
            reason = "tool_use"  # some servers that copy the API do not tell them apart
        return [MessageDelta(reason, sequence, self.usage), MessageStop()]

    def _ping(self, _: _Event) -> list[StreamEvent]:
        return [Ping()]

    def _error(self, event: _Event) -> list[StreamEvent]:
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


#: What the name alone says.
_BY_NAME = {
    "content_block_delta": Scan("content", ("block_delta",)),
    "content_block_stop": Scan("other", ("block_stop",)),
    "ping": Scan("ping", ("ping",)),
}
_EMPTY_BLOCKS = frozenset({b"text", b"thinking"})


class Scanner:
    """Classifies events by their names; JSON is read only for start, usage, error and the end."""

    def __init__(self) -> None:
        self.usage = Usage()
        self.stop_reason = ""
        self.complete = False

    def scan(self, event: sse.Event) -> Scan:
        if event.data is None:
            return Scan("ping")
        name = event.name or event_name(event)
        if known := _BY_NAME.get(name):
            return known
        match name:
            case "content_block_start":
                found = _BLOCK_TYPE.search(event.data)
                return Scan("opening" if found and found[1] in _EMPTY_BLOCKS else "content", ("block_start",))
            case "message_start" | "message_delta" | "error":
                return self._parsed(name, event.data)
            case "message_stop":
                self.complete = True
                return Scan("terminal", ("message_stop",))
        return Scan("other")

    def _parsed(self, name: str, data: bytes) -> Scan:
        try:
            event = _read(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return Scan("error", error=_broken(name))
        if name == "error":
            return Scan("error", ("error",), StreamError(event.error.type, event.error.message))
        said = event.usage if name == "message_delta" else event.message.usage
        self.usage = said.over(self.usage)
        self.stop_reason = event.delta.stop_reason or self.stop_reason
        return Scan("opening" if name == "message_start" else "other", (name,))
