"""The items of a Responses stream, perhaps interleaved, to blocks of which one is open at a time.

Items are given in the order in which they began. The first unfinished one streams, pieces of later ones wait; an item
is finished when the provider says so, everything when the stream ends.
"""

from dataclasses import dataclass, field
from typing import Literal

from core.messages import Block, BlockDelta, BlockStart, BlockStop, StreamEvent

Kind = Literal["text", "thinking", "signature", "input_json"]


@dataclass
class Piece:
    """One block of an item as far as it is known: what it begins as, what is to be sent, what was."""

    block: Block
    waiting: list[tuple[Kind, str]] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    opened: bool = False
    finished: bool = False

    def add(self, kind: Kind, text: str) -> None:
        if text:
            self.waiting.append((kind, text))
            self.sent.append(text)

    def complete(self, kind: Kind, whole: str) -> None:
        """What `whole` says beyond the pieces: a provider may leave all of them out, or the last."""
        said = "".join(self.sent)
        if whole.startswith(said):
            self.add(kind, whole[len(said) :])


class Line:
    """The blocks of one answer, in their order."""

    def __init__(self) -> None:
        self._pieces: list[Piece] = []
        self._front = 0

    def begin(self, block: Block) -> Piece:
        """A further block; it opens when all before it are finished."""
        piece = Piece(block)
        self._pieces.append(piece)
        return piece

    def due(self) -> list[StreamEvent]:
        """The events that can be given now."""
        events: list[StreamEvent] = []
        while self._front < len(self._pieces):
            piece = self._pieces[self._front]
            if not piece.opened:
                piece.opened = True
                events.append(BlockStart(self._front, piece.block))
            events += [BlockDelta(self._front, kind, text) for kind, text in piece.waiting]
            piece.waiting = []
            if not piece.finished:
                break
            events.append(BlockStop(self._front))
            self._front += 1
        return events

    def close(self) -> list[StreamEvent]:
        """The end: everything that waits, every block closed."""
        for piece in self._pieces[self._front :]:
            piece.finished = True
        return self.due()
