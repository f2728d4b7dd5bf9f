import pytest
from hypothesis import given
from hypothesis import strategies as st
from streams import fed_in_every_way

from core.sse import Decoder, Event, SSEError, comment, encode, parse, without_reconnecting


def events(chunks: list[bytes], max_event: int = 1 << 20) -> list[Event]:
    decoder = Decoder(max_event)
    return [event for chunk in chunks for event in decoder.feed(chunk)] + decoder.end()


def fields(chunks: list[bytes]) -> list[tuple[str, bytes | None]]:
    return [(event.name, event.data) for event in events(chunks) if event.raw.strip()]


CASES = {
    b"data: a\n\n": [("", b"a")],
    b"event: x\ndata: a\n\n": [("x", b"a")],
    b"data: a\nevent: x\n\n": [("x", b"a")],
    b"data:a\n\n": [("", b"a")],
    b"data:  a\n\n": [("", b" a")],
    b"data\n\n": [("", b"")],
    b"data: a\ndata: b\ndata:\n\n": [("", b"a\nb\n")],
    b": comment\n\ndata: a\n\n": [("", None), ("", b"a")],
    b": comment\ndata: a\n\n": [("", b"a")],
    b"id: 7\nretry: 9\nfuture: x\ndata: a\n\n": [("", b"a")],
    b"event: x\n\n": [("x", None)],
    b"\xef\xbb\xbfdata: a\n\n": [("", b"a")],
    b"event: x\r\ndata: a\r\n\r\ndata: b\r\n\r\n": [("x", b"a"), ("", b"b")],
    b"data: a\r\n\r\ndata: b\r\n\r\n": [("", b"a"), ("", b"b")],
    b"data: a\rdata: b\r\n\r\n": [("", b"a\nb")],
    b"data: a\r\ndata: b\r\n\r\n": [("", b"a\nb")],
    b"event: x\rdata: a\r\rdata: b\r\r": [("x", b"a"), ("", b"b")],
    b"data: a\r\n\ndata: b\n\r\n": [("", b"a"), ("", b"b")],
    b"\n\n\n\ndata: a\n\n\n": [("", b"a")],
    b"\xef\xbb\xbf\n\ndata: a\n\n": [("", b"a")],
    b"data: a\n\n\xef\xbb\xbfdata: b\n\n": [("", b"a"), ("", None)],
    b"data: a": [],
    b"data: a\n": [],
    b"data: a\r": [],
    b"data: a\n\ndata: b\n": [("", b"a")],
    b"data: a\r\n\r": [("", b"a")],
    "data: a\u2028b\u2029c\u0085d\x0be\x0cf\n\n".encode(): [("", "a\u2028b\u2029c\u0085d\x0be\x0cf".encode())],
    b"": [],
}


@pytest.mark.parametrize("stream", CASES)
def test_an_event_is_read_however_it_is_cut(stream: bytes) -> None:
    if stream:
        assert fed_in_every_way(stream, fields) == CASES[stream]
    assert fields([stream]) == CASES[stream]


@pytest.mark.parametrize("stream", [stream for stream in CASES if stream.endswith((b"\n\n", b"\r\r", b"\r\n"))])
def test_raw_bytes_joined_are_the_stream(stream: bytes) -> None:
    without_bom = stream.removeprefix(b"\xef\xbb\xbf")
    assert fed_in_every_way(stream, lambda chunks: b"".join(event.raw for event in events(chunks))) == without_bom


@given(st.lists(st.sampled_from([b"\n", b"\r", b"\r\n", b"data: x", b"event: y", b": c", b"\xe2\x80\xa8"])), st.data())
def test_chunking_never_changes_the_events(pieces: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    chunks = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert fields(chunks) == fields([stream])


def test_an_event_is_given_as_soon_as_its_blank_line_is_here() -> None:
    decoder = Decoder()
    assert decoder.feed(b"data: a\n") == []
    assert decoder.feed(b"\n") == [Event("", b"a", b"data: a\n\n")]


@pytest.mark.parametrize("chunk", [b"data: " + b"x" * 50, b"data: " + b"x" * 50 + b"\n\n"])
def test_an_event_over_the_limit_is_refused(chunk: bytes) -> None:
    with pytest.raises(SSEError, match="longer than 40 bytes"):
        Decoder(max_event=40).feed(chunk)


def test_many_small_events_are_no_large_one() -> None:
    assert len(Decoder(max_event=40).feed(b"data: x\n\n" * 100)) == 100


def test_an_event_is_written_with_its_name() -> None:
    assert encode(b"{}", "ping") == b"event: ping\ndata: {}\n\n"
    assert encode(b"{}") == b"data: {}\n\n"
    assert parse(comment("alive")) == Event("", None, b": alive\n\n")


@pytest.mark.parametrize(
    ("raw", "left"),
    [
        (b"id: 7\ndata: 1\n\n", b"data: 1\n\n"),
        (b"data: 1\nid\nretry:\n\n", b"data: 1\n\n"),
        (b"retry: 10\r\ndata: 1\r\n\r\n", b"data: 1\r\n\r\n"),
        (b"data: 1\rid: 7\rretry: 1\rdata: 2\r\r", b"data: 1\rdata: 2\r\r"),
        (b"retry: 10\n\n", b"\n"),
        (b"data: id: 7\nidentity: 1\nretryx\n\n", b"data: id: 7\nidentity: 1\nretryx\n\n"),
        (b": id: 7\n\n", b": id: 7\n\n"),
    ],
)
def test_lines_for_reconnecting_are_taken_out(raw: bytes, left: bytes) -> None:
    assert without_reconnecting(raw) == left
    assert parse(raw)[:2] == parse(left)[:2]
