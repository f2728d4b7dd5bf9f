"""JSON lines over bytes, without I/O (ndjson.org: one JSON text a line, lines end with LF).

    chunk ─ Decoder.feed ─▶ [line]     end ─▶ [what had no line end]

A CR before the LF is white space of JSON, and U+2028 or U+0085 inside JSON text are ordinary characters: only LF ends a
line. What a line says is not looked at here.
"""

from core.sse import MAX_EVENT, SSEError

#: Most bytes of one line, as of one event of the other streams.
MAX_LINE = MAX_EVENT


class Decoder:
    """Chunks of any size to lines without their ends; blank lines are left out. One a stream."""

    def __init__(self, max_line: int = MAX_LINE) -> None:
        self._parts: list[bytes] = []
        self._held = 0
        self._max = max_line

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that are complete with this chunk. SSEError if one grows over the limit."""
        whole, end, rest = chunk.rpartition(b"\n")
        if not end:
            self._hold(chunk)
            return []
        lines = b"".join([*self._parts, whole]).split(b"\n")
        if max(map(len, lines)) > self._max:
            raise self._too_long()
        self._parts, self._held = [], 0
        self._hold(rest)
        return [line for line in lines if line.strip()]

    def end(self) -> list[bytes]:
        """The transport has ended. A last line may lack its end: JSON says itself where an object ends, so a reader can
        tell one that was cut from one that is whole.
        """
        left = b"".join(self._parts)
        self._parts, self._held = [], 0
        return [left] if left.strip() else []

    def _hold(self, part: bytes) -> None:
        if part:
            self._parts.append(part)
            self._held += len(part)
        if self._held > self._max:
            raise self._too_long()

    def _too_long(self) -> SSEError:
        return SSEError(f"a line of the stream is longer than {self._max} bytes")
