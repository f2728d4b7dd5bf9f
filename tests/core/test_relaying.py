"""What comes back from providers: errors that clients can act on, and nothing of ours in them."""

import asyncio
import itertools
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack
from types import MappingProxyType

import pytest

from core import relaying
from core.dialects import DIALECTS
from core.dialects.base import Dialect
from core.errors import UpstreamFailed
from core.exchange import Exchange, ProviderKey
from core.messages import Message, Request
from core.upstream import Reply

ANTHROPIC, OPENAI = DIALECTS["anthropic"], DIALECTS["openai"]
REQUEST = Request(dialect="anthropic", raw=b"{}", model="m", messages=[Message(role="user", content=[])])
KEY = "sk-canary-0123456789"
OTHER = f"{KEY}-and-more"
KEYS = (ProviderKey(1, KEY), ProviderKey(2, OTHER))
OPENING = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"m","model":"m","usage":{}}}\n\n'
    b'event: content_block_start\ndata: {"type":"content_block_start","index":0,'
    b'"content_block":{"type":"text","text":""}}\n\n'
)
CONTENT = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
    b'"delta":{"type":"text_delta","text":"hi"}}\n\n'
)


async def chunks(*parts: bytes, cut: bool = False) -> AsyncGenerator[bytes, None]:
    for part in parts:
        yield part
    if cut:
        raise UpstreamFailed(502, "the provider's answer broke off", stage="cut")


def failure(
    status: int, *parts: bytes, cut: bool = False, headers: Mapping[str, str] = MappingProxyType({})
) -> UpstreamFailed:
    return asyncio.run(relaying.failure(Reply(status, headers, chunks(*parts, cut=cut)), ANTHROPIC, ANTHROPIC))


@pytest.mark.parametrize("status", [100, 201, 204, 302, 399, 600, 999])
def test_what_is_neither_success_nor_error_is_a_502(status: int) -> None:
    failed = failure(status, b'{"type": "error", "error": {"type": "api_error", "message": "x"}}')
    assert failed.status == 502
    assert str(status) in failed.message
    assert ("redirects" in failed.message) == (300 <= status < 400)


def test_an_error_whose_body_breaks_off_keeps_its_status() -> None:
    failed = failure(429, b'{"type": "error", "er', cut=True, headers={"retry-after": "7"})
    assert (failed.status, failed.type, failed.stage) == (429, "rate_limit_error", "answered")
    assert failed.headers == {"retry-after": "7"}
    assert not failed.body


@pytest.mark.parametrize("body", [b"", b"<html>busy</html>", b'{"cut', b"[1]", b"\x1f\x8b\x08"])
def test_only_a_json_object_is_relayed_as_it_is(body: bytes) -> None:
    failed = failure(503, body, headers={"content-type": "application/json"})
    assert not failed.body
    assert failed.message


def test_our_key_is_taken_out_of_all_that_a_provider_says() -> None:
    body = b'{"type":"error","error":{"type":"authentication_error","message":"no such key: %b"}}' % KEY.encode()
    failed = failure(401, body, headers={"request-id": f"for-{KEY}", "retry-after": "1"})
    assert KEY in failed.message
    relaying.redact(failed, KEYS)
    assert failed.message == "no such key: [redacted]"
    assert failed.body == body.replace(KEY.encode(), b"[redacted]")
    assert failed.headers == {"retry-after": "1"}


def test_a_placeholder_key_is_a_word_that_stays() -> None:
    failed = failure(400, b'{"type":"error","error":{"type":"invalid_request_error","message":"none of them"}}')
    relaying.redact(failed, (ProviderKey(1, "none"),))
    assert failed.message == "none of them"


def test_every_key_of_the_provider_is_taken_out_the_longest_first() -> None:
    body = b'{"type":"error","error":{"type":"authentication_error","message":"%b, %b"}}' % (
        OTHER.encode(),
        KEY.encode(),
    )
    failed = failure(401, body, headers={"request-id": OTHER})
    relaying.redact(failed, KEYS)
    assert failed.message == "[redacted], [redacted]"
    assert b"more" not in failed.body
    assert failed.headers == {}


def test_headers_that_cannot_go_out_are_left_behind() -> None:
    sent = {"accept": "text/é", "anthropic-beta": "a\x01", "anthropic-version": "2023-06-01", "cookie": "c"}
    headers = relaying.request_headers(sent, ANTHROPIC, same=True)
    assert headers == {"content-type": "application/json", "anthropic-version": "2023-06-01"}


@pytest.mark.parametrize("same", [True, False])
def test_only_named_headers_come_back(same: bool) -> None:
    limits = {"anthropic-ratelimit-requests-limit": "5", "x-ratelimit-limit-tokens": "9"}
    kept = {"retry-after": "7", "request-id": "r"}
    dropped = {"set-cookie": "a=b", "access-control-allow-origin": "*", "server": "x", "content-encoding": "gzip"}
    assert relaying.response_headers({**kept, **limits, **dropped}, same=same) == (kept | limits if same else kept)


def relayed(exchange: Exchange, *parts: bytes) -> bytes:
    """What a client gets of a stream."""

    async def run() -> bytes:
        stream = relaying.StreamRelay(chunks(*parts), ANTHROPIC, ANTHROPIC, REQUEST, quiet_s=300)
        await stream.prime()
        return b"".join([piece async for piece in relaying.pieces(stream, exchange, AsyncExitStack(), KEYS)])

    return asyncio.run(run())


@pytest.mark.parametrize("kind", ["overloaded_error", f"free_text_{KEY}"])
def test_an_error_in_the_stream_repeats_no_key_and_is_logged_by_known_names_only(kind: str) -> None:
    error = b'event: error\ndata: {"type":"error","error":{"type":"%b","message":"%b"}}\n\n'
    exchange = Exchange("req_1", "/v1/messages", "anthropic")
    received = relayed(exchange, OPENING + CONTENT, error % (kind.encode(), KEY.encode()))
    assert b"event: error" in received
    assert KEY.encode() not in received
    assert exchange.error == f"{kind if kind == 'overloaded_error' else 'api_error'}: after the first byte"


def test_before_content_an_unknown_error_type_is_an_api_error() -> None:
    error = b'event: error\ndata: {"type":"error","error":{"type":"odd","message":"m"}}\n\n'
    with pytest.raises(UpstreamFailed) as caught:
        relayed(Exchange("req_1", "/v1/messages", "anthropic"), OPENING, error)
    assert (caught.value.status, caught.value.type) == (502, "api_error")


NO_STREAM: list[tuple[bytes, Callable[[UpstreamFailed], bool]]] = [
    (b'{"type":"error","error":{"type":"overloaded_error","message":"busy"}}', lambda f: f.status == 529),
    (b"<html><title>Welcome</title>", lambda f: f.status == 502),
    (
        b'{"type":"message","id":"m","model":"m","content":[],"stop_reason":"end_turn","usage":{}}',
        lambda f: "whole answer" in f.message,
    ),
]


@pytest.mark.parametrize(("body", "expected"), NO_STREAM)
def test_a_page_or_a_whole_answer_in_place_of_a_stream(body: bytes, expected: Callable[[UpstreamFailed], bool]) -> None:
    assert expected(asyncio.run(relaying.no_stream(Reply(200, {}, chunks(body)), ANTHROPIC)))


ENDING = (
    b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{}}\n\n'
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
)
PING = b'event: ping\ndata: {"type":"ping"}\n\n'


@pytest.mark.parametrize("client", [ANTHROPIC, OPENAI])
@pytest.mark.parametrize("opening", [OPENING, OPENING + CONTENT])
def test_signs_of_life_are_no_progress(client: Dialect, opening: bytes) -> None:
    """A provider that only pings, a second a time, is given up after `quiet_s`: with an error, never with an end."""
    seconds = itertools.count()

    async def run() -> bytes:
        endless = chunks(opening, *[PING] * 1000)
        stream = relaying.StreamRelay(endless, ANTHROPIC, client, REQUEST, quiet_s=30, clock=lambda: next(seconds))
        await stream.prime()
        exchange = Exchange("req_1", "/v1/messages", "anthropic")
        received = b"".join([piece async for piece in relaying.pieces(stream, exchange, AsyncExitStack(), KEYS)])
        assert exchange.error == "cut: after the first byte"
        return received

    if opening == OPENING:
        with pytest.raises(UpstreamFailed, match="signs of life") as caught:
            asyncio.run(run())
        assert caught.value.status == 504
    else:
        received = asyncio.run(run())
        assert b"signs of life" in received
        assert received.count(b"ping") < 70
        assert b"message_stop" not in received
        assert b"DONE" not in received


def test_a_provider_that_never_hangs_up_does_not_keep_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relaying, "LINGER_S", 0.01)

    async def open_ended() -> AsyncGenerator[bytes, None]:
        yield OPENING + CONTENT
        yield ENDING
        await asyncio.sleep(600)

    async def run() -> bytes:
        stream = relaying.StreamRelay(open_ended(), ANTHROPIC, ANTHROPIC, REQUEST, quiet_s=300)
        await stream.prime()
        exchange = Exchange("req_1", "/v1/messages", "anthropic")
        async with asyncio.timeout(10):
            return b"".join([piece async for piece in relaying.pieces(stream, exchange, AsyncExitStack(), KEYS)])

    assert asyncio.run(run()) == OPENING + CONTENT + ENDING


def test_a_client_that_leaves_while_a_chunk_is_awaited_leaves_no_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relaying, "HOLD_S", 0.01)

    async def silent() -> AsyncGenerator[bytes, None]:
        yield OPENING
        await asyncio.sleep(600)

    async def run() -> int:
        stream = relaying.StreamRelay(silent(), ANTHROPIC, ANTHROPIC, REQUEST, quiet_s=300)
        await stream.prime()
        pieces = relaying.pieces(stream, Exchange("req_1", "/v1/messages", "anthropic"), AsyncExitStack(), KEYS)
        assert await anext(pieces) == OPENING
        await pieces.aclose()
        await asyncio.sleep(0)
        return len(asyncio.all_tasks())

    assert asyncio.run(run()) == 1
