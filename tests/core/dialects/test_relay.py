import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from neutral import streams
from streams import fed_in_every_way

from core.dialects import CLIENTS
from core.dialects.base import Dialect, Origin
from core.dialects.relay import Frame, Relay, make_relay
from core.dialects.sealing import is_sealed
from core.errors import UpstreamFailed
from core.grammar import Grammar
from core.messages import (
    Block,
    BlockDelta,
    BlockStart,
    BlockStop,
    Message,
    MessageDelta,
    MessageStart,
    MessageStop,
    Request,
    StreamError,
    StreamEvent,
    Usage,
)

ANTHROPIC, OPENAI = CLIENTS["anthropic"], CLIENTS["openai"]
PAIRS = [(one, other) for one in (ANTHROPIC, OPENAI) for other in (ANTHROPIC, OPENAI)]
REQUEST = Request(dialect="any", raw=b"{}", model="m", messages=[Message(role="user", content=[])])
ANSWER: list[StreamEvent] = [
    MessageStart("m", "x", Usage(input=3)),
    BlockStart(0, Block(type="text")),
    BlockDelta(0, "text", "hi"),
    BlockStop(0),
    MessageDelta("end_turn", None, Usage(input=3, output=1)),
    MessageStop(),
]


def wire(dialect: Dialect, events: Sequence[StreamEvent]) -> bytes:
    encoder = dialect.stream_encoder(REQUEST)
    return b"".join(map(encoder.encode, events))


def decoded(dialect: Dialect, stream: bytes) -> list[StreamEvent]:
    """The events, pings left out, shown to be legal."""
    decoder, grammar = dialect.stream_decoder(), Grammar()
    events = decoder.feed(stream) + decoder.end()
    for event in events:
        grammar.check(event)
    return [event for event in events if type(event).__name__ != "Ping"]


def said(events: Sequence[StreamEvent]) -> list[object]:
    """What a stream says, however its deltas are cut: blocks with their joined content, then the end."""
    blocks: list[list[str]] = []
    rest: list[object] = []
    for event in events:
        match event:
            case BlockStart(block=block):
                blocks.append([block.type, block.id, block.name, ""])
            case BlockDelta(kind="signature", data=data) if is_sealed(data):
                pass  # `test_sealing` shows that it is there
            case BlockDelta(data=data):
                blocks[-1][3] += data
            case MessageDelta() | MessageStop() | StreamError():
                rest.append(event)
    return [*blocks, *rest]


def relayed(provider: Dialect, client: Dialect, chunks: list[bytes]) -> tuple[Relay, list[Frame]]:
    relay = make_relay(Origin(provider, "p"), client, REQUEST)
    frames = [frame for chunk in chunks for frame in relay.feed(chunk)] + relay.end()
    return relay, frames


def cut(stream: bytes, seed: int) -> list[bytes]:
    places = sorted(random.Random(seed).sample(range(len(stream) + 1), 5))  # noqa: S311 (chunk boundaries)
    return [stream[a:b] for a, b in zip([0, *places], [*places, len(stream)], strict=True)]


@pytest.mark.parametrize("dialect", [ANTHROPIC, OPENAI], ids=lambda dialect: dialect.name)
@given(events=streams())
@settings(max_examples=50, deadline=None)
def test_what_is_encoded_is_decoded(dialect: Dialect, events: list[StreamEvent]) -> None:
    assert said(decoded(dialect, wire(dialect, events))) == said(events)


@pytest.mark.parametrize(("provider", "client"), PAIRS, ids=lambda dialect: dialect.name)
@given(events=streams(), seed=st.integers(0, 1 << 16))
@settings(max_examples=50, deadline=None)
def test_a_relay_says_what_the_provider_said(
    provider: Dialect, client: Dialect, events: list[StreamEvent], seed: int
) -> None:
    relay, frames = relayed(provider, client, cut(wire(provider, events), seed))
    assert said(decoded(client, b"".join(frame.data for frame in frames))) == said(events)
    end = events[-2]
    assert isinstance(end, MessageDelta)
    assert (relay.usage, relay.stop_reason, relay.complete) == (end.usage, end.stop_reason, True)
    assert [frame.kind for frame in frames].index("terminal") == len(frames) - 1


@pytest.mark.parametrize(("provider", "client"), PAIRS, ids=lambda dialect: dialect.name)
@given(events=streams(), data=st.data())
@settings(max_examples=50, deadline=None)
def test_a_cut_stream_ends_with_an_error_and_never_with_success(
    provider: Dialect, client: Dialect, events: list[StreamEvent], data: st.DataObject
) -> None:
    stream = wire(provider, events)
    marker = b"event: message_stop" if provider is ANTHROPIC else b'"finish_reason":"'
    at = data.draw(st.integers(0, stream.rindex(marker)))
    relay, frames = relayed(provider, client, [stream[:at]])
    assert frames[-1].kind == "error"
    assert frames[-1].error_type == "api_error"
    assert not relay.complete
    shown = b"".join(frame.data for frame in frames)
    assert b"event: message_stop" not in shown
    assert b"[DONE]" not in shown


@pytest.mark.parametrize("dialect", [ANTHROPIC, OPENAI], ids=lambda dialect: dialect.name)
@given(events=streams(), seed=st.integers(0, 1 << 16))
@settings(max_examples=50, deadline=None)
def test_the_same_dialect_passes_byte_for_byte(dialect: Dialect, events: list[StreamEvent], seed: int) -> None:
    stream = wire(dialect, events)
    _, frames = relayed(dialect, dialect, cut(stream, seed))
    shown = b"".join(frame.data for frame in frames)
    assert shown == stream


@pytest.mark.parametrize("dialect", CLIENTS.values(), ids=lambda dialect: dialect.name)
def test_a_byte_order_mark_is_not_passed_on(dialect: Dialect) -> None:
    """Anthropic's SDK would lose the first event, and its helper raise an AssertionError."""
    stream = wire(dialect, ANSWER)

    def shown(chunks: list[bytes]) -> bytes:
        return b"".join(frame.data for frame in relayed(dialect, dialect, chunks)[1])

    assert fed_in_every_way(b"\xef\xbb\xbf" + stream, shown) == stream


@pytest.mark.parametrize("client", [ANTHROPIC, OPENAI], ids=lambda dialect: dialect.name)
def test_after_a_failure_of_ours_nothing_more_comes(client: Dialect) -> None:
    relay = make_relay(Origin(ANTHROPIC, "p"), client, REQUEST)
    shown = relay.fail("timeout_error", "no content for 60 s")
    failed = decoded(client, shown)[0]
    assert failed == StreamError("timeout_error", "no content for 60 s")
    assert relay.feed(b"event: ping\ndata: {}\n\n") == []
    assert relay.end() == []


@pytest.mark.parametrize(("provider", "client"), PAIRS, ids=lambda dialect: dialect.name)
def test_an_endless_event_is_an_error(provider: Dialect, client: Dialect) -> None:
    relay = make_relay(Origin(provider, "p"), client, REQUEST)
    frames = relay.feed(b"data: " + b"x" * (17 * 1024 * 1024))
    assert [frame.kind for frame in frames] == ["error"]
    assert "longer than" in frames[0].error_message


def test_usage_of_a_cut_stream_is_what_was_said() -> None:
    stream = wire(ANTHROPIC, [MessageDelta("end_turn", None, Usage(input=7, output=9))])
    start = b'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":7}}}\n\n'
    for client in (ANTHROPIC, OPENAI):
        relay, frames = relayed(ANTHROPIC, client, [start + stream])
        assert relay.usage == Usage(input=7, output=9)
        assert frames[-1].kind == "error"


@pytest.mark.parametrize(("provider", "client"), PAIRS, ids=lambda dialect: dialect.name)
@given(events=streams(), data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_damaged_stream_raises_nothing_and_ends_once(
    provider: Dialect, client: Dialect, events: list[StreamEvent], data: st.DataObject
) -> None:
    stream = bytearray(wire(provider, events))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(stream) - 1))
        stream[at : at + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=6))
        stream += b"\n"
    _, frames = relayed(provider, client, [bytes(stream)])
    ends = [frame.kind for frame in frames if frame.kind in {"terminal", "error"}]
    assert len(ends) <= 1
    assert not ends or frames[-1].kind == ends[0]


def test_what_is_not_utf8_inside_a_raw_part_ends_the_stream_as_an_error() -> None:
    relay = make_relay(Origin(ANTHROPIC, "p"), OPENAI, REQUEST)
    start = b'event: message_start\ndata: {"type":"message_start","message":{"id":"m","model":"x"}}\n\n'
    bad = b'{"type":"content_block_start","index":0,"content_block":{"type":"\x80"}}'
    block = b"event: content_block_start\ndata: " + bad + b"\n\n"
    frames = [*relay.feed(start), *relay.feed(block), *relay.end()]
    assert [frame.kind for frame in frames if frame.kind in {"error", "terminal"}] == ["error"]


@pytest.mark.parametrize("name", ["anthropic", "openai"])
def test_a_whole_answer_that_is_not_utf8_is_no_answer(name: str) -> None:
    anthropic = b'{"type":"message","id":"m","stop_reason":"end_turn","content":[{"type":"tool_use","input":"\x80"}]}'
    openai = b'{"choices":[{"finish_reason":"stop","message":{"content":"\x80"}}]}'
    with pytest.raises(UpstreamFailed):
        CLIENTS[name].decode_response(anthropic if name == "anthropic" else openai)


@pytest.mark.parametrize(
    ("dialect", "whole"),
    [
        (
            ANTHROPIC,
            b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"}}\n\ndata: {"type":"message_stop"}\n\n',
        ),
        (OPENAI, b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'),
    ],
)
def test_a_decoder_says_nothing_after_the_end(dialect: Dialect, whole: bytes) -> None:
    late = b'data: {"choices":[{"index":0,"delta":{"content":"late"}}]}\n\nevent: ping\ndata: {"type":"ping"}\n\n'
    for cut in (0, 1):
        decoder = dialect.stream_decoder()
        events = decoder.feed(whole + late) if cut == 0 else decoder.feed(whole) + decoder.feed(late)
        assert isinstance(events[-1], MessageStop)
        assert decoder.end() == []


@pytest.mark.parametrize(
    "data",
    [b"{'a':1}", b'{"a":}', b'{"text":"\xff"}}', b'{"a":1}}', b'{"choices":[{"index":0,"delta":{"content":"\xff"}}]}'],
)
@pytest.mark.parametrize("dialect", [ANTHROPIC, OPENAI], ids=["anthropic", "openai"])
def test_content_that_no_client_can_read_is_not_passed_on(dialect: Dialect, data: bytes) -> None:
    """SDKs would show it as a bug of their own, not as an error of the API."""
    stream = wire(
        dialect, [MessageStart("m", "m", Usage()), BlockStart(0, Block(type="text")), BlockDelta(0, "text", "hello")]
    )
    usual = b'{"type":"content_block_delta","index":0,' if dialect is ANTHROPIC else b""
    bad = b"event: content_block_delta\ndata: %s%s}\n\n" if dialect is ANTHROPIC else b"data: %s%s\n\n"
    _, frames = relayed(dialect, dialect, [stream, bad % (usual, data)])
    assert (frames[-1].kind, data in frames[-1].data) == ("error", False)
