"""A Gemini answer, whole or in pieces, to neutral events, and from those to a neutral answer.

Source: Gemini API reference, "GenerateContentResponse". The end is `finishReason`, often on a piece without parts;
there is no closing event. Some servers say STOP with every piece, or once more with the usage, so the answer is whole
when nothing more comes after one.
"""

from msgspec import Raw

from core.dialects.gemini_parts import Blocks
from core.dialects.gemini_wire import (
    CUT,
    NOT_JSON,
    Answer,
    Candidate,
    NewId,
    asked_for,
    ending,
    error_of,
    finished,
    read_answers,
    usage_over,
)
from core.dialects.whole import collected
from core.errors import STATUS_OF_TYPE, UpstreamFailed
from core.messages import MessageDelta, MessageStart, MessageStop, Response, StreamError, StreamEvent, Usage

#: What a prompt that was blocked comes to.
_BLOCKED = Candidate(finish_reason="PROHIBITED_CONTENT")


class Reader:
    """One answer. Each method returns the events that are due; `over` after the last."""

    def __init__(self, new_id: NewId) -> None:
        self._new_id = new_id
        self._blocks = Blocks(new_id)
        self._started = False
        self._reason = ""
        self._counts = Raw()
        self.usage = Usage()
        self.complete = self.over = False

    def take(self, answer: Answer) -> list[StreamEvent]:
        """A piece of the answer."""
        if error := error_of(answer):
            return self.fail(error)
        if answer.usage_metadata and answer.usage_metadata != self._counts:
            self._counts = answer.usage_metadata
            self.usage = usage_over(answer, self.usage)
        events = self._start(answer)
        candidate = asked_for(answer)
        if candidate and candidate.content:
            for part in candidate.content.parts or ():
                events += self._blocks.take(part)
        if answer.prompt_feedback and answer.prompt_feedback.block_reason:
            candidate = _BLOCKED
        return events + self._finish(candidate)

    def end(self) -> list[StreamEvent]:
        """Nothing more comes."""
        if not self._reason:
            return self.fail(CUT)
        self.over = True
        # STOP may have come before the call did.
        reason = "tool_use" if self._reason == "end_turn" and self._blocks.tool_used else self._reason
        return [*self._blocks.close(), MessageDelta(reason, None, self.usage), MessageStop()]

    def fail(self, error: StreamError) -> list[StreamEvent]:
        """It ends with an error."""
        self.over, self.complete = True, False
        return [error]

    def _start(self, answer: Answer) -> list[StreamEvent]:
        if self._started:
            return []
        self._started = True
        return [MessageStart(answer.response_id or self._new_id(), answer.model_version or "", self.usage)]

    def _finish(self, candidate: Candidate | None) -> list[StreamEvent]:
        if candidate is None or not finished(candidate):
            return []
        reason = ending(candidate)
        if isinstance(reason, StreamError):
            return self.fail(reason)
        self._reason, self.complete = reason, True
        return []


def decode_response(body: bytes, new_id: NewId) -> Response:
    """UpstreamFailed if this is no whole answer: an error inside a 200, another shape, no `finishReason`."""
    try:
        body.decode()  # arguments are kept raw, which the decoder does not look into
        answers = read_answers(body)
    except NOT_JSON as exc:
        raise _unreadable(str(exc)) from None
    reader = Reader(new_id)
    events: list[StreamEvent] = []
    for answer in answers:
        if not reader.over:
            events += reader.take(answer)
    if not reader.over:
        if not reader.complete:
            raise _unreadable("it has no candidate with a finishReason")
        events += reader.end()
    if isinstance(error := events[-1], StreamError):
        raise UpstreamFailed(STATUS_OF_TYPE.get(error.type, 502), error.message, stage="answered", type=error.type)
    return collected(events)


def _unreadable(why: str) -> UpstreamFailed:
    return UpstreamFailed(502, f"the provider's answer is not readable: {why}", stage="answered", type="api_error")
