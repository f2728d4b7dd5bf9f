"""Streams on their way: what is held, what is bounded, and how each of them ends."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from core import streaming
from core.dialects import CLIENTS
from core.dialects.base import Dialect, Origin
from core.errors import UpstreamFailed
from core.exchange import Attempt, Exchange, ProviderKey, Target
from core.messages import Message, Request, Usage
from core.patience import Patience
from core.schema import UpstreamSettings

ANTHROPIC, OPENAI = CLIENTS["anthropic"], CLIENTS["openai"]
ORIGIN = Origin(ANTHROPIC, "p")
EACH_CLIENT = pytest.mark.parametrize("client", [ANTHROPIC, OPENAI], ids=lambda dialect: dialect.name)
REQUEST = Request(dialect="anthropic", raw=b"{}", model="m", messages=[Message(role="user", content=[])])
KEY = "sk-canary-0123456789"
KEYS = (ProviderKey(1, KEY),)
HANG_S = 10.0
START = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"m","model":"m","usage":{"input_tokens":7}}}'
    b"\n\n"
)
OPENING = START + (
    b'event: content_block_start\ndata: {"type":"content_block_start","index":0,'
    b'"content_block":{"type":"text","text":""}}\n\n'
)
EMPTY = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
    b'"delta":{"type":"text_delta","text":""}}\n\n'
)
CONTENT = EMPTY.replace(b'""', b'"hi"')
ENDING = (
    b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":'
    b'{"output_tokens":5}}\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n'
)
PING = b'event: ping\ndata: {"type":"ping"}\n\n'
FINISH = b'data: {"choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":"stop"}]}\n\n'
CUT = b"cut"
SILENCE = b"silence"


async def chunks(*parts: bytes, every_s: float = 0.0) -> AsyncGenerator[bytes, None]:
    """The parts as chunks; `CUT` and `SILENCE` are what they say."""
    for part in parts:
        if part is CUT:
            await asyncio.sleep(every_s)
            raise UpstreamFailed(502, f"the provider's answer broke off {KEY}", stage="cut")
        await asyncio.sleep(600 if part is SILENCE else every_s)
        yield part


def exchange() -> Exchange:
    made = Exchange("req_1", "/v1/messages", "anthropic")
    made.attempts.append(Attempt(Target("one", "main"), "ok", 1.0))
    return made


def relayed(
    made: Exchange,
    coming: AsyncGenerator[bytes, None],
    *,
    provider: Dialect = ANTHROPIC,
    client: Dialect = ANTHROPIC,
    clocks: UpstreamSettings | None = None,
) -> bytes:
    """What a client gets of a stream; UpstreamFailed if it fails before any content. Leaves no task and no timer."""

    async def run() -> bytes:
        patience = Patience(clocks or UpstreamSettings(), asked=asyncio.get_running_loop().time())
        stream = streaming.StreamRelay(coming, Origin(provider, "p"), client, REQUEST, patience)
        try:
            async with asyncio.timeout(HANG_S):
                await stream.prime()
                return b"".join([piece async for piece in streaming.pieces(stream, made, KEYS)])
        finally:
            patience.close()
            await asyncio.sleep(0)
            assert len(asyncio.all_tasks()) == 1

    return asyncio.run(run())


@EACH_CLIENT
def test_a_whole_stream_is_said_to_be_whole(client: Dialect) -> None:
    made = exchange()
    received = relayed(made, chunks(OPENING, CONTENT, ENDING), client=client)
    assert (received == OPENING + CONTENT + ENDING) is (client is ANTHROPIC)
    assert (made.whole, made.error, made.usage) == (True, "", Usage(input=7, output=5))
    assert made.attempts[-1].outcome == "ok"


ERROR = b'event: error\ndata: {"type":"error","error":{"type":"%b","message":"%b"}}\n\n'
FAULTS = [
    ((CUT,), "cut: after the first byte", "cut"),
    ((SILENCE,), "stalled: after the first byte", "stalled"),
    ((), "api_error: after the first byte", "502"),
    ((ERROR % (b"overloaded_error", KEY.encode()),), "overloaded_error: after the first byte", "529"),
    ((ERROR % (b"free_" + KEY.encode(), b"m"),), "api_error: after the first byte", "502"),
]


@EACH_CLIENT
@pytest.mark.parametrize(("parts", "error", "outcome"), FAULTS)
def test_a_fault_after_content_is_an_error_event_and_a_cut(
    client: Dialect, parts: tuple[bytes, ...], error: str, outcome: str
) -> None:
    made = exchange()
    received = relayed(
        made, chunks(OPENING + CONTENT, *parts), client=client, clocks=UpstreamSettings(between_content_s=0.05)
    )
    assert received.count(b"event: error" if client is ANTHROPIC else b'data: {"error":') == 1
    assert KEY.encode() not in received
    assert b"message_stop" not in received.replace(b"before its message_stop", b"")
    assert b"DONE" not in received
    assert (made.whole, made.error, made.attempts[-1].outcome) == (False, error, outcome)
    assert made.usage == Usage(input=7)


@EACH_CLIENT
@pytest.mark.parametrize(("parts", "_", "outcome"), FAULTS)
def test_a_fault_before_content_is_a_failure(client: Dialect, parts: tuple[bytes, ...], _: str, outcome: str) -> None:
    with pytest.raises(UpstreamFailed) as caught:
        relayed(exchange(), chunks(OPENING, *parts), client=client, clocks=UpstreamSettings(first_content_s=0.05))
    assert outcome in {str(caught.value.status), caught.value.stage}


@EACH_CLIENT
@pytest.mark.parametrize("life", [PING, b": OPENROUTER PROCESSING\n\n", b"\n", EMPTY, b"data:\n\n"])
@pytest.mark.parametrize("begun", [OPENING, OPENING + CONTENT])
def test_signs_of_life_are_no_progress(client: Dialect, life: bytes, begun: bytes) -> None:
    clocks = UpstreamSettings(first_content_s=0.1 if begun == OPENING else 600, between_content_s=0.1)
    endless = chunks(begun, *[life] * 10_000, every_s=0.002)
    made = exchange()
    if begun == OPENING:
        with pytest.raises(UpstreamFailed, match="no content for") as caught:
            relayed(made, endless, client=client, clocks=clocks)
        assert (caught.value.status, caught.value.stage) == (504, "stalled")
    else:
        assert b"no content for" in relayed(made, endless, client=client, clocks=clocks)
        assert made.error == "stalled: after the first byte"


@EACH_CLIENT
@pytest.mark.parametrize("empty", [b'{"content":""}', b'{"content":null}', b"{}", b'{"role":"x", "content": ""}'])
def test_an_empty_piece_of_a_completion_is_no_progress(client: Dialect, empty: bytes) -> None:
    said = b'data: {"choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n'
    drip = b'data: {"choices":[{"index":0,"delta":%b}]}\n\n' % empty
    made = exchange()
    relayed(
        made,
        chunks(said, *[drip] * 10_000, every_s=0.002),
        provider=OPENAI,
        client=client,
        clocks=UpstreamSettings(between_content_s=0.1),
    )
    assert made.error == "stalled: after the first byte"


def test_the_drip_of_an_event_that_never_ends_is_no_progress() -> None:
    made = exchange()
    drip = chunks(OPENING + CONTENT, b"data: ", *[b"x"] * 10_000, every_s=0.002)
    relayed(made, drip, clocks=UpstreamSettings(between_content_s=0.1))
    assert made.error == "stalled: after the first byte"


@EACH_CLIENT
def test_a_server_that_forgets_to_hang_up_has_still_answered(client: Dialect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.patience.ENDING_S", 0.05)
    made = exchange()
    received = relayed(made, chunks(FINISH, SILENCE), provider=OPENAI, client=client)
    assert (made.whole, made.error) == (True, "")
    assert (b"message_stop" in received) is (client is ANTHROPIC)
    assert b"[DONE]" not in received  # the provider never sent it


def test_a_provider_that_never_hangs_up_does_not_keep_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "LINGER_S", 0.01)
    assert relayed(exchange(), chunks(OPENING + CONTENT, ENDING, SILENCE)) == OPENING + CONTENT + ENDING


@pytest.mark.parametrize("fault", [CUT, b""])
@EACH_CLIENT
def test_held_long_enough_the_status_is_committed_and_a_failure_is_an_event(
    client: Dialect, fault: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "HOLD_S", 0.0)
    made = exchange()
    received = relayed(made, chunks(OPENING, fault or PING, every_s=0.02), client=client)
    assert received.count(b"error") >= 1
    assert made.error.endswith(": after the first byte")
    assert not made.whole


def test_what_is_held_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """An endless opening is not kept: the status is committed, and what follows is sent."""
    monkeypatch.setattr(streaming, "HOLD_BYTES", 2000)
    blocks = [
        b'event: content_block_%b\ndata: {"type":"content_block_%b","index":%d,"content_block":{"type":"text"}}\n\n'
        % (kind, kind, number)
        for number in range(1000)
        for kind in (b"start", b"stop")
    ]
    asked = 0

    async def endless() -> AsyncGenerator[bytes, None]:
        nonlocal asked
        for block in [START, *blocks]:
            asked += 1
            yield block
            await asyncio.sleep(0)

    async def run() -> None:
        patience = Patience(UpstreamSettings(), asked=asyncio.get_running_loop().time())
        async with aclosing(endless()) as coming:
            await streaming.StreamRelay(coming, ORIGIN, ANTHROPIC, REQUEST, patience).prime()
        patience.close()

    asyncio.run(run())
    assert asked < 40


def test_pings_are_not_held() -> None:
    made = exchange()
    assert relayed(made, chunks(*[PING] * 50, OPENING + CONTENT + ENDING)) == OPENING + CONTENT + ENDING


def test_a_bug_of_ours_is_an_error_event_too(monkeypatch: pytest.MonkeyPatch) -> None:
    received = bytearray()

    async def run() -> None:
        patience = Patience(UpstreamSettings(), asked=asyncio.get_running_loop().time())
        stream = streaming.StreamRelay(chunks(OPENING + CONTENT, ENDING), ORIGIN, ANTHROPIC, REQUEST, patience)
        await stream.prime()
        monkeypatch.setattr(stream.relay, "feed", None)
        try:
            async for piece in streaming.pieces(stream, exchange(), KEYS):
                received.extend(piece)
        finally:
            patience.close()

    with pytest.raises(TypeError):
        asyncio.run(run())
    assert b"internal error of the proxy" in received
    assert b"event: message_stop" not in received


def test_a_client_that_leaves_while_a_chunk_is_awaited_leaves_no_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "HOLD_S", 0.01)

    async def run() -> int:
        patience = Patience(UpstreamSettings(), asked=asyncio.get_running_loop().time())
        stream = streaming.StreamRelay(chunks(OPENING, SILENCE), ORIGIN, ANTHROPIC, REQUEST, patience)
        await stream.prime()
        made = exchange()
        pieces = streaming.pieces(stream, made, KEYS)
        assert await anext(pieces) == OPENING
        await pieces.aclose()
        patience.close()
        await asyncio.sleep(0)
        assert made.usage == Usage(input=7)
        return len(asyncio.all_tasks())

    assert asyncio.run(run()) == 1
