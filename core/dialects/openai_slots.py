"""Pieces of text, thinking and tool calls, perhaps interleaved, to blocks of which one is open at a time.

Blocks are emitted in the order in which their first piece came. The first unfinished one streams; pieces of later
ones wait. Text and thinking are finished when something else begins, a call when its arguments are a whole JSON
object, everything when the stream ends.
"""

from dataclasses import dataclass, field
from typing import Literal

import msgspec
from msgspec import Raw

from core.dialects.openai_reasoning import Details, Entry
from core.dialects.openai_wire import NewId, ToolCall, arguments_text
from core.dialects.tool_ids import safe_id
from core.messages import Block, BlockDelta, BlockStart, BlockStop, StreamEvent


@dataclass
class _Slot:
    kind: Literal["text", "thinking", "input_json", "redacted"]
    index: int | None = None
    id: str = ""
    name: str = ""
    data: str = ""
    waiting: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    opened: bool = False

    def finished(self) -> bool:
        if self.kind != "input_json":
            return True
        pieces = self.sent + self.waiting
        # The join costs the whole length, so only when the last piece could be the end.
        return bool(self.name and pieces) and pieces[-1].rstrip().endswith("}") and is_object("".join(pieces))


def is_object(text: str) -> bool:
    """Whether the text is a whole JSON object."""
    try:
        msgspec.json.decode(text, type=dict[str, Raw])
    except (msgspec.MsgspecError, RecursionError):
        return False
    return True


class Slots:
    """The blocks of one answer. Each method returns the events that are due."""

    def __init__(self, new_id: NewId) -> None:
        self._new_id = new_id
        self._slots: list[_Slot] = []
        self._front = 0
        self._details = Details()
        self.tool_used = False

    def add_text(self, kind: Literal["text", "thinking"], text: str) -> list[StreamEvent]:
        if not text:
            return []
        if not self._slots or self._slots[-1].kind != kind:
            self._slots.append(_Slot(kind))
        return self._take(self._slots[-1], text)

    def add_details(self, entries: list[Entry]) -> list[StreamEvent]:
        """Reasoning that must come back: with the thinking that is being written, else as a block of its own."""
        self._details.add(entries)
        if not self._details.waiting or (self._slots and self._slots[-1].kind == "thinking"):
            return []
        self._slots.append(_Slot("redacted", data=self._details.take()))
        return self._take(self._slots[-1], "")

    def add_call(self, piece: ToolCall) -> list[StreamEvent]:
        slot = self._slot_of(piece)
        if piece.function and piece.function.name and not slot.name:
            slot.name = piece.function.name
        return self._take(slot, arguments_text(piece.function.arguments) if piece.function else "")

    def close(self) -> list[StreamEvent]:
        """The end: everything that waits, every block closed. A call that never got a name is left out."""
        events: list[StreamEvent] = []
        while self._front < len(self._slots):
            events += self._flush()
            self._stop_front(events)
        return events

    def _slot_of(self, piece: ToolCall) -> _Slot:
        """The call that a piece belongs to: by index, else by id, else the last one."""
        calls = [slot for slot in self._slots if slot.kind == "input_json"]
        for slot in reversed(calls):
            if self._belongs(piece, slot):
                return slot
        slot = _Slot("input_json", index=piece.index, id=safe_id(piece.id or self._new_id()))
        self._slots.append(slot)
        return slot

    @staticmethod
    def _belongs(piece: ToolCall, slot: _Slot) -> bool:
        if piece.index is None:
            return not piece.id or safe_id(piece.id) == slot.id
        if piece.index != slot.index:
            return False
        # Some servers number all calls 0: a new id with a name, after whole arguments, is another call. A new id
        # alone is not: others make a new one for each piece.
        other = piece.id and safe_id(piece.id) != slot.id and piece.function and piece.function.name
        return not (other and slot.finished())

    def _take(self, slot: _Slot, text: str) -> list[StreamEvent]:
        if text:
            slot.waiting.append(text)
        events: list[StreamEvent] = []
        while True:
            events += self._flush()
            if self._front + 1 >= len(self._slots) or not self._slots[self._front].finished():
                return events
            self._stop_front(events)

    def _flush(self) -> list[StreamEvent]:
        """Open the first unfinished block if it can be, and send what waits for it."""
        slot = self._slots[self._front]
        events: list[StreamEvent] = []
        if slot.kind == "input_json" and not slot.name:
            return events
        if not slot.opened:
            slot.opened = True
            self.tool_used |= slot.kind == "input_json"
            events.append(BlockStart(self._front, _bare(slot)))
        if slot.kind != "redacted":
            events += [BlockDelta(self._front, slot.kind, text) for text in slot.waiting]
        slot.sent += slot.waiting
        slot.waiting = []
        return events

    def _stop_front(self, events: list[StreamEvent]) -> None:
        slot = self._slots[self._front]
        if slot.opened:
            if slot.kind == "thinking" and (signature := self._details.take("".join(slot.sent))):
                events.append(BlockDelta(self._front, "signature", signature))
            events.append(BlockStop(self._front))
            self._front += 1
        else:
            del self._slots[self._front]


def _bare(slot: _Slot) -> Block:
    if slot.kind == "input_json":
        return Block(type="tool_use", id=slot.id, name=slot.name)
    if slot.kind == "redacted":
        return Block(type="redacted_thinking", data=slot.data)
    return Block(type="thinking", signature="") if slot.kind == "thinking" else Block(type="text")
