"""Blocks of an answer whose pieces come in order: text and thinking in pieces, tool calls whole.

For dialects that never interleave; OpenAI's do (`openai_slots`).
"""

from typing import Literal

from msgspec import Raw

from core.messages import Block, BlockDelta, BlockStart, BlockStop, StreamEvent


class Blocks:
    """The blocks of one stream. Each method returns the events that are due; one block is open at a time."""

    def __init__(self) -> None:
        self._next = 0
        self._open = ""
        self.tool_used = False

    def add_text(self, kind: Literal["text", "thinking"], text: str) -> list[StreamEvent]:
        """A piece of text or of thinking; a block of its own where the other kind came before."""
        if not text:
            return []
        events: list[StreamEvent] = []
        if self._open != kind:
            block = Block(type="thinking", signature="") if kind == "thinking" else Block(type="text")
            events = [*self.close(), BlockStart(self._next, block)]
            self._open = kind
        return [*events, BlockDelta(self._next, kind, text)]

    def add_call(self, id: str, name: str, arguments: Raw) -> list[StreamEvent]:
        """A whole call; `arguments` is a JSON object."""
        self.tool_used = True
        events: list[StreamEvent] = [
            *self.close(),
            BlockStart(self._next, Block(type="tool_use", id=id, name=name)),
            BlockDelta(self._next, "input_json", bytes(arguments).decode()),
        ]
        self._open = "tool_use"
        return events + self.close()

    def close(self) -> list[StreamEvent]:
        """The open block ends, if there is one."""
        if not self._open:
            return []
        self._open = ""
        self._next += 1
        return [BlockStop(self._next - 1)]
