import pytest
from streams import fed_in_every_way

from core.ndjson import Decoder
from core.sse import SSEError


def decoded(chunks: list[bytes]) -> list[bytes]:
    decoder = Decoder()
    return [line for chunk in chunks for line in decoder.feed(chunk)] + decoder.end()


@pytest.mark.parametrize(
    ("stream", "lines"),
    [
        (b"", []),
        (b"{}\n", [b"{}"]),
        (b'{"a":1}\n{"b":2}\n', [b'{"a":1}', b'{"b":2}']),
        (b'{"a":1}\r\n\r\n \n\n{"b":2}\n', [b'{"a":1}\r', b'{"b":2}']),
        (b'{"a":1}\n{"last":true}', [b'{"a":1}', b'{"last":true}']),
        ('{"a":"\u2028\u2029\u0085\x0b\x0c"}\n'.encode(), ['{"a":"\u2028\u2029\u0085\x0b\x0c"}'.encode()]),
        (b"\n\n", []),
    ],
)
def test_lines_are_the_same_however_they_are_cut(stream: bytes, lines: list[bytes]) -> None:
    assert fed_in_every_way(stream, decoded) == lines


def test_a_line_is_given_as_soon_as_it_is_whole() -> None:
    decoder = Decoder()
    assert decoder.feed(b'{"a":1}') == []
    assert decoder.feed(b'\n{"b"') == [b'{"a":1}']
    assert decoder.end() == [b'{"b"']
    assert decoder.end() == []


@pytest.mark.parametrize("chunks", [[b"12345678\n"], [b"1234", b"5678"], [b"1\n", b"1234", b"5678\n"], [b"1\n1234567"]])
def test_a_line_over_the_limit_is_refused(chunks: list[bytes]) -> None:
    *before, last = chunks
    decoder = Decoder(max_line=6)
    for chunk in before:
        decoder.feed(chunk)
    with pytest.raises(SSEError, match="longer than 6 bytes"):
        decoder.feed(last)


def test_a_line_of_the_limit_is_not() -> None:
    decoder = Decoder(max_line=6)
    assert decoder.feed(b"123456\n654321\n") == [b"123456", b"654321"]
