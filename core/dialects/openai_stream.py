"""OpenAI's chat completion stream, both ways.

Source: OpenAI's API reference, "Streaming events" of chat completions. The model's own end is `finish_reason`; `[DONE]`
only ends the framing, and several servers leave it out. So a stream that ends after `finish_reason` is whole, a
`[DONE]` without one is not, and neither is ever added to a stream that is passed through.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from core import sse
from core.dialects.openai_reasoning import read_entries, told
from core.dialects.openai_slots import Slots
from core.dialects.openai_wire import (
    CUT,
    DONE,
    NOT_JSON,
    UNREADABLE,
    Answer,
    Choice,
    Delta,
    NewId,
    asked_for,
    error_of,
    named_error,
    read_answer,
    text_of,
    thinking_of,
    usage_of,
)
from core.dialects.stops import finish_reason, stop_reason
from core.dialects.usage import to_openai
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
    """Chunks to neutral events. Only the choice with index 0 is read: nobody here asks for more than one."""

    def __init__(self, new_id: NewId) -> None:
        super().__init__()
        self._new_id = new_id
        self._slots = Slots(new_id)
        self._started = False
        self._finish: str | None = None
        self._matched: str | None = None

    def _ended(self) -> list[StreamEvent]:
        return self._done()

    def _read(self, wire: sse.Event, data: bytes) -> list[StreamEvent]:
        if not data.strip():
            return []
        if data.strip() == DONE:
            return self._done()
        try:
            data.decode()  # what is kept raw is not looked into by the reader
            answer = read_answer(data)
        except NOT_JSON:
            return self._failed(UNREADABLE)
        if error := error_of(answer) or named_error(wire.name, answer):
            return self._failed(error)
        self.usage = usage_of(answer) or self.usage
        choice = asked_for(answer)
        return self._start(answer) + (self._piece(choice) if choice else [])

    def _start(self, answer: Answer) -> list[StreamEvent]:
        if self._started:
            return []
        self._started = True
        return [MessageStart(answer.id or self._new_id(), answer.model or "", self.usage)]

    def _piece(self, choice: Choice) -> list[StreamEvent]:
        if self._finish:
            return []  # the answer has ended; only its usage may follow
        delta = choice.delta or choice.message or Delta()
        events = self._slots.add_text("thinking", thinking_of(delta))
        if delta.reasoning_details:
            events += self._slots.add_details(read_entries(delta.reasoning_details))
        events += self._slots.add_text("text", text_of(delta.content) + (delta.refusal or ""))
        for call in delta.tool_calls or ():
            events += self._slots.add_call(call)
        if choice.finish_reason:
            self._finish, self.complete = choice.finish_reason, True
            self._matched = choice.stop_reason if isinstance(choice.stop_reason, str) else None
        return events

    def _done(self) -> list[StreamEvent]:
        if not self._finish:
            return self._failed(CUT)
        self._over = True
        events = self._slots.close()
        reason = stop_reason(self._finish, tool_used=self._slots.tool_used, matched=self._matched)
        matched = self._matched if reason == "stop_sequence" else None
        return [*events, MessageDelta(reason, matched, self.usage), MessageStop()]

    def _failed(self, error: StreamError) -> list[StreamEvent]:
        self._over = True
        return [error]


class Encoder:
    """Neutral events to chunks. Thinking goes out as `reasoning_content`, which clients that do not know it ignore."""

    def __init__(self, now: Callable[[], float], *, include_usage: bool) -> None:
        self._head: dict[str, Any] = {"id": "", "object": "chat.completion.chunk", "created": int(now()), "model": ""}
        self._include_usage = include_usage
        self._call = -1
        self._in_call = False
        self._arguments = False
        #: Text and signature of the thinking that is being written, and how many entries of reasoning were told.
        self._thinking: list[str] = []
        self._signature: list[str] = []
        self._told = 0

    def encode(self, event: StreamEvent) -> bytes:
        match event:
            case MessageStart(id=id, model=model):
                self._head |= {"id": id, "model": model}
                return self._chunk({"role": "assistant", "content": ""})
            case BlockStart(block=block):
                self._in_call = block.type == "tool_use"
                self._thinking, self._signature = [], []
                if not self._in_call:
                    return self._reasoning(block) if block.type == "redacted_thinking" else b""
                self._call += 1
                self._arguments = False
                function = {"name": block.name, "arguments": ""}
                return self._chunk_of_call({"id": block.id, "type": "function", "function": function})
            case BlockDelta(kind=kind, data=data):
                return self._delta(kind, data)
            case BlockStop():
                return self._stop()
            case MessageDelta(stop_reason=reason, usage=usage):
                return self._chunk({}, finish_reason(reason)) + (self._usage(usage) if self._include_usage else b"")
            case MessageStop():
                return sse.encode(DONE)
            case Ping():
                return sse.comment("ping")
            case StreamError(type=type, message=message):
                error = {"message": message, "type": type, "param": None, "code": None}
                return sse.encode(msgspec.json.encode({"error": error}))
        return b""

    def _delta(self, kind: str, data: str) -> bytes:
        match kind:
            case "text":
                return self._chunk({"content": data})
            case "thinking":
                self._thinking.append(data)
                return self._chunk({"reasoning_content": data})
            case "input_json" if self._in_call and data:
                self._arguments = True
                return self._chunk_of_call({"function": {"arguments": data}})
            case "signature":
                self._signature.append(data)
        return b""  # or the arguments of a call that the provider itself makes

    def _stop(self) -> bytes:
        if self._in_call and not self._arguments:
            # Anthropic leaves out empty arguments; clients of this dialect parse what was sent.
            return self._chunk_of_call({"function": {"arguments": "{}"}})
        if not self._signature:
            return b""
        text, signature = "".join(self._thinking), "".join(self._signature)
        return self._reasoning(Block(type="thinking", thinking=text, signature=signature))

    def _reasoning(self, block: Block) -> bytes:
        """What must come back with the next request, as one piece each; it is whole only at the end of its block."""
        entries = told(block, self._told)
        self._told += len(entries)
        return self._chunk({"reasoning_details": entries}) if entries else b""

    def _chunk_of_call(self, call: dict[str, Any]) -> bytes:
        return self._chunk({"tool_calls": [{"index": self._call, **call}]})

    def _chunk(self, delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return sse.encode(msgspec.json.encode({**self._head, "choices": [choice]}))

    def _usage(self, usage: Usage) -> bytes:
        return sse.encode(msgspec.json.encode({**self._head, "choices": [], "usage": to_openai(usage)}))
