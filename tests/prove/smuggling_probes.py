"""Requests that two parsers may read differently, as a table. Behind each of them a second request is hidden.

Sources: RFC 9112 (sections 2.2, 3, 5, 6, 7, 9.6, 11), RFC 9110 (sections 5.6, 7.2, 7.8, 10.1.1).
"""

from collections.abc import Iterator
from enum import Enum
from typing import Final, NamedTuple

#: What is hidden: its answer would hold `WORD`.
PATH, WORD = b"/api/hello", b'"hello"'
HIDDEN: Final = b"GET " + PATH + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"
BODY: Final = b'{"model":"auto","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}'
LINE: Final = b"POST /v1/messages HTTP/1.1\r\n"
HOST: Final = b"Host: localhost\r\n"
HEAD: Final = LINE + HOST + b"Content-Type: application/json\r\n"
LENGTH: Final = b"Content-Length: %d\r\n" % len(BODY)
TE: Final = b"Transfer-Encoding: chunked\r\n"
CHUNKS: Final = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
#: A whole body of length zero in chunks, then what is hidden.
EMPTY: Final = b"0\r\n\r\n" + HIDDEN


#: What comes behind it all where the connection may go on, and its answer.
LAST, LIVE = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", b'{"status":"ok"}'


class Due(Enum):
    """What an honest server does with a probe."""

    #: Answers 4xx or nothing, once, and closes; what is hidden is never answered.
    REFUSED = "refused"
    #: As REFUSED, or waits for the rest.
    UNFINISHED = "unfinished"
    #: What is hidden is inside a body: 4xx, then the answer to `LAST`.
    BODY = "body"
    #: Nothing is odd: three answers. This shows that the judge sees what is behind the first request.
    SERVED = "served"


class Probe(NamedTuple):
    """`data` is all that is sent, what is hidden and what is last included."""

    name: str
    why: str
    data: bytes
    due: Due = Due.REFUSED


def _both() -> Iterator[Probe]:
    """Lengths that disagree: RFC 9112, section 6.3."""
    disagree = "RFC 9112, 6.3: a sender must not send both; whoever believes the other one is desynchronised"
    yield Probe("CL.TE", disagree, HEAD + b"Content-Length: 5\r\n" + TE + b"\r\n" + EMPTY)
    yield Probe(
        "TE.CL", disagree, HEAD + TE + b"Content-Length: 4\r\n\r\n" + b"%x\r\n" % len(HIDDEN) + HIDDEN + b"\r\n" + EMPTY
    )
    yield Probe("CL.TE, body of the length", disagree, HEAD + LENGTH + TE + b"\r\n" + BODY + HIDDEN)
    yield Probe("TE before CL of zero", disagree, HEAD + TE + b"Content-Length: 0\r\n\r\n" + EMPTY)
    twice = "RFC 9112, 6.3, rule 5: differing lengths are unrecoverable"
    yield Probe("two lengths", twice, HEAD + LENGTH + b"Content-Length: 0\r\n\r\n" + BODY + HIDDEN)
    yield Probe(
        "two lengths, the shorter first", twice, HEAD + b"Content-Length: 0\r\n" + LENGTH + b"\r\n" + BODY + HIDDEN
    )
    yield Probe("two equal lengths", twice, HEAD + LENGTH + LENGTH + b"\r\n" + BODY + HIDDEN)
    yield Probe(
        "a list of lengths", twice, HEAD + b"Content-Length: %d, %d\r\n\r\n" % (len(BODY), len(BODY)) + BODY + HIDDEN
    )
    yield Probe(
        "a list of differing lengths", twice, HEAD + b"Content-Length: 0, %d\r\n\r\n" % len(BODY) + BODY + HIDDEN
    )


def _lengths() -> Iterator[Probe]:
    """RFC 9110, section 8.6: 1*DIGIT and nothing else."""
    size = len(BODY)
    values = {
        "a plus": b"+%d" % size,
        "a minus": b"-%d" % size,
        "minus zero": b"-0",
        "hexadecimal": b"0x%x" % size,
        "a fraction": b"%d.0" % size,
        "an exponent": b"1e1",
        "an underscore": b"7_5",
        "1e20 in digits": b"1" + b"0" * 20,
        "2^64": b"18446744073709551616",
        "2^64 and the body": b"%d" % (2**64 + size),
        "nothing": b"",
        "a space inside": b"7 5",
        "a NUL behind": b"%d\0" % size,
        "a vertical tab behind": b"%d\x0b" % size,
        "quotes": b'"%d"' % size,
        "Arabic digits": "٧٥".encode(),
        "a semicolon": b"%d;q=1" % size,
        "a comma": b"%d," % size,
    }
    for name, value in values.items():
        yield Probe(
            f"length: {name}",
            "RFC 9110, 8.6: 1*DIGIT",
            HEAD + b"Content-Length: " + value + b"\r\n\r\n" + BODY + HIDDEN,
        )
    for name, line in {
        "a space before the colon": b"Content-Length : %d\r\n" % size,
        "a tab before the colon": b"Content-Length\t: %d\r\n" % size,
        "an underscore for the hyphen": b"Content_Length: 0\r\nContent-Length: %d\r\nContent_Length: 3 \0\r\n" % size,
        "a NUL in the name": b"Content-Length\0: %d\r\n" % size,
        "a letter of another alphabet": "Сontent-Length: 0\r\n".encode() + LENGTH,
    }.items():
        yield Probe(
            f"length: {name}",
            "RFC 9112, 5.1: a name is a token, no space before its colon",
            HEAD + line + b"\r\n" + BODY + HIDDEN,
        )


def _codings() -> Iterator[Probe]:
    """RFC 9112, sections 6.1 and 7: what is not exactly `chunked` is not understood, and says nothing of the length."""
    values = {
        "two": b"chunked, identity",
        "identity first": b"identity, chunked",
        "gzip": b"gzip, chunked",
        "gzip alone": b"gzip",
        "chunked twice": b"chunked, chunked",
        "quotes": b'"chunked"',
        "a letter more": b"xchunked",
        "a letter more behind": b"chunkedx",
        "a parameter": b"chunked;q=1",
        "a vertical tab": b"\x0bchunked",
        "a form feed behind": b"chunked\x0c",
        "a NUL": b"chunked\0",
        "nothing": b"",
        "a comma before": b", chunked",
        "a comma behind": b"chunked,",
        "a long s": "chunkedſ".encode(),
    }
    for name, value in values.items():
        line = b"Transfer-Encoding: " + value + b"\r\n"
        yield Probe(
            f"coding: {name}", "RFC 9112, 6.1: unknown codings are refused", HEAD + line + b"\r\n" + CHUNKS + HIDDEN
        )
        yield Probe(f"coding beside a length: {name}", "RFC 9112, 6.3", HEAD + LENGTH + line + b"\r\n" + BODY + HIDDEN)
    for name, lines in {
        "a space before the colon": b"Transfer-Encoding : chunked\r\n" + LENGTH,
        "twice": TE + TE,
        "twice, one unknown": TE + b"Transfer-Encoding: identity\r\n",
        "folded": b"Transfer-Encoding:\r\n chunked\r\n" + LENGTH,
        "a bare CR before": b"X: y\rTransfer-Encoding: chunked\r\n" + LENGTH,
        "a bare LF before": b"X: y\nTransfer-Encoding: chunked\r\n" + LENGTH,
        "a space before the name": b" Transfer-Encoding: chunked\r\n" + LENGTH,
        "a colon in the name": b"Transfer:Encoding: chunked\r\n" + LENGTH + b": x\r\n",
    }.items():
        yield Probe(f"coding: {name}", "RFC 9112, 5.2, 6.1, 6.3", HEAD + lines + b"\r\n" + CHUNKS + HIDDEN)
    old = HEAD.replace(b"HTTP/1.1", b"HTTP/1.0")
    yield Probe(
        "coding: HTTP/1.0",
        "RFC 9112, 6.1: faulty framing from a version that has none",
        old + TE + b"Connection: keep-alive\r\n\r\n" + CHUNKS + HIDDEN,
    )


def _chunks() -> Iterator[Probe]:
    """RFC 9112, section 7.1: 1*HEXDIG, CRLF, and what was said."""
    size = len(BODY)
    sizes = {
        "a plus": b"+%x" % size,
        "a minus": b"-%x" % size,
        "0x": b"0x%x" % size,
        "an underscore": b"4_b",
        "a space before": b" %x" % size,
        "a tab behind": b"%x\t" % size,
        "2^64": b"10000000000000000",
        "2^64 and the body": b"%x" % (2**64 + size),
        "17 digits": b"f" * 17,
        "nothing": b"",
        "an extension that ends with LF": b"%x;a=\nb" % size,
        "an extension with a bare CR": b"%x;a=\rb" % size,
        "an extension with a NUL": b"%x;a=\0" % size,
        "no semicolon": b"%x a" % size,
    }
    for name, value in sizes.items():
        yield Probe(
            f"chunk: {name}", "RFC 9112, 7.1 and 7.1.1", HEAD + TE + b"\r\n" + value + b"\r\n" + BODY + b"\r\n" + EMPTY
        )
    for name, data in {
        "bare LF behind the size": b"%x\n%b\r\n" % (size, BODY) + EMPTY,
        "bare LF behind the data": b"%x\r\n%b\n" % (size, BODY) + EMPTY,
        "bare LF everywhere": b"%x\n%b\n0\n\n" % (size, BODY) + HIDDEN,
        "bare CR behind the size": b"%x\r%b\r\n" % (size, BODY) + EMPTY,
        "data longer than said": b"%x\r\n%bxx\r\n" % (size, BODY) + EMPTY,
        "nothing behind the data": b"%x\r\n%b" % (size, BODY) + EMPTY,
        "two bytes for the line end": b"%x\r\n%bXX" % (size, BODY) + EMPTY,
        "a trailer with a bare CR": b"%x\r\n%b\r\n0\r\nX: a\rb\r\n\r\n" % (size, BODY) + HIDDEN,
        "a trailer with a bare LF": b"%x\r\n%b\r\n0\r\nX: a\nGET: b\r\n\r\n" % (size, BODY) + HIDDEN,
        "a trailer with a space before the colon": b"%x\r\n%b\r\n0\r\nX : a\r\n\r\n" % (size, BODY) + HIDDEN,
        "a trailer that sets the length": b"%x\r\n%b\r\n0\r\nContent-Length: 999\r\n\r\n" % (size, BODY) + HIDDEN,
        "a trailer that sets the coding": b"%x\r\n%b\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n" % (size, BODY)
        + HIDDEN,
        "a trailer that sets the host": b"%x\r\n%b\r\n0\r\nHost: evil.example\r\n\r\n" % (size, BODY) + HIDDEN,
        "a trailer that sets a key": b"%x\r\n%b\r\n0\r\nAuthorization: Bearer x\r\n\r\n" % (size, BODY) + HIDDEN,
    }.items():
        yield Probe(f"chunk: {name}", "RFC 9112, 2.2, 7.1, 7.1.2; RFC 9110, 6.5.1", HEAD + TE + b"\r\n" + data)
    yield Probe(
        "chunk: no final CRLF", "RFC 9112, 7.1", HEAD + TE + b"\r\n" + b"%x\r\n%b\r\n0\r\n" % (size, BODY) + HIDDEN
    )
    yield Probe(
        "chunk: no last chunk",
        "RFC 9112, 8: an unfinished message",
        HEAD + TE + b"\r\n" + b"%x\r\n%b\r\n" % (size, BODY),
        Due.UNFINISHED,
    )


def _targets() -> Iterator[Probe]:
    """RFC 9112, section 3.2 and RFC 9110, section 7.2."""
    rest = b"Content-Type: application/json\r\n" + LENGTH + b"\r\n" + BODY + HIDDEN
    one = "RFC 9112, 3.2: exactly one Host, and a valid one"
    for name, lines in {
        "two hosts": HOST + b"Host: evil.example\r\n",
        "two equal hosts": HOST + HOST,
        "no host": b"",
        "an empty host": b"Host: \r\n",
        "userinfo": b"Host: localhost@evil.example\r\n",
        "userinfo of ours": b"Host: evil.example@localhost\r\n",
        "a path": b"Host: localhost/x\r\n",
        "a port that is none": b"Host: localhost:80:80\r\n",
        "letters as a port": b"Host: localhost:x\r\n",
        "a list": b"Host: localhost, evil.example\r\n",
        "a space": b"Host: localhost evil.example\r\n",
        "a space before the colon": b"Host : localhost\r\n",
        "a fragment": b"Host: localhost#evil.example\r\n",
        "a tab inside": b"Host: localhost\t.evil.example\r\n",
    }.items():
        yield Probe(f"host: {name}", one, LINE + lines + rest)
    other = "RFC 9112, 3.2.2: of an absolute target only its authority counts"
    for name, target in {
        "another authority": b"http://evil.example/v1/messages",
        "another authority with userinfo": b"http://localhost@evil.example/v1/messages",
        "another scheme": b"ftp://localhost/v1/messages",
        "no path of ours": b"//evil.example/v1/messages",
        "the authority form": b"localhost:80",
        "the asterisk form": b"*",
        "a fragment": b"/v1/messages#x",
        "a NUL": b"/v1/messages\0",
        "a byte above ASCII": "/v1/messagesé".encode(),
        "a space": b"/v1/messages HTTP/1.1 x",
        "a tab": b"/v1/messages\tx",
        "no slash": b"v1/messages",
    }.items():
        yield Probe(f"target: {name}", other, b"POST " + target + b" HTTP/1.1\r\n" + HOST + rest)


def _lines() -> Iterator[Probe]:
    """RFC 9112, sections 2.2, 3 and 5."""
    rest = HEAD.removeprefix(LINE) + LENGTH + b"\r\n" + BODY + HIDDEN
    why = "RFC 9112, 2.2 and 3: method SP target SP version CRLF"
    for name, line in {
        "HTTP/0.9": b"GET " + PATH + b"\r\n",
        "HTTP/2.0": b"POST /v1/messages HTTP/2.0\r\n",
        "HTTP/1.2": b"POST /v1/messages HTTP/1.2\r\n",
        "HTTP/1.10": b"POST /v1/messages HTTP/1.10\r\n",
        "HTTP/1": b"POST /v1/messages HTTP/1\r\n",
        "lower-case version": b"POST /v1/messages http/1.1\r\n",
        "lower-case method": b"post /v1/messages HTTP/1.1\r\n",
        "an unknown method": b"PROST /v1/messages HTTP/1.1\r\n",
        "a tab": b"POST\t/v1/messages HTTP/1.1\r\n",
        "a space before": b" POST /v1/messages HTTP/1.1\r\n",
        "a space behind": b"POST /v1/messages HTTP/1.1 \r\n",
        "a bare LF": b"POST /v1/messages HTTP/1.1\n",
        "a bare CR": b"POST /v1/messages HTTP/1.1\r",
        "a NUL": b"POST /v1/messages HTTP/1.1\0\r\n",
        "HTTP/2's preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "an answer": b"HTTP/1.1 200 OK\r\n",
    }.items():
        yield Probe(f"line: {name}", why, line + rest)
    for name, header in {
        "no colon": b"X\r\n",
        "a bare LF": b"X: y\n",
        "a bare LF and a header": b"X: y\nY: z\r\n",
        "a bare CR": b"X: y\rz\r\n",
        "a NUL": b"X: y\0z\r\n",
        "a control character": b"X: y\x01z\r\n",
        "DEL": b"X: y\x7fz\r\n",
        "a fold": b"X: y\r\n z\r\n",
        "a fold with a tab": b"X: y\r\n\tz\r\n",
        "no name": b": y\r\n",
        "a space in the name": b"X Y: z\r\n",
        "a byte above ASCII in the name": b"X\xe9: z\r\n",
        "brackets in the name": b"X[1]: z\r\n",
    }.items():
        yield Probe(f"header: {name}", "RFC 9112, 2.2, 5.1, 5.2", HEAD + header + LENGTH + b"\r\n" + BODY + HIDDEN)
    yield Probe("header: a bare LF ends the head", "RFC 9112, 2.2", HEAD + LENGTH + b"\n" + BODY + HIDDEN)
    yield Probe("header: LF and CRLF end the head", "RFC 9112, 2.2", HEAD + b"X: y\n\r\n" + BODY + HIDDEN)


def _others() -> Iterator[Probe]:
    """Expectations, and bodies where none are expected."""
    unknown = "RFC 9110, 10.1.1: an expectation that is not known may be refused; nobody waits"
    yield Probe("expect: unknown", unknown, HEAD + b"Expect: 200-ok\r\n" + LENGTH + b"\r\n" + BODY + HIDDEN)
    yield Probe(
        "expect: twice", unknown, HEAD + b"Expect: 100-continue\r\nExpect: x\r\n" + LENGTH + b"\r\n" + BODY + HIDDEN
    )
    get = b"GET /v1/messages HTTP/1.1\r\n" + HOST
    yield Probe(
        "a request hidden in the body of a GET",
        "RFC 9110, 9.3.1: it has no meaning",
        get + b"Content-Length: %d\r\n\r\n" % len(HIDDEN) + HIDDEN + LAST,
        Due.BODY,
    )
    yield Probe(
        "a request hidden in chunks of a GET",
        "RFC 9110, 9.3.1",
        get + TE + b"\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN) + LAST,
        Due.BODY,
    )
    yield Probe(
        "a request hidden in a body",
        "it is a body",
        HEAD + b"Content-Length: %d\r\n\r\n" % len(HIDDEN) + HIDDEN + LAST,
        Due.BODY,
    )
    yield Probe(
        "a request hidden behind a refused body",
        "RFC 9112, 9.3: what cannot be read to its end is closed",
        HEAD.replace(b"json", b"x") + b"Content-Length: 99999999999\r\n\r\n" + HIDDEN,
    )


def _switches() -> Iterator[Probe]:
    """What would turn the connection into another one, and what comes after its end."""
    yield Probe(
        "CONNECT",
        "RFC 9110, 9.3.6: what follows would be a tunnel",
        b"CONNECT localhost:80 HTTP/1.1\r\n" + HOST + b"\r\n" + HIDDEN,
    )
    yield Probe(
        "CONNECT with a length",
        "RFC 9110, 9.3.6",
        b"CONNECT localhost:80 HTTP/1.1\r\n" + HOST + b"Content-Length: 0\r\n\r\n" + HIDDEN,
    )
    yield Probe(
        "after close",
        "RFC 9112, 9.6: nothing after it is answered",
        b"GET /nothing HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n" + HIDDEN,
    )
    yield Probe("HTTP/1.0 without keep-alive", "RFC 9112, 9.3", b"GET /nothing HTTP/1.0\r\n" + HOST + b"\r\n" + HIDDEN)
    h2c = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAA\r\n"
    yield Probe(
        "h2c on a GET",
        "RFC 9113, 3.1: h2c is gone; what follows must not be a tunnel",
        b"GET /nothing HTTP/1.1\r\n" + HOST + h2c + b"Connection: close\r\n\r\n" + HIDDEN,
    )
    yield Probe(
        "websocket",
        "RFC 9110, 7.8: not offered here",
        b"GET /nothing HTTP/1.1\r\n"
        + HOST
        + b"Connection: Upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n"
        + HIDDEN,
    )


def _sound() -> Iterator[Probe]:
    """What may look odd, and can be read in one way only."""
    length = HEAD + LENGTH + b"\r\n" + BODY
    h2c = b"\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"
    size = len(BODY)
    for name, why, data in (
        ("a length", "RFC 9112, 6.2", length),
        ("chunks", "RFC 9112, 7.1", HEAD + TE + b"\r\n" + CHUNKS),
        ("a chunk extension", "RFC 9112, 7.1.1: ignored", HEAD + TE + b"\r\n%x;a=b\r\n%b\r\n0\r\n\r\n" % (size, BODY)),
        ("a trailer", "RFC 9112, 7.1.2: ignored", HEAD + TE + b"\r\n%x\r\n%b\r\n0\r\nX: a\r\n\r\n" % (size, BODY)),
        ("zeros before a chunk's size", "RFC 9112, 7.1", HEAD + TE + b"\r\n00%x\r\n%b\r\n0\r\n\r\n" % (size, BODY)),
        ("an empty line before", "RFC 9112, 2.2: one is ignored", b"\r\n" + length),
        ("two spaces in the line", "RFC 9112, 3: may be read word by word", length.replace(b"POST ", b"POST  ")),
        ("headers in capitals", "RFC 9110, 5.1", length.replace(b"Content-Length", b"CONTENT-LENGTH")),
        ("blanks around a value", "RFC 9110, 5.5", length.replace(b"Length: ", b"Length:\t ")),
        ("our authority", "RFC 9112, 3.2.2", length.replace(b" /v1", b" http://localhost/v1")),
        ("an offer of h2c", "RFC 9110, 7.8: ignored", length.replace(b"\r\n", h2c, 1)),
        ("an expectation", "RFC 9110, 10.1.1", length.replace(b"\r\n", b"\r\nExpect: 100-continue\r\n", 1)),
    ):  # fmt: skip
        yield Probe(f"sound: {name}", why, data + HIDDEN + LAST, Due.SERVED)


def probes() -> list[Probe]:
    """All of them."""
    return [*_both(), *_lengths(), *_codings(), *_chunks(), *_targets(), *_lines(), *_others(), *_switches(), *_sound()]
