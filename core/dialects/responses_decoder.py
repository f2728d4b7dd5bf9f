"""OpenAI's Responses stream to neutral events.

Source: OpenAI's API reference, "Streaming events". The answer's own end is `response.completed` or
`response.incomplete`. An item's last event repeats it whole: what a server left out of the pieces is taken from there.
"""

from dataclasses import dataclass

import msgspec

from core import sse
from core.dialects import responses_reasoning as reasoning
from core.dialects.openai_wire import DONE, NewId
from core.dialects.responses_blocks import arguments_of, blocks_of, call_of, search_of, text_of, thinking_of
from core.dialects.responses_line import Kind, Line, Piece
from core.dialects.responses_wire import (
    CALL,
    CUT,
    FILLS,
    FREE_TEXT,
    NOT_JSON,
    STARTS,
    TERMINAL,
    TEXT,
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
    stop_reason,
)
from core.dialects.wire_decoder import WireDecoder
from core.messages import Block, MessageDelta, MessageStart, MessageStop, StreamError, StreamEvent, Usage


@dataclass
class _Open:
    """An item that has begun. `piece` is its block, as soon as there is something of it; `lane` the event that fills
    it (reasoning may come as a summary and as text), `part` the number of the summary's last part.
    """

    item: Item
    piece: Piece | None = None
    lane: str = ""
    part: int = 0


class Decoder(WireDecoder):
    """One stream."""

    def __init__(self, new_id: NewId) -> None:
        super().__init__()
        self._new_id = new_id
        self._line = Line()
        self._open: dict[int, _Open] = {}
        self._started = False
        self._any_item = False
        self._tool_used = False

    def _ended(self) -> list[StreamEvent]:
        return self._failed(CUT)

    def _read(self, wire: sse.Event, data: bytes) -> list[StreamEvent]:
        if not data.strip() or data.strip() == DONE:  # some servers end as chat completions do
            return []
        event = read_event(data)
        if event is None:
            return self._failed(UNREADABLE)
        try:
            return self._event(name_of(wire, event), event)
        except NOT_JSON:
            return self._failed(UNREADABLE)

    def _event(self, name: str, event: Event) -> list[StreamEvent]:
        if name in FILLS:
            return self._delta(name, event)
        if name in STARTS:
            return self._start(read_answer(event.response)) if event.response else []
        if name == "response.output_item.added":
            return self._added(event)
        if name == "response.output_item.done":
            return self._done(event)
        if name in TERMINAL:
            return self._end(read_answer(event.response or b"{}"), incomplete=name == "response.incomplete")
        if name == "error":
            return self._failed(error_of(event.error, event.code, event.message))
        if name in {"response.failed", "response.cancelled"}:
            answer = read_answer(event.response or b"{}")
            self.usage = answer.used() or self.usage
            return self._failed(error_of(answer.error))
        return []

    def _start(self, answer: Answer) -> list[StreamEvent]:
        if self._started:
            return []
        self._started = True
        return [MessageStart(answer.id or self._new_id(), answer.model or "", Usage())]

    def _added(self, event: Event) -> list[StreamEvent]:
        if event.output_index in self._open or not self._started:
            return self._failed(misplaced(event, "begun twice" if self._started else "begun before its response"))
        item = read_item(event.item or b"{}")
        opened = self._open[event.output_index] = _Open(item)
        self._any_item = True
        if item.type in {"function_call", "custom_tool_call"} and item.name:
            self._begin_call(opened, item)
        return self._line.due()

    def _begin_call(self, opened: _Open, item: Item) -> Piece:
        self._tool_used = True
        opened.piece = self._line.begin(call_of(item, self._new_id))
        if item.type == "custom_tool_call":
            opened.piece.add("input_json", '{"input":"')
        return opened.piece

    def _delta(self, name: str, event: Event) -> list[StreamEvent]:
        opened = self._open.get(event.output_index)
        if opened is None:
            return self._failed(misplaced(event, "filled, but not open"))
        text = event.delta or ""
        if not text:
            return []
        if name in {CALL, FREE_TEXT}:
            if opened.piece is None:
                return []  # its name is not known yet; the item's last event has all of it
            opened.piece.add("input_json", text if name == CALL else _escaped(text))
        elif name in TEXT:
            self._piece(opened, Block(type="text")).add("text", text)
        else:
            self._think(opened, name, event.summary_index, text)
        return self._line.due()

    def _piece(self, opened: _Open, block: Block) -> Piece:
        opened.piece = opened.piece or self._line.begin(block)
        return opened.piece

    def _think(self, opened: _Open, lane: str, part: int, text: str) -> None:
        opened.lane = opened.lane or lane
        if opened.lane != lane:
            return
        piece = self._piece(opened, Block(type="thinking", id=opened.item.id or "", signature=""))
        if part != opened.part:
            opened.part = part
            piece.add("thinking", "\n\n")
        piece.add("thinking", text)

    def _done(self, event: Event) -> list[StreamEvent]:
        opened = self._open.pop(event.output_index, None)
        if opened is None:
            return self._failed(misplaced(event, "ended, but not open"))
        item = read_item(event.item or b"{}")
        match opened.item.type:
            case "message":
                self._fill(opened, Block(type="text"), "text", text_of(item))
            case "reasoning":
                self._reasoned(opened, item)
            case "function_call" | "custom_tool_call":
                piece = opened.piece or self._begin_call(opened, item)
                piece.complete("input_json", arguments_of(item))
            case "web_search_call":
                block = search_of(item, self._new_id)
                self._fill(opened, Block(type=block.type, id=block.id, name=block.name), "input_json", _json(block))
        if opened.piece is not None:
            opened.piece.finished = True
        return self._line.due()

    def _fill(self, opened: _Open, block: Block, kind: Kind, whole: str) -> None:
        if whole:
            self._piece(opened, block).complete(kind, whole)

    def _reasoned(self, opened: _Open, item: Item) -> None:
        signature = reasoning.pack(item.id or "", item.encrypted_content)
        thinking = thinking_of(item)
        if opened.piece is None and not thinking:
            if signature:
                opened.piece = self._line.begin(Block(type="redacted_thinking", data=signature))
            return
        piece = self._piece(opened, Block(type="thinking", id=item.id or "", signature=""))
        piece.complete("thinking", thinking)
        piece.add("signature", signature)

    def _end(self, answer: Answer, *, incomplete: bool) -> list[StreamEvent]:
        self.usage = answer.used() or self.usage
        if error := failure_of(answer):
            return self._failed(error)
        if self._open and not incomplete:
            at = min(self._open)
            return self._failed(StreamError("api_error", f"the provider ended the answer in the middle of item {at}"))
        self._over = self.complete = True
        events = self._start(answer) + self._line.close()
        if not self._any_item:
            events += self._whole(answer)
        reason = stop_reason(answer, incomplete=incomplete, tool_used=self._tool_used)
        return [*events, MessageDelta(reason, None, self.usage), MessageStop()]

    def _whole(self, answer: Answer) -> list[StreamEvent]:
        """The output of an answer that came at once, in its last event."""
        for item in answer.output or ():
            for block in blocks_of(item, self._new_id):
                self._tool_used |= block.type == "tool_use"
                piece = self._line.begin(Block(type=block.type, id=block.id, name=block.name, data=block.data))
                piece.add("thinking", block.thinking)
                piece.add("text", block.text)
                piece.add("signature", block.signature or "")
                if block.type in {"tool_use", "server_tool_use"}:
                    piece.add("input_json", _json(block))
                piece.finished = True
        return self._line.due()

    def _failed(self, error: StreamError) -> list[StreamEvent]:
        self._over = True
        return [error]


def _escaped(text: str) -> str:
    """A piece of a free text as it stands in the JSON string of its arguments."""
    return msgspec.json.encode(text).decode()[1:-1]


def _json(block: Block) -> str:
    return bytes(block.input).decode()
