"""The bytes of one answer, pure: where its head ends, what of the rest is payload, and when it is whole.

llhttp reads heads and chunks, as strictly as it can: a bare CR or LF, a folded line, a control character, two lengths,
a length beside chunks are no HTTP (RFC 9112, sections 2.2, 5.2, 6.3). A head ends with the first empty line, and llhttp
is fed no further; so what stands behind a whole answer is always seen. Payload with a length, or up to the end of the
connection, does not pass through it at all.
"""

from enum import Enum, auto

import httptools

#: Bytes before the payload: interim answers (1xx) and the head.
MAX_HEAD = 64 * 1024
#: Fields of a head, as many trailers, and the bytes of one field.
MAX_FIELDS, MAX_FIELD = 128, 8190
#: Bytes that may come with chunks beside their payload: this, and for each byte of payload so many more. The smallest
#: honest chunk is one byte in six.
SLACK, FRAMING = 1024 * 1024, 16
#: The end of a head.
_END = b"\r\n\r\n"
#: Statuses of answers without a body (RFC 9112, section 6.3); 101 ends HTTP on its connection.
_BODILESS = frozenset({101, 204, 304})
#: Stands where a parser was.
_NOBODY = httptools.HttpResponseParser(object())


class NotHttpError(ValueError):
    """What a provider sends cannot be read as an answer, or has no end. `payload` came before that."""

    payload = b""


class Phase(Enum):
    """What the next byte belongs to."""

    HEAD = auto()
    LENGTH = auto()
    CHUNKS = auto()
    CLOSE = auto()
    WHOLE = auto()


class Reader:
    """Reads one answer. `status` is 0 until the head is whole; `headers` has names in lower case."""

    def __init__(self) -> None:
        self.phase = Phase.HEAD
        self.status = 0
        self.headers: dict[str, str] = {}
        #: Whether a part of a head is here.
        self.begun = False
        #: Whether another request may use the connection, once this answer is whole.
        self.reusable = False
        self._parser = httptools.HttpResponseParser(self)
        self._parser.set_dangerous_leniencies(lenient_spaces_after_chunk_size=True)
        self._fields: list[tuple[bytes, bytes]] = []
        self._pieces: list[bytes] = []
        self._size = 0  # bytes of heads; then those of chunks
        self._left = 0  # bytes of payload to come; then those of chunks that have come
        self._last = b""  # the last bytes of an unfinished head or of chunks: their end may be in two reads
        self._head_ended = self._chunks_ended = False
        self._told, self._kept = 0, False  # what the head says: its status, and whether the connection may stay

    @property
    def whole(self) -> bool:
        """Whether all of the answer is here."""
        return self.phase is Phase.WHOLE

    def feed(self, data: bytes) -> bytes:
        """What of `data` is payload. NotHttpError ends it."""
        if self.phase is Phase.HEAD:
            data = self._head(data)
            if not data:
                return b""
        if self.phase is Phase.CHUNKS:
            return self._chunks(data)
        if self.phase is Phase.LENGTH:
            return self._counted(data)
        if self.phase is Phase.CLOSE:
            return data
        self.reusable = False  # bytes behind a whole answer, which nobody asked for (RFC 9112, section 6.3)
        return b""

    def end(self) -> bool:
        """The connection has ended without an error: whether the answer is whole."""
        if self.phase is Phase.CLOSE:
            self.phase = Phase.WHOLE
        return self.phase is Phase.WHOLE

    def close(self) -> None:
        """Nothing more is fed. It and its parser know each other: so they need not wait for the garbage collector."""
        self._parser = _NOBODY

    # Heads

    def _head(self, data: bytes) -> bytes:
        """What stands behind the head's end. Interim answers before it are read and forgotten."""
        while data:
            end = (self._last + data).find(_END) + len(_END) - len(self._last)
            if end < len(_END) - len(self._last):  # it is not there
                end = len(data)
            part, data = data[:end], data[end:]
            self._size += len(part)
            if self._size > MAX_HEAD:
                raise NotHttpError("too much before the answer")
            self.begun = True
            self._parse(part)
            if not self._head_ended:
                self._last = (self._last + part)[-3:]
                continue
            status = self._told
            if status < 100:
                raise NotHttpError("no status")
            if status >= 200 or status in _BODILESS:
                self._begin_body(status)
                return data
            self.begun, self._head_ended, self._last = False, False, b""
            self._fields.clear()
        return b""

    def _parse(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserUpgrade, httptools.HttpParserError) as exc:
            if self._told != 101:  # whose head is whole, and the last HTTP on its connection
                raise NotHttpError(str(exc)) from exc
        if len(self._fields) > MAX_FIELDS:
            raise NotHttpError("too many fields")

    def _begin_body(self, status: int) -> None:
        """How the payload's end is told: RFC 9112, section 6.3."""
        headers = self.headers = _named(self._fields)
        self._fields.clear()
        self._last, self._size = b"", 0
        self.reusable = self._kept
        coding, length = headers.get("transfer-encoding"), headers.get("content-length")
        if status in _BODILESS:
            self.phase, self.reusable = Phase.WHOLE, self.reusable and status != 101
        elif coding is not None:
            chunked = coding.lower() == "chunked"
            self.phase = Phase.CHUNKS if chunked else Phase.CLOSE
            # Older versions know no codings (RFC 9112, section 6.1).
            self.reusable = self.reusable and chunked and self._parser.get_http_version() == "1.1"
        elif length is None:
            self.phase = Phase.CLOSE
        elif not length.isdecimal():
            raise NotHttpError("no length")
        else:
            self._left = int(length)
            self.phase = Phase.LENGTH if self._left else Phase.WHOLE
        self.status = status

    # Bodies

    def _counted(self, data: bytes) -> bytes:
        left = self._left = self._left - len(data)
        if left > 0:
            return data
        self.phase = Phase.WHOLE
        if left < 0:
            self.reusable = False
            return data[:left]
        return data

    def _chunks(self, data: bytes) -> bytes:
        try:
            self._parse(data)
        except NotHttpError as exc:
            if not self._chunks_ended:
                exc.payload = self._taken()
                raise
            self.reusable = False  # what is no HTTP came behind the whole answer
        payload = self._taken()
        self._size += len(data)
        self._left += len(payload)
        if self._size > SLACK + FRAMING * self._left:
            raise NotHttpError("too much around the payload")
        self._last = (self._last + data)[-5:] if len(data) < 5 else data[-5:]
        if self._chunks_ended:
            self.phase = Phase.WHOLE
            # The line before the empty one that ends it all is not empty: else line ends follow, which llhttp skips.
            self.reusable = self.reusable and self._last.endswith(_END) and self._last[:1] not in b"\r\n"
        return payload

    def _taken(self) -> bytes:
        pieces = self._pieces
        payload = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        return payload

    # What llhttp calls

    def on_message_begin(self) -> None:
        if self._chunks_ended:  # another answer begins, which answers nothing
            self.reusable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        self._head_ended = True
        self._told = self._parser.get_status_code()
        self._kept = self._parser.should_keep_alive()  # it forgets that when there is no body

    def on_body(self, body: bytes) -> None:
        if not self._chunks_ended:
            self._pieces.append(body)

    def on_message_complete(self) -> None:
        self._chunks_ended = self.phase is Phase.CHUNKS


def _named(fields: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """Fields by their names in lower case. One that came twice is a list (RFC 9110, section 5.3)."""
    headers: dict[str, str] = {}
    for name, value in fields:
        if len(name) + len(value) > MAX_FIELD:
            raise NotHttpError("a long field")
        key, text = name.decode("latin-1").lower(), value.decode("latin-1").strip(" \t")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers
