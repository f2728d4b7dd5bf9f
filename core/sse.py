"""Server-sent events over bytes, without I/O (WHATWG HTML, section 9.2 "Server-sent events").

    chunk ─ Decoder.feed ─▶ [Event]     Event.raw joined over a stream is the stream, byte for byte, without its BOM
    event, data ─ encode ─▶ bytes

A line ends with CR, LF or CRLF and with nothing else: U+2028 or U+0085 inside JSON text are ordinary characters.
`id` and `retry` are for reconnecting, which no client of ours does: `without_reconnecting` takes them out.
"""

import re
from typing import NamedTuple

#: Most bytes of one event. A tool call with a whole file in its arguments stays far below.
MAX_EVENT = 16 * 1024 * 1024

_BOM = b"\xef\xbb\xbf"
# Atomic, so that CRLF is never read as an empty line between a CR and an LF.
_BLANK_LINE = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")
_LINE_END = re.compile(rb"\r\n|\n|\r")
_RECONNECTING = re.compile(rb"(?m)(?:^|(?<=\r))(?:id|retry)(?::[^\r\n]*+)?(?:\r\n|\n|\r)")
_LONGEST_BLANK = len(b"\r\n\r\n")


class SSEError(ValueError):
    """The bytes cannot be a stream of events that anybody should buffer."""


class Event(NamedTuple):
    """One event. `data` is None for a block without data lines (comments, blank lines): a sign of life, no content.

    `name` is the `event` field, empty if there was none. `raw` is the block as it came, its blank line included; only a
    BOM before the first is left out.
    """

    name: str
    data: bytes | None
    raw: bytes


class Decoder:
    """Chunks of any size to events. One a stream."""

    def __init__(self, max_event: int = MAX_EVENT) -> None:
        self._buffer = bytearray()
        self._max = max_event
        self._searched = 0
        self._only_lf = True
        self._begun = False

    @property
    def pending(self) -> bool:
        """An event has begun, and what is fed next belongs to it."""
        return bool(self._buffer)

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that are complete with this chunk. SSEError if one grows over the limit."""
        buffer: bytes | bytearray = chunk
        if self._buffer:
            self._buffer += chunk
            buffer = self._buffer
        self._only_lf = self._only_lf and b"\r" not in chunk
        events = []
        start, search = 0, self._searched
        while (end := _end_of_block(buffer, search, only_lf=self._only_lf)) != -1:
            events.append(self._block(bytes(buffer[start:end])))
            start = search = end
        if buffer is chunk:
            self._buffer += chunk[start:]
        else:
            del self._buffer[:start]
        if len(self._buffer) > self._max:
            raise self._too_long()
        # A blank line may have begun at the end of what was searched.
        self._searched = max(0, len(self._buffer) - _LONGEST_BLANK + 1)
        return events

    def end(self) -> list[Event]:
        """The transport has ended. What is left is no event without its blank line; the standard drops it.

        Nothing tells an event that was cut from one whose blank line a server left out: half a terminal marker must not
        become a whole one.
        """
        left = bytes(self._buffer)
        self._buffer.clear()
        self._searched = 0
        if not left.strip(b"\r\n"):
            return [Event("", None, left)] if left else []
        return [self._block(left)] if _BLANK_LINE.search(left) else []

    def _block(self, raw: bytes) -> Event:
        if len(raw) > self._max:
            raise self._too_long()
        if self._begun:
            return parse(raw)
        self._begun = True
        # Not kept in `raw` either: to the SDKs it is part of the first field's name, and they lose the first event.
        return parse(raw.removeprefix(_BOM))  # a BOM anywhere else is part of a field's name

    def _too_long(self) -> SSEError:
        return SSEError(f"an event of the stream is longer than {self._max} bytes")


def _end_of_block(buffer: bytes | bytearray, start: int, *, only_lf: bool) -> int:
    """Offset just after the next blank line, -1 if there is none yet."""
    if only_lf:
        found = buffer.find(b"\n\n", start)
        return found + 2 if found >= 0 else -1
    found = buffer.find(b"\r\n\r\n", start)
    if found >= 0 and buffer.find(b"\r", start) == found and buffer.find(b"\n", start) == found + 1:
        return found + 4  # one line, as servers send it that end lines with CRLF
    match = _BLANK_LINE.search(buffer, start)
    # The chunk may end inside the last CRLF: its LF belongs to this event and is on its way.
    if not match or (match.end() == len(buffer) and match[0] == b"\r\n\r"):
        return -1
    return match.end()


def parse(raw: bytes) -> Event:
    """One block to an event. Unknown fields are ignored, several data lines are joined by LF."""
    if common := _common(raw):
        return common
    name = ""
    data: list[bytes] = []
    for line in _LINE_END.split(raw):
        field, _, value = line.partition(b":")
        if field == b"data":
            data.append(value.removeprefix(b" "))
        elif field == b"event":
            name = value.removeprefix(b" ").decode("utf-8", "replace")
    return Event(name, b"\n".join(data) if data else None, raw)


def _common(raw: bytes) -> Event | None:
    """The shapes that providers really send, without splitting: one data line, perhaps after an event line."""
    if raw.endswith(b"\r\n\r\n"):
        one = raw.startswith(b"data: ") and raw.find(b"\r") == len(raw) - 4 and raw.find(b"\n") == len(raw) - 3
        return Event("", raw[6:-4], raw) if one else None
    named = raw.startswith(b"event: ")
    line = raw.find(b"\n") + 1 if named else 0
    if not raw.startswith(b"data: ", line) or raw.find(b"\n", line) != len(raw) - 2 or b"\r" in raw:
        return None
    return Event(raw[7 : line - 1].decode("utf-8", "replace") if named else "", raw[line + 6 : -2], raw)


def without_reconnecting(raw: bytes) -> bytes:
    """The block without its `id` and `retry` lines.

    A client has no use for them, and after an `id` OpenAI's SDK takes every blank line, a comment's too, for an event.
    """
    # A look costs little; nearly no provider sends them.
    if not (b"\nid" in raw or b"\nretry" in raw or b"\r" in raw or raw.startswith((b"id", b"retry"))):
        return raw
    return _RECONNECTING.sub(b"", raw)


def encode(data: bytes, name: str = "") -> bytes:
    """An event's bytes. `data` is one line: JSON as msgspec writes it has no raw line ends."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), data) if name else b"data: %b\n\n" % data


def comment(text: str = "") -> bytes:
    """A comment block: keeps a connection alive, carries nothing."""
    return b": %b\n\n" % text.encode()
