"""OpenAI's Responses stream passed through: what each event is."""

import re
from typing import Any

import msgspec
from msgspec import Raw

from core import sse
from core.dialects.frames import Scan
from core.dialects.openai_wire import DONE
from core.dialects.responses_encoder import failure
from core.dialects.responses_wire import (
    FILLS,
    NOT_JSON,
    STARTS,
    UNREADABLE,
    Answer,
    Event,
    Item,
    error_of,
    failure_of,
    misplaced,
    name_of,
    read_answer,
    read_event,
    read_item,
    says,
    stop_reason,
)
from core.messages import StreamError, Usage

_START = Scan("opening", ("message_start",))
_DELTA = ("block_delta",)
_NUMBER = re.compile(rb'"sequence_number": ?([0-9]{1,15})')
_CALLS = frozenset({"function_call", "custom_tool_call"})
#: Items that the user sees nothing of until they are filled.
_EMPTY = frozenset({"message", "reasoning"})


class Scanner:
    """Reads every event: what it does not know passes.

    For the grammar the items that are open at the same time are one block: a provider may fill them in any order.
    """

    def __init__(self) -> None:
        self.usage = Usage()
        self.stop_reason = ""
        self.complete = False
        self._started = False
        self._content = False
        self._open: set[int] = set()
        self._number = -1
        self._head = Raw()
        self._tool_used = False

    def scan(self, event: sse.Event) -> Scan:
        data = event.data
        if not data or data.isspace():
            return Scan("ping", hidden=data is not None or bool(event.name))
        if data.strip() == DONE:
            return Scan("other", hidden=True)  # of another API; the SDK would stop reading there
        read = read_event(data)
        if read is None:
            return Scan("error", error=UNREADABLE)
        self._number = read.sequence_number if type(read.sequence_number) is int else self._number + 1
        try:
            return self._read(name_of(event, read), read)
        except NOT_JSON:
            return Scan("error", error=UNREADABLE)

    def _read(self, name: str, event: Event) -> Scan:
        if name in FILLS:
            return self._delta(event)
        if name in STARTS:
            started, self._started = self._started, True
            self._head = event.response
            return Scan("opening") if started else _START
        match name:
            case "response.output_item.added":
                return self._added(event, read_item(event.item))
            case "response.output_item.done":
                return self._done(event)
            case "response.completed" | "response.incomplete":
                return self._end(read_answer(event.response), incomplete=name == "response.incomplete")
            case "error":
                # SDKs raise one that has an `error`; any other is said again, so that it has.
                seen = bool(event.type) and says(event.error)
                return Scan("error", ("error",) if seen else (), error_of(event.error, event.code, event.message))
            case "response.failed" | "response.cancelled":
                answer = read_answer(event.response or Raw(b"{}"))
                self.usage = answer.used() or self.usage
                return Scan("error", ("error",), error_of(answer.error))
        return Scan("other" if self._content else "opening")

    def last_words(self, error: StreamError, after: bytes) -> bytes:
        """The failure of the response that had begun; its number is the next."""
        if number := _NUMBER.search(after):
            self._number = max(self._number, int(number[1]))
        try:
            head = msgspec.json.decode(self._head, type=dict[str, Any]) if self._head else {}
        except NOT_JSON:
            head = {}
        return failure(error, self._number + 1, head)

    def _delta(self, event: Event) -> Scan:
        if event.output_index not in self._open:
            return Scan("error", error=misplaced(event, "filled, but not open"))
        if not event.delta:
            return Scan("other" if self._content else "opening", _DELTA)
        self._content = True
        return Scan("content", _DELTA)

    def _added(self, event: Event, item: Item) -> Scan:
        if event.output_index in self._open:
            return Scan("error", error=misplaced(event, "begun twice"))
        steps = () if self._open else ("block_start",)
        self._open.add(event.output_index)
        self._tool_used |= item.type in _CALLS
        if item.type not in _EMPTY:
            self._content = True
            return Scan("content", steps)
        return Scan("other" if self._content else "opening", steps)

    def _done(self, event: Event) -> Scan:
        if event.output_index not in self._open:
            return Scan("error", error=misplaced(event, "ended, but not open"))
        self._open.remove(event.output_index)
        return Scan("other" if self._content else "opening", () if self._open else ("block_stop",))

    def _end(self, answer: Answer, *, incomplete: bool) -> Scan:
        self.usage = answer.used() or self.usage
        if error := failure_of(answer):
            return Scan("error", error=error)
        self.stop_reason = stop_reason(answer, incomplete=incomplete, tool_used=self._tool_used)
        self.complete = True
        cut = ("block_stop",) if self._open and incomplete else ()
        start = () if self._started else ("message_start",)
        return Scan("terminal", (*start, *cut, "message_delta", "message_stop"))
