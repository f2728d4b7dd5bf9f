"""Anthropic's stream passed through: what each event is."""

from core import sse
from core.dialects.anthropic_events import (
    NAMELESS,
    NO_REASON,
    Event,
    broken,
    event_name,
    is_nameless,
    opened_block,
    read_event,
)
from core.dialects.frames import Scan
from core.messages import StreamError, Usage

_PING = Scan("ping", ("ping",))
_OPENED = Scan("opening", ("block_start",))
_FILLED = Scan("content", ("block_start",))
_CONTENT = Scan("content", ("block_delta",))
_NOTHING = Scan("opening", ("block_delta",))
_CLOSED = Scan("other", ("block_stop",))
_EMPTY_BLOCKS = frozenset({"text", "thinking"})


class Scanner:
    """Reads every event that it knows, and lets the others pass."""

    def __init__(self) -> None:
        self.usage = Usage()
        self.stop_reason = ""
        self.complete = False
        self._index = -1

    def scan(self, event: sse.Event) -> Scan:
        data = event.data
        if data is None:
            return Scan("ping", hidden=bool(event.name))  # no event for who reads by the standard
        name = event.name
        if name == "ping":
            return _PING
        if name in {"", "message"}:
            if not data.strip():
                return Scan("ping", hidden=True)
            found = event_name(event)
            if found is None:
                return Scan("error", error=broken(None))
            name = found
        read = _SCANS.get(name)
        if read is None:
            return Scan("other")
        parsed = read_event(name, data)
        return read(self, parsed) if parsed else Scan("error", error=broken(name))

    def last_words(self, error: StreamError, after: bytes) -> bytes:  # noqa: ARG002
        return b""

    def _start(self, event: Event) -> Scan:
        self.usage = event.usage_over(self.usage)
        return Scan("opening", ("message_start",))

    def _block_start(self, event: Event) -> Scan:
        self._index += 1
        block = opened_block(event.content_block)
        if is_nameless(block):
            return Scan("error", error=NAMELESS)
        empty = block.type in _EMPTY_BLOCKS and not (block.text or block.thinking)
        return self._at_its_place(event, _OPENED if empty else _FILLED)

    def _block_delta(self, event: Event) -> Scan:
        delta = event.delta
        empty = delta.type in _OWN_DELTAS and not (
            delta.text or delta.thinking or delta.signature or delta.partial_json
        )
        return self._at_its_place(event, _NOTHING if empty else _CONTENT)

    def _block_stop(self, event: Event) -> Scan:
        return self._at_its_place(event, _CLOSED)

    def _at_its_place(self, event: Event, scan: Scan) -> Scan:
        if event.index == self._index or self._index < 0:  # without any block it is the order that is wrong
            return scan
        wrong = f"the provider sent index {event.index} where {self._index} was due"
        return Scan("error", error=StreamError("api_error", wrong))

    def _message_delta(self, event: Event) -> Scan:
        self.usage = event.usage_over(self.usage)
        self.stop_reason = event.delta.stop_reason or self.stop_reason
        return Scan("other", ("message_delta",))

    def _stop(self, _: Event) -> Scan:
        if not self.stop_reason:
            return Scan("error", error=NO_REASON)
        self.complete = True
        return Scan("terminal", ("message_stop",))

    def _error(self, event: Event) -> Scan:
        # One without a type is not seen by every client: it is said again.
        return Scan("error", ("error",) if event.type else (), StreamError(event.error.type, event.error.message))

    def _ping(self, _: Event) -> Scan:
        return _PING


_OWN_DELTAS = frozenset({"text_delta", "thinking_delta", "signature_delta", "input_json_delta"})
_SCANS = {
    "message_start": Scanner._start,
    "content_block_start": Scanner._block_start,
    "content_block_delta": Scanner._block_delta,
    "content_block_stop": Scanner._block_stop,
    "message_delta": Scanner._message_delta,
    "message_stop": Scanner._stop,
    "error": Scanner._error,
    "ping": Scanner._ping,
}
