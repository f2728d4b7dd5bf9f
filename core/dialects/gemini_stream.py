"""Gemini's stream to neutral events.

Source: Gemini API reference, "models.streamGenerateContent" with `alt=sse`: each event is a piece of an answer, and the
end of the transport is the end of the stream.
"""

from core import sse
from core.dialects.gemini_answer import Reader
from core.dialects.gemini_wire import NOT_JSON, UNREADABLE, NewId, read_answers
from core.dialects.wire_decoder import WireDecoder
from core.messages import StreamError, StreamEvent

#: How routers that speak this dialect end a stream, as OpenAI does.
_DONE = b"[DONE]"


class Decoder(WireDecoder):
    """One stream. `new_id` names answers and calls that came without an id."""

    def __init__(self, new_id: NewId) -> None:
        super().__init__()
        self._reader = Reader(new_id)

    def _ended(self) -> list[StreamEvent]:
        return self._noted(self._reader.end())

    def _read(self, wire: sse.Event, data: bytes) -> list[StreamEvent]:
        said = data.strip()
        if not said:
            return []
        if said == _DONE:
            return self._ended()
        try:
            data.decode()  # what is kept raw is not looked into by the reader
            answers = read_answers(data)
        except NOT_JSON:
            return self._noted(self._reader.fail(UNREADABLE))
        events: list[StreamEvent] = []
        for answer in answers:
            if not self._reader.over:
                events += self._reader.take(answer)
        if wire.name == "error" and not self._reader.over:
            events = self._reader.fail(StreamError("api_error", "the provider reported an error"))
        return self._noted(events)

    def _noted(self, events: list[StreamEvent]) -> list[StreamEvent]:
        self.usage, self.complete, self._over = self._reader.usage, self._reader.complete, self._reader.over
        return events
