"""What the decoders of SSE dialects share: events in, until one of them ends the stream."""

from abc import ABC, abstractmethod

from core import sse
from core.messages import Ping, StreamEvent, Usage


class WireDecoder(ABC):
    """A `base.StreamDecoder` over SSE. A dialect says what one event's data means, and what a missing end is."""

    def __init__(self) -> None:
        self._sse = sse.Decoder()
        self.usage = Usage()
        self.complete = False
        self._over = False

    def feed(self, chunk: bytes) -> list[StreamEvent]:
        """Events that are complete with this chunk; none after the end."""
        return self._take(self._sse.feed(chunk))

    def end(self) -> list[StreamEvent]:
        """The transport has ended."""
        events = self._take(self._sse.end())
        return events if self._over else events + self._ended()

    def _take(self, wire: list[sse.Event]) -> list[StreamEvent]:
        events: list[StreamEvent] = []
        for each in wire:
            if self._over:
                break
            if each.data is not None:
                events += self._read(each, each.data)
            elif each.raw.strip():  # a comment
                events.append(Ping())
        return events

    @abstractmethod
    def _read(self, wire: sse.Event, data: bytes) -> list[StreamEvent]:
        """What one event means; sets `_over` if it is the last."""

    @abstractmethod
    def _ended(self) -> list[StreamEvent]:
        """What to say when the transport ends before the stream did; sets `_over`."""
