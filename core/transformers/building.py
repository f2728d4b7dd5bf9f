"""Blocks of a changed answer: indices from 0 without a gap, one open at a time."""

from typing import Literal

from core.messages import Block, BlockDelta, BlockStart, BlockStop, StreamEvent

DeltaKind = Literal["text", "thinking", "signature", "input_json"]


class Building:
    """What a `Change` makes. Each method gives the events that are due."""

    def __init__(self) -> None:
        self._index = -1
        #: Type of the open block; empty if none is.
        self.open = ""

    def start(self, block: Block) -> list[StreamEvent]:
        """A new block; the one before it is closed."""
        closed = self.stop()
        self._index += 1
        self.open = block.type
        return [*closed, BlockStart(self._index, block)]

    def delta(self, kind: DeltaKind, data: str) -> list[StreamEvent]:
        """More of the open block."""
        return [BlockDelta(self._index, kind, data)]

    def piece(self, kind: Literal["text", "thinking"], data: str) -> list[StreamEvent]:
        """More text or thinking, in a block of that type: the open one, or else a new one. Nothing opens none."""
        if not data:
            return []
        block = Block(type=kind, signature="" if kind == "thinking" else None)
        return [*(self.start(block) if self.open != kind else []), *self.delta(kind, data)]

    def stop(self) -> list[StreamEvent]:
        """Close the open block, if one is."""
        if not self.open:
            return []
        self.open = ""
        return [BlockStop(self._index)]
