"""A provider's stream on its way to the client: checked, translated if need be, cut into frames.

Same dialect: the bytes pass as they came, the scanner says what each event is, the grammar checks the order.
Other dialect: decoder, grammar, encoder. Either way a stream that breaks the grammar, or ends without its terminal
marker, ends here with an error frame, and a terminal marker is only ever the provider's own.
"""

from typing import Protocol

from core import sse
from core.dialects.alike import Alike, is_utf8
from core.dialects.base import Dialect, Origin
from core.dialects.frames import Frame, FrameKind
from core.dialects.sealing import Sealing
from core.dialects.whole import through
from core.grammar import Grammar, GrammarViolation, Order
from core.messages import (
    BlockDelta,
    BlockStart,
    MessageDelta,
    MessageStart,
    MessageStop,
    Ping,
    Request,
    StreamError,
    StreamEvent,
    Usage,
)

__all__ = ["Frame", "FrameKind", "Relay", "make_relay"]


class Relay(Protocol):
    """One stream."""

    @property
    def usage(self) -> Usage:
        """What the provider has said so far."""
        ...

    @property
    def stop_reason(self) -> str:
        """Anthropic's word for why the answer ended; empty as long as it is not known."""
        ...

    @property
    def complete(self) -> bool:
        """The provider has said that the answer is whole, and nothing was wrong with it."""
        ...

    @property
    def over(self) -> bool:
        """A terminal or an error frame has been given: nothing more comes, whatever is fed."""
        ...

    def feed(self, chunk: bytes) -> list[Frame]: ...

    def end(self) -> list[Frame]:
        """The transport has ended; an error frame if the answer had not."""
        ...

    def fail(self, type: str, message: str) -> bytes:
        """An error event of ours (a time-out, a drain) in the client's dialect; the stream is over with it."""
        ...


def make_relay(origin: Origin, client: Dialect, request: Request) -> Relay:
    """The relay for a stream to a client. One of the client's own dialect passes as it is unless it is changed."""
    if origin.dialect.name == client.name and not origin.changes:
        return _PassThrough(client, request)
    return _Translation(origin, client, request)


class _Ending:
    """What both relays share: the end, in the client's dialect."""

    def __init__(self, client: Dialect, request: Request) -> None:
        self._encoder = client.stream_encoder(request)
        self.over = self.failed = False

    def fail(self, type: str, message: str) -> bytes:
        self.over = self.failed = True
        return self._encoder.encode(StreamError(type, message))

    def _error(self, error: StreamError) -> Frame:
        return Frame("error", self.fail(error.type, error.message), error.type, error.message)

    def _broken(self, why: Exception) -> Frame:
        return self._error(StreamError("api_error", f"the provider's stream is broken: {why}"))


#: What an event that leaves a stream where it is amounts to.
_ONLY_A_DELTA = ("block_delta",)


class _PassThrough(_Ending):
    def __init__(self, dialect: Dialect, request: Request) -> None:
        super().__init__(dialect, request)
        self._sse = sse.Decoder()
        self._alike = Alike()
        self._order = Order()
        self._scanner = dialect.stream_scanner(request)
        self._last = b""

    def fail(self, type: str, message: str) -> bytes:
        self.over = self.failed = True
        error = StreamError(type, message)
        return self._scanner.last_words(error, self._last) or self._encoder.encode(error)

    @property
    def usage(self) -> Usage:
        return self._scanner.usage

    @property
    def stop_reason(self) -> str:
        return self._scanner.stop_reason

    @property
    def complete(self) -> bool:
        return self._scanner.complete and not self.failed

    def feed(self, chunk: bytes) -> list[Frame]:
        if self.over:
            return []
        if self._alike.has(chunk) and not self._sse.pending:
            self._last = chunk
            return [Frame("content", chunk)]
        try:
            return self._frames(self._sse.feed(chunk))
        except sse.SSEError as exc:
            return [self._broken(exc)]

    def end(self) -> list[Frame]:
        if self.over:
            return []
        frames = self._frames(self._sse.end())
        if not self.complete and not any(frame.kind == "error" for frame in frames):
            cut = StreamError("api_error", "the provider's stream ended in the middle of the answer")
            frames.append(self._error(cut))
        self.over = True
        return frames

    def _frames(self, events: list[sse.Event]) -> list[Frame]:
        frames: list[Frame] = []
        for event in events:
            if self.over:
                break
            if frame := self._frame(event):
                frames.append(frame)
        return frames

    def _frame(self, event: sse.Event) -> Frame | None:
        if not (event.raw.isascii() or is_utf8(event.raw)):
            return self._broken(ValueError("it is not UTF-8"))
        scan = self._scanner.scan(event)
        try:
            for step in scan.steps:
                self._order.step(step)
        except GrammarViolation as exc:
            return self._broken(exc)
        kind, raw = scan.kind, sse.without_reconnecting(event.raw)
        if kind == "content" and scan.steps == _ONLY_A_DELTA and not (scan.hidden or self._scanner.complete):
            self._alike.learn(raw)
            self._last = raw
        else:
            self._alike.forget()
        if scan.error:
            # The provider's own error event passes as it is; a fault that we found gets one of ours.
            ours = self.fail(scan.error.type, scan.error.message)
            data = raw if scan.steps else ours
            return Frame("error", data, scan.error.type, scan.error.message)
        self.over = kind == "terminal"
        return None if scan.hidden else Frame(kind, raw)


class _Translation(_Ending):
    def __init__(self, origin: Origin, client: Dialect, request: Request) -> None:
        super().__init__(client, request)
        self._decoder = origin.dialect.stream_decoder()
        self._grammar = Grammar()
        self._changes = origin.changes
        self._changed = Grammar()
        self._sealing = None if origin.dialect.name == client.name else Sealing(origin.name)
        self._content = False
        self._model = request.model
        self.stop_reason = ""

    @property
    def usage(self) -> Usage:
        return self._decoder.usage

    @property
    def complete(self) -> bool:
        return self._decoder.complete and not self.failed

    def feed(self, chunk: bytes) -> list[Frame]:
        if self.over:
            return []
        try:
            return self._frames(self._decoder.feed(chunk))
        except sse.SSEError as exc:
            return [self._broken(exc)]

    def end(self) -> list[Frame]:
        if self.over:
            return []
        frames = self._frames(self._decoder.end())
        self.over = True
        return frames

    def _frames(self, events: list[StreamEvent]) -> list[Frame]:
        frames: list[Frame] = []
        for event in events:
            if self.over:
                break
            try:
                self._grammar.check(event)
                if self._changes:
                    frames += self._put_through(event)
                else:
                    self._put(event, frames)
            except GrammarViolation as exc:
                frames.append(self._broken(exc))
        return frames

    def _put_through(self, event: StreamEvent) -> list[Frame]:
        """Changes are held to the grammar like providers."""
        frames: list[Frame] = []
        for after in through(self._changes, [event]):
            if self.over:
                break
            self._changed.check(after)
            self._put(after, frames)
        return frames

    def _put(self, event: StreamEvent, frames: list[Frame]) -> None:
        for sealed in self._sealing.take(event) if self._sealing else (event,):
            frame = self._frame(sealed)
            if frame.data:
                frames.append(frame)

    def _frame(self, event: StreamEvent) -> Frame:
        if isinstance(event, StreamError):
            return self._error(event)
        self._note(event)
        return Frame(self._kind(event), self._encoder.encode(event))

    def _note(self, event: StreamEvent) -> None:
        match event:
            case MessageStart():
                event.model = event.model or self._model
            case MessageDelta():
                self.stop_reason = event.stop_reason
            case MessageStop():
                self.over = True

    def _kind(self, event: StreamEvent) -> FrameKind:
        if isinstance(event, Ping):
            return "ping"
        if isinstance(event, MessageStop):
            return "terminal"
        started = isinstance(event, BlockStart) and event.block.type not in {"text", "thinking"}
        if started or (isinstance(event, BlockDelta) and event.data and event.kind != "signature"):
            self._content = True
            return "content"
        return "other" if self._content else "opening"
