"""What Anthropic's stream is made of, as it is read: shared by the decoder and the scanner.

Source: Anthropic's documentation, "Streaming messages". An unknown event may appear and means nothing to us.
"""

import re

import msgspec
from msgspec import Raw, Struct

from core import sse
from core.dialects.usage import AnthropicUsage, read_usage
from core.messages import Block, StreamError, Usage

CUT = StreamError("api_error", "the provider's stream ended before its message_stop")
NO_REASON = StreamError("api_error", "the provider sent a message_stop without having sent a stop_reason")
NAMELESS = StreamError("api_error", "the provider sent a tool call without an id or a name")

_TYPE = re.compile(rb'"type"\s*:\s*"(\w+)"')


class _Message(Struct, frozen=True):
    id: str = ""
    model: str = ""
    usage: Raw = Raw()


class _Delta(Struct, frozen=True):
    type: str = ""
    text: str | None = ""
    thinking: str | None = ""
    signature: str | None = ""
    partial_json: str | None = ""
    stop_reason: str | None = None
    stop_sequence: str | None = None


class _Error(Struct, frozen=True):
    type: str = "api_error"
    message: str = ""


class Event(Struct):
    """The data of any event; what is missing has its default."""

    type: str = ""
    index: int = 0
    message: _Message = _Message()
    content_block: Raw = Raw(b'{"type":""}')
    delta: _Delta = _Delta()
    usage: Raw = Raw()
    error: _Error = _Error()

    def usage_over(self, before: Usage) -> Usage:
        """`before` with what this event says: message_start in its message, message_delta at its top."""
        said = read_usage(self.usage or self.message.usage, AnthropicUsage)
        return said.over(before) if said else before


class _Typed(Struct):
    type: str = ""
    error: Raw = Raw()


_decode = msgspec.json.Decoder(Event).decode
_decode_typed = msgspec.json.Decoder(_Typed).decode
_NOT_JSON = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def read_event(name: str, data: bytes) -> Event | None:
    """The event's data. None if it is not readable, or says that it is another event."""
    try:
        data.decode()  # what is kept raw is not looked into by the reader
        event = _decode(data)
    except _NOT_JSON:
        return None
    return event if event.type in {"", name} else None


def opened_block(raw: Raw) -> Block:
    """The block of a content_block_start. Of a type that is not known, whatever its fields are, the type is enough."""
    try:
        return msgspec.json.decode(raw, type=Block)
    except msgspec.ValidationError:
        found = _TYPE.search(bytes(raw))
        return Block(type=found[1].decode() if found else "")


def is_nameless(block: Block) -> bool:
    """Whether this is a call that no client could run or answer."""
    return block.type == "tool_use" and not (block.id and block.name)


def event_name(event: sse.Event) -> str | None:
    """The event's name; without an `event:` line (or with the standard's `message`), its data's `type`.

    An object with an `error` and no type is an error, as servers of other dialects say it. None if the data must be
    looked into and is no JSON object.
    """
    if event.name not in {"", "message"} or event.data is None:
        return event.name
    try:
        typed = _decode_typed(event.data)
    except _NOT_JSON:
        return None
    return typed.type or ("error" if typed.error else "")


def broken(name: str | None) -> StreamError:
    """What the client hears of an event that `read_event` gave None for."""
    return StreamError("api_error", f"the provider sent a {name or 'nameless'} event that is not readable")
