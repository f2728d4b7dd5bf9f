"""One answer's bytes, however they are cut: its status, headers and payload, its end, and what is no answer."""

from collections.abc import Iterator

import pytest

from core.upstream.reading import MAX_FIELD, MAX_FIELDS, MAX_HEAD, NotHttpError, Reader

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
LATE = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"


def ways(data: bytes) -> Iterator[list[bytes]]:
    """Whole, byte by byte, and cut at each byte."""
    yield [data]
    yield [bytes([byte]) for byte in data]
    yield from ([data[:cut], data[cut:]] for cut in range(1, len(data)))


def read(parts: list[bytes]) -> tuple[int, bytes, bool, bool]:
    """(status, payload, whole without the connection's end, reusable)."""
    reader, payload = Reader(), b""
    for part in parts:
        payload += reader.feed(part)
    return reader.status, payload, reader.whole, reader.reusable


ANSWERS: dict[str, tuple[bytes, tuple[int, bytes, bool, bool]]] = {
    "a length": (HEAD + b"Content-Length: 5\r\n\r\nhello", (200, b"hello", True, True)),
    "an empty body": (HEAD + b"Content-Length: 0\r\n\r\n", (200, b"", True, True)),
    "line ends as payload": (HEAD + b"Content-Length: 8\r\n\r\n\r\n\r\n\r\n\r\n", (200, b"\r\n" * 4, True, True)),
    "chunks": (CHUNKED + b"5\r\nhello\r\n1;a=b\r\n!\r\n0\r\n\r\n", (200, b"hello!", True, True)),
    "a space behind a size": (CHUNKED + b"5 \r\nhello\r\n0\r\n\r\n", (200, b"hello", True, True)),
    "no chunks": (CHUNKED + b"0\r\n\r\n", (200, b"", True, True)),
    "a trailer": (CHUNKED + b"1\r\na\r\n0\r\nX-Sum:\r\n\r\n", (200, b"a", True, True)),
    "line ends in a chunk": (CHUNKED + b"4\r\n\r\n\r\n\r\n0\r\n\r\n", (200, b"\r\n\r\n", True, True)),
    "in capitals": (
        b"HTTP/1.1 200 OK\r\nTRANSFER-ENCODING: CHUNKED \r\n\r\n1\r\na\r\n0\r\n\r\n", (200, b"a", True, True)
    ),
    "to the end": (HEAD + b"\r\nhello", (200, b"hello", False, False)),
    "another coding": (HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n1\r\na", (200, b"1\r\na", False, False)),
    "codings in two lines": (
        HEAD + b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na", (200, b"1\r\na", False, False)
    ),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n", (204, b"", True, True)),
    "not modified": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", (304, b"", True, True)),
    "another protocol": (
        b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", (101, b"", True, False)
    ),
    "another protocol, unsaid": (b"HTTP/1.1 101 Switching\r\n\r\n", (101, b"", True, False)),
    "interim answers": (LATE + LATE + HEAD + b"Content-Length: 1\r\n\r\na", (200, b"a", True, True)),
    "lines before it": (b"\r\n\r\n" + HEAD + b"Content-Length: 1\r\n\r\na", (200, b"a", True, True)),
    "no headers": (b"HTTP/1.1 500 Oops\r\n\r\n", (500, b"", False, False)),
    "no reason": (b"HTTP/1.1 200\r\nContent-Length: 1\r\n\r\na", (200, b"a", True, True)),
    "close": (HEAD + b"Connection: close\r\nContent-Length: 1\r\n\r\na", (200, b"a", True, False)),
    "close and chunks": (
        CHUNKED[:-2] + b"Connection: close\r\n\r\n1\r\na\r\n0\r\n\r\n", (200, b"a", True, False)
    ),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na", (200, b"a", True, False)),
    "HTTP/1.0 kept": (
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\na", (200, b"a", True, True)
    ),
    "HTTP/1.0 with chunks": (
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
        (200, b"a", True, False),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_the_same_however_it_is_cut(name: str) -> None:
    data, expected = ANSWERS[name]
    for parts in ways(data):
        assert read(parts) == expected, parts


@pytest.mark.parametrize("name", [name for name, (_, answer) in ANSWERS.items() if answer[2]])
@pytest.mark.parametrize(
    "more", [b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"x", b"\0", HEAD, HEAD + b"Content-Length: 1\r\n\r\nb"]
)
def test_what_comes_behind_an_answer_is_no_part_of_it_and_ends_its_connection(name: str, more: bytes) -> None:
    data, (status, payload, _, _) = ANSWERS[name]
    for cut in range(1, len(data) + 1):
        assert read([data[:cut], data[cut:] + more]) == (status, payload, True, False), cut


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_that_ends_too_early_is_not_whole(name: str) -> None:
    data, (_, payload, whole, _) = ANSWERS[name]
    for cut in range(len(data)):
        reader = Reader()
        reader.feed(data[:cut])
        begins_body = not whole and bool(reader.status)
        assert reader.end() is begins_body, cut
    reader = Reader()
    assert reader.feed(data) == payload
    assert reader.end()


WRONG = {
    "another protocol": b"SSH-2.0-OpenSSH_9\r\n\r\n",
    "a page": b"<html>\r\n\r\n",
    "a low status": b"HTTP/1.1 099 Low\r\n\r\n",
    "a long status": b"HTTP/1.1 2000 OK\r\n\r\n",
    "a bare LF": b"HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
    "bare LFs": b"HTTP/1.1 200 OK\n\nhello\r\n\r\n",
    "a bare CR": HEAD + b"A: b\rC: d\r\n\r\n",
    "a folded line": HEAD + b"A: b\r\n c\r\n\r\n",
    "a folded line, by a tab": HEAD + b"Content-Length: 1\r\n\t0\r\n\r\n",
    "a NUL": HEAD + b"A: \0\r\n\r\n",
    "an escape": HEAD + b"A: \x1b[31m\r\n\r\n",
    "a DEL": HEAD + b"A: \x7f\r\n\r\n",
    "a space before the colon": HEAD + b"A : b\r\n\r\n",
    "no name": HEAD + b": b\r\n\r\n",
    "two lengths": HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
    "two equal lengths": HEAD + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\n",
    "a list of lengths": HEAD + b"Content-Length: 1, 1\r\n\r\n",
    "a negative length": HEAD + b"Content-Length: -1\r\n\r\n",
    "a length that is none": HEAD + b"Content-Length: 1x\r\n\r\n",
    "an endless length": HEAD + b"Content-Length: 1" + b"0" * 30 + b"\r\n\r\n",
    "a length and chunks": CHUNKED[:-2] + b"Content-Length: 1\r\n\r\n",
    "chunks and a length": HEAD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    "a size that is none": CHUNKED + b"zz\r\n",
    "a negative size": CHUNKED + b"-1\r\n",
    "an endless size": CHUNKED + b"1" + b"0" * 16 + b"\r\n",
    "a chunk that is too long": CHUNKED + b"1\r\nab\r\n",
    "a size that ends with LF": CHUNKED + b"1\na\r\n",
    "a chunk that ends with LF": CHUNKED + b"1\r\na\n0\r\n\r\n",
    "a folded trailer": CHUNKED + b"0\r\nA: b\r\n c\r\n\r\n",
    "too many fields": HEAD + b"A: b\r\n" * (MAX_FIELDS + 1) + b"\r\n",
    "a field that is too long": HEAD + b"A: " + b"b" * MAX_FIELD + b"\r\n\r\n",
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_answer_is_refused_however_it_is_cut(name: str) -> None:
    data = WRONG[name]
    for parts in ways(data) if len(data) < 1000 else [[data], [data[:500], data[500:]]]:
        with pytest.raises(NotHttpError):
            read(parts)


def test_what_came_before_a_bad_chunk_is_still_good() -> None:
    for parts in ways(CHUNKED + b"2\r\nab\r\n1\r\nc\r\nzz\r\n"):
        assert read_until_wrong(parts) == b"abc"


def read_until_wrong(parts: list[bytes]) -> bytes:
    """The payload before it."""
    reader, payload = Reader(), b""
    try:
        for part in parts:
            payload += reader.feed(part)
    except NotHttpError as wrong:
        return payload + wrong.payload
    raise AssertionError(parts)


def test_heads_have_an_end_whatever_they_are_made_of() -> None:
    fits = LATE * ((MAX_HEAD - 100) // len(LATE)) + HEAD + b"Content-Length: 0\r\n\r\n"
    assert read([fits])[0] == 200
    for part in (LATE, b"\r\n\r\n"):
        with pytest.raises(NotHttpError):
            read([part] * (MAX_HEAD // len(part) + 1))


def test_as_many_fields_as_there_may_be() -> None:
    field = b"A: " + b"b" * (MAX_FIELD - 1) + b"\r\n"
    reader = Reader()
    reader.feed(HEAD + field + b"B: c\r\n" * (MAX_FIELDS - 1) + b"\r\n")
    assert (reader.status, len(reader.headers["a"])) == (200, MAX_FIELD - 1)
