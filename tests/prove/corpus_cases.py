"""Request bodies and heads that a parser may choke on, as tables. Sources: RFC 8259, RFC 3629, RFC 9112."""

from collections.abc import Callable, Iterator
from enum import Enum
from typing import Final, NamedTuple

MB: Final = 1_000_000


class Due(Enum):
    """What an honest server answers."""

    REFUSED = "4xx"
    SERVED = "200"
    EITHER = "200 or 4xx"


class Case(NamedTuple):
    """A body. Those that `weigh` have a process of their own, whose memory is watched."""

    name: str
    make: Callable[[], bytes]
    due: Due = Due.REFUSED
    weighs: bool = False


def said(content: bytes, more: bytes = b"") -> bytes:
    """A request with this as its message's content, and more members."""
    return b'{"model":"auto","max_tokens":9,"messages":[{"role":"user","content":' + content + b"}]" + more + b"}"


def _keys(count: int) -> bytes:
    return b",".join(b'"%06x":1' % number for number in range(count))


#: What stands as the content of the message.
_TEXTS: Final[dict[str, bytes]] = {
    "a high surrogate alone": rb'"\ud800"',
    "a low surrogate alone": rb'"\udc00"',
    "surrogates the wrong way": rb'"\udc00\ud800"',
    "two high surrogates": rb'"\ud83d\ud83d\ude00"',
    "a surrogate in UTF-8": b'"\xed\xa0\x80"',
    "Latin-1": b'"caf\xe9"',
    "an overlong slash": b'"\xc0\xaf"',
    "an overlong NUL": b'"\xc0\x80"',
    "beyond Unicode": b'"\xf4\x90\x80\x80"',
    "a character cut in two": b'"\xe2\x82"',
    "a raw NUL": b'"a\0b"',
    "a raw line feed": b'"a\nb"',
    "a raw control character": b'"a\x1fb"',
    "an unknown escape": rb'"\x41"',
    "an escaped apostrophe": rb'"\'"',
    "half an escape": rb'"\u12"',
    "an escape without digits": rb'"\uZZZZ"',
    "no end": b'"abc',
    "apostrophes": b"'abc'",
    "NaN": b"NaN",
    "Infinity": b"Infinity",
    "minus Infinity": b"-Infinity",
    "1e400": b"1e400",
    "a number of 10 000 digits": b"9" * 10_000,
    "a comment": b'"a"/* b */',
    "undefined": b"undefined",
    "true in capitals": b"True",
}
#: What stands as `max_tokens`.
_NUMBERS: Final[dict[str, bytes]] = {
    "NaN": b"NaN", "1e400": b"1e400", "minus 1e400": b"-1e400", "10 000 digits": b"1" * 10_000,
    "hexadecimal": b"0x10", "a zero before": b"09", "a plus": b"+9", "no digit before": b".5", "no digit behind": b"9.",
    "no exponent": b"9e", "an underscore": b"9_0", "two numbers": b"9 9", "a text": b'"9"', "null and more": b"nulll",
}  # fmt: skip
#: The whole body.
_BODIES: Final[dict[str, bytes]] = {
    "empty": b"",
    "blanks": b" \t\r\n",
    "a NUL": b"\0",
    "a byte order mark": b"\xef\xbb\xbf" + said(b'"a"'),
    "UTF-16": said(b'"a"').decode().encode("utf-16"),
    "UTF-16, little": said(b'"a"').decode().encode("utf-16-le"),
    "UTF-16, big": said(b'"a"').decode().encode("utf-16-be"),
    "UTF-32": said(b'"a"').decode().encode("utf-32"),
    "an array": b"[" + said(b'"a"') + b"]",
    "a number": b"1",
    "a text": b'"a"',
    "null": b"null",
    "two objects": said(b'"a"') * 2,
    "garbage behind": said(b'"a"') + b"x",
    "a NUL behind": said(b'"a"') + b"\0",
    "a comma behind": said(b'"a"') + b",",
    "one brace more": said(b'"a"') + b"}",
    "one brace less": said(b'"a"')[:-1],
    "a comma before the end": said(b'"a"', b","),
    "a key twice": said(b'"a"', b',"model":"b"'),
    "a key twice, once escaped": said(b'"a"', rb',"m\u006fdel":"b"'),
    "messages twice": said(b'"a"', b',"messages":[]'),
    "a key without quotes": said(b'"a"', b",x:1"),
    "a key that is a number": said(b'"a"', b",1:1"),
    "no colon": said(b'"a"', b',"x" 1'),
    "no value": said(b'"a"', b',"x":'),
    "65 levels": said(b'"a"', b',"x":' + b"[" * 64 + b"]" * 64),
    "a million levels, unclosed": b"[" * MB,
    "a million levels, unopened": b"]" * MB,
}
#: These are JSON, and mean something.
_SOUND: Final[dict[str, bytes]] = {
    "every escape": said(rb'"\" \\ \/ \b \f \n \r \t \u00e9 \ud83d\ude00 \u0000 \uffff"'),
    "brackets in a text": said(b'"' + b"[{" * 500 + b'"'),
    "brackets behind escapes": said(rb'"\\\"[[[[{{{{\\\\"'),
    "every plane": said('"a é € 😀 \U0010ffff"'.encode()),
    "line separators": said('"\u2028\u2029\u0085"'.encode()),
    "blanks everywhere": said(b' "a" ').replace(b",", b" ,\r\n\t").replace(b":", b" : "),
    "minus zero": said(b'"a"', b',"temperature":-0'),
    "60 levels": said(b'"a"', b',"x":' + b"[" * 60 + b"]" * 60),
}
#: A key twice inside: bytes are passed on as they came, and what is decided does not hang on it.
_UNDECIDED: Final[dict[str, bytes]] = {
    "a key twice inside": said(b'"a"', b',"metadata":{"a":1,"a":2}'),
    "more tokens than there are": said(b'"a"').replace(b":9", b":18446744073709551616"),
    "1e400 where nobody looks": said(b'"a"', b',"x":1e400'),
    "10 000 digits where nobody looks": said(b'"a"', b',"x":' + b"1" * 10_000),
    "a lone surrogate where nobody looks": said(b'"a"', rb',"x":"\ud800"'),
}
#: Large ones, and how they are made.
_HEAVY: Final[dict[str, tuple[Callable[[], bytes], Due]]] = {
    "a million arrays deep": (lambda: said(b"[" * MB + b"]" * MB), Due.REFUSED),
    "a million objects deep": (lambda: said(b'{"a":' * MB + b"1" + b"}" * MB), Due.REFUSED),
    "both, a million deep": (lambda: said(b'[{"a":' * (MB // 2) + b"1" + b"}]" * (MB // 2)), Due.REFUSED),
    "a million levels inside a text": (lambda: said(b'"' + b"[{" * (5 * MB) + b'"'), Due.EITHER),
    "a million keys": (lambda: b"{" + _keys(MB) + b"}", Due.REFUSED),
    "a million keys inside": (lambda: said(b'"a"', b',"metadata":{' + _keys(MB) + b"}"), Due.EITHER),
    "a key a million times": (lambda: b"{" + b",".join([b'"a":1'] * MB) + b"}", Due.REFUSED),
    "two million texts": (lambda: said(b'"a"', b',"x":[' + b",".join([b'"ab"'] * (2 * MB)) + b"]"), Due.EITHER),
    "two hundred thousand blocks": (
        lambda: said(b"[" + b",".join([b'{"type":"text","text":"x"}'] * 200_000) + b"]"), Due.EITHER),
    "a text of 30 MB": (lambda: said(b'"' + b"word " * (6 * MB) + b'"'), Due.EITHER),
    "30 MB of escapes": (lambda: said(b'"' + rb"\u00e9" * (5 * MB) + b'"'), Due.EITHER),
    "30 MB of surrogate pairs": (lambda: said(b'"' + rb"\ud83d\ude00" * (5 * MB // 2) + b'"'), Due.EITHER),
    "28 MB of emoji": (lambda: said(('"' + "😀" * (7 * MB) + '"').encode()), Due.EITHER),
    "one emoji before 29 MB": (lambda: said(('"😀' + "a" * (29 * MB) + '"').encode()), Due.EITHER),
    "30 MB of escaped quotes": (lambda: said(b'"' + rb"\"" * (15 * MB) + b'"'), Due.EITHER),
    "30 MB of blanks": (lambda: b" " * (30 * MB), Due.REFUSED),
    "a number of 10 MB": (lambda: said(b"1" * (10 * MB)), Due.REFUSED),
}  # fmt: skip


def cases() -> Iterator[Case]:
    """All bodies."""
    for name, text in _TEXTS.items():
        yield Case(f"content: {name}", lambda text=text: said(text))  # type: ignore[misc]
    for name, number in _NUMBERS.items():
        body = said(b'"a"').replace(b'"max_tokens":9', b'"max_tokens":' + number)
        yield Case(f"max_tokens: {name}", lambda body=body: body)  # type: ignore[misc]
    for due, table in ((Due.REFUSED, _BODIES), (Due.SERVED, _SOUND), (Due.EITHER, _UNDECIDED)):
        for name, body in table.items():
            yield Case(f"body: {name}", lambda body=body: body, due)  # type: ignore[misc]
    for name, (make, due) in _HEAVY.items():
        yield Case(name, make, due, weighs=True)


_POST: Final = b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
_CHUNKED: Final = _POST + b"Transfer-Encoding: chunked\r\n\r\n"
#: Heads and framing without end: what begins it, what is repeated, and how often.
FLOODS: Final[dict[str, tuple[bytes, bytes, int]]] = {
    "one header of 50 MB": (_POST + b"X: ", b"x" * 65536, 763),
    "50 MB of headers": (_POST, b"X-Some: " + b"x" * 1000 + b"\r\n", 49_500),
    "100 000 headers": (_POST, b"X-Some: x\r\n", 100_000),
    "100 000 names": (_POST + b"X", b"y" * 100 + b": z\r\nX", 100_000),
    "a name of 10 MB": (_POST, b"x" * 65536, 160),
    "a request line of 10 MB": (b"POST /", b"x" * 65536, 160),
    "a method of 10 MB": (b"", b"POST" * 16384, 160),
    "10 MB of empty lines": (b"", b"\r\n" * 32768, 160),
    "50 MB of trailers": (_CHUNKED + b"2\r\n{}\r\n0\r\n", b"X-Some: " + b"x" * 1000 + b"\r\n", 49_500),
    "a chunk extension of 50 MB": (_CHUNKED + b"2;a=", b"x" * 65536, 763),
    "a chunk size of 10 MB": (_CHUNKED, b"0" * 65536, 160),
    "a million chunks of one byte with extensions": (_CHUNKED, b"1;" + b"x" * 50 + b"\r\n{\r\n", MB),
}
