"""OpenAI's stream passed through: what each chunk is."""

from core import sse
from core.dialects.frames import Scan
from core.dialects.openai_wire import (
    CUT,
    DONE,
    NOT_JSON,
    UNREADABLE,
    Answer,
    Delta,
    asked_for,
    error_of,
    named_error,
    read_answer,
    says,
    usage_of,
)
from core.dialects.stops import stop_reason
from core.messages import StreamError, Usage

_OPEN = ("message_start", "block_start")
_DELTA = ("block_delta",)
_CLOSE = ("block_stop", "message_delta", "message_stop")


class Scanner:
    """Reads every chunk: that costs less than looking for what a chunk must be read for, and misses nothing.

    For the grammar a stream of chunks is one message with one block; `[DONE]` closes both. Of what follows the first
    `finish_reason` only usage is passed on.
    """

    def __init__(self, *, include_usage: bool) -> None:
        self.usage = Usage()
        self.stop_reason = ""
        self.complete = False
        self._include_usage = include_usage
        self._content = False
        self._started = False
        self._finish = ""

    def scan(self, event: sse.Event) -> Scan:
        data = event.data
        if not data or data.isspace():
            # Some SDKs take an empty event for JSON.
            return Scan("ping", hidden=data is not None or bool(event.name))
        if data.strip() == DONE:
            return Scan("terminal", _CLOSE) if self._finish else Scan("error", error=CUT)
        try:
            data.decode()  # what is kept raw is not looked into by the reader
            answer = read_answer(data)
        except NOT_JSON:
            return Scan("error", error=UNREADABLE)
        if error := error_of(answer) or named_error(event.name, answer):
            # Clients see an error only at the top of a chunk: one that stands elsewhere is said again.
            return Scan("error", ("error",) if answer.error else (), error)
        return self._read(answer)

    def last_words(self, error: StreamError, after: bytes) -> bytes:  # noqa: ARG002
        return b""

    def _read(self, answer: Answer) -> Scan:
        usage = usage_of(answer)
        self.usage = usage or self.usage
        steps = _DELTA if self._started else _OPEN + _DELTA
        self._started = True
        choice = asked_for(answer)
        if choice is None:
            hidden = bool(answer.choices) or (usage is not None and not self._include_usage)
            return Scan("other", steps, hidden=hidden)
        piece = choice.delta or choice.message or Delta()
        said = says(piece)
        if self._finish:
            return Scan("other", steps, hidden=said or choice.finish_reason not in {None, "", self._finish})
        self._content |= said
        if choice.finish_reason:
            self._finish, self.complete = choice.finish_reason, True
            self.stop_reason = stop_reason(self._finish, tool_used=self._finish == "tool_calls")
        return Scan("content" if said else "other" if self._content else "opening", steps)
