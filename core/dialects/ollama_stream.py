"""Ollama's chat stream: one JSON object a line, each a piece of the message; `done: true` is the end and says why."""

from core import ndjson
from core.dialects.blocks import Blocks
from core.dialects.ollama_wire import (
    CUT,
    NOT_JSON,
    UNREADABLE,
    Answer,
    Ids,
    Message,
    NewId,
    arguments_of,
    error_of,
    read_answer,
    reason_of,
    usage_of,
)
from core.messages import MessageDelta, MessageStart, MessageStop, StreamError, StreamEvent, Usage


class Decoder:
    """A `base.StreamDecoder`: lines to neutral events."""

    def __init__(self, new_id: NewId) -> None:
        self._lines = ndjson.Decoder()
        self._new_id = new_id
        self._ids = Ids(new_id)
        self._blocks = Blocks()
        self._started = self._over = False
        self.usage = Usage()
        self.complete = False

    def feed(self, chunk: bytes) -> list[StreamEvent]:
        """Events that are complete with this chunk; none after the end."""
        return self._take(self._lines.feed(chunk))

    def end(self) -> list[StreamEvent]:
        """The transport has ended. A last line without its end counts if it is whole JSON: `{"done":true}` cannot be
        the beginning of anything else.
        """
        left = self._lines.end()
        if self._over:
            return []
        events = self._take(left)
        if self._over:
            return [CUT if event is UNREADABLE else event for event in events]
        return [*events, *self._failed(CUT)]

    def _take(self, lines: list[bytes]) -> list[StreamEvent]:
        events: list[StreamEvent] = []
        for line in lines:
            if self._over:
                break
            events += self._read(line)
        return events

    def _read(self, line: bytes) -> list[StreamEvent]:
        try:
            answer = read_answer(line)
            if error := error_of(answer):
                return self._failed(error)
            events = self._start(answer) + self._piece(answer.message or Message())
        except NOT_JSON:
            return self._failed(UNREADABLE)
        self.usage = usage_of(answer, self.usage)
        return events + self._done(answer) if answer.done else events

    def _start(self, answer: Answer) -> list[StreamEvent]:
        if self._started:
            return []
        self._started = True
        return [MessageStart(self._new_id(), answer.model or "", self.usage)]

    def _piece(self, message: Message) -> list[StreamEvent]:
        events = self._blocks.add_text("thinking", message.thinking or "")
        events += self._blocks.add_text("text", message.content or "")
        for call in message.tool_calls or ():
            if call.function and call.function.name:
                events += self._blocks.add_call(self._ids.of(call), call.function.name, arguments_of(call.function))
        return events

    def _done(self, answer: Answer) -> list[StreamEvent]:
        self._over = self.complete = True
        reason = reason_of(answer, tool_used=self._blocks.tool_used)
        return [*self._blocks.close(), MessageDelta(reason, None, self.usage), MessageStop()]

    def _failed(self, error: StreamError) -> list[StreamEvent]:
        self._over = True
        return [error]
