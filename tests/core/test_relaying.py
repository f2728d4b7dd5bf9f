"""What comes back from providers: errors that clients can act on, and nothing of ours in them."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from types import MappingProxyType

import pytest

from core import relaying
from core.dialects import CLIENTS, PROVIDERS
from core.errors import UpstreamFailed
from core.exchange import ProviderKey
from core.patience import Patience
from core.schema import UpstreamSettings
from core.upstream import Reply

ANTHROPIC = CLIENTS["anthropic"]
KEY = "sk-canary-0123456789"
OTHER = f"{KEY}-and-more"
KEYS = (ProviderKey(1, KEY), ProviderKey(2, OTHER))


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


QUOTA = b'[{"error":{"code":429,"message":"m","details":[{"@type":"t/google.rpc.RetryInfo","retryDelay":"%s"}]}}]'


@pytest.mark.parametrize(
    ("delay", "headers", "expected"),
    [
        (b"34.07s", {}, {"retry-after": "35"}),
        (b"34s", {"retry-after": "2"}, {"retry-after": "2"}),
        (b"34s", {"retry-after-ms": "9"}, {"retry-after-ms": "9"}),
        (b"soon", {}, {}),
        (b"99999999999s", {}, {}),
    ],
)
def test_a_wait_that_is_said_in_the_error_counts_unless_a_header_says_one(
    delay: bytes, headers: dict[str, str], expected: dict[str, str]
) -> None:
    assert failure(429, QUOTA % delay, headers=headers).headers == expected


@pytest.mark.parametrize(("status", "seen"), [(400, 401), (403, 403), (500, 500)])
def test_a_key_that_is_refused_with_a_400_is_no_mistake_of_the_request(status: int, seen: int) -> None:
    body = b'{"error":{"code":400,"message":"API key not valid.","details":[{"reason":"API_KEY_INVALID"}]}}'
    failed = asyncio.run(relaying.failure(Reply(status, {}, chunks(body)), PROVIDERS["gemini"], ANTHROPIC))
    assert (failed.status, failed.type, failed.message) == (seen, "authentication_error", "API key not valid.")


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


@pytest.mark.parametrize(
    ("data", "left"),
    [
        (b'{"m": "key sk-a\\/b+c-0123456789"}', b'{"m": "key [redacted]"}'),
        (
            b'{"m": "sk-\\u0061\\u002fb\\u002Bc-0123456789", "n": "\\n\\u0022\\u00e9"}',
            b'{"m": "[redacted]", "n": "\\n\\u0022\\u00e9"}',
        ),
        (b'{"m": "a\\/b", "n": "sk-a/b+c"}', None),
        (b'{"m": "sk-a\\\\/b+c-0123456789"}', None),
        (b"sk-a\\", None),
    ],
)
def test_a_key_is_found_behind_the_escapes_of_json(data: bytes, left: bytes | None) -> None:
    assert relaying.without_keys(data, (ProviderKey(1, "sk-a/b+c-0123456789"),)) == (data if left is None else left)


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


NO_STREAM: list[tuple[bytes, Callable[[UpstreamFailed], bool]]] = [
    (b'{"type":"error","error":{"type":"overloaded_error","message":"busy"}}', lambda f: f.status == 529),
    (b"<html><title>Welcome</title>", lambda f: f.status == 502),
    (
        b'{"type":"message","id":"m","model":"m","content":[],"stop_reason":"end_turn","usage":{}}',
        lambda f: "whole answer" in f.message,
    ),
]


async def no_stream(body: bytes) -> UpstreamFailed:
    patience = Patience(UpstreamSettings(), asked=asyncio.get_running_loop().time())
    try:
        return await relaying.no_stream(Reply(200, {}, chunks(body)), ANTHROPIC, patience)
    finally:
        patience.close()


@pytest.mark.parametrize(("body", "expected"), NO_STREAM)
def test_a_page_or_a_whole_answer_in_place_of_a_stream(body: bytes, expected: Callable[[UpstreamFailed], bool]) -> None:
    assert expected(asyncio.run(no_stream(body)))


@pytest.mark.parametrize("said", ["application/json", "Application/JSON; charset=utf-8", "TEXT/HTML"])
def test_a_page_is_known_by_its_label(said: str) -> None:
    assert relaying.is_no_stream({"content-type": said})
    assert not relaying.is_no_stream({"content-type": "text/event-stream"})
    assert not relaying.is_no_stream({})


def test_an_error_whose_body_hangs_keeps_its_status(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relaying, "ERROR_S", 0.01)

    async def hanging() -> AsyncGenerator[bytes, None]:
        yield b'{"type": "error"'
        await asyncio.sleep(600)

    async def run() -> UpstreamFailed:
        async with asyncio.timeout(10):
            return await relaying.failure(Reply(529, {}, hanging()), ANTHROPIC, ANTHROPIC)

    assert asyncio.run(run()).status == 529


@pytest.mark.parametrize("between", [b"\n", b" \r\n"])
def test_white_space_is_no_content_of_a_whole_answer(between: bytes) -> None:
    """DeepSeek sends blank lines until the answer is there: they end, or the clock does."""

    async def waiting(lines: int) -> AsyncGenerator[bytes, None]:
        for _ in range(lines):
            yield between
            await asyncio.sleep(0.01)
        yield b"{}"

    async def run(lines: int) -> bytes:
        clocks = UpstreamSettings(first_content_s=0.3, between_content_s=0.3)
        patience = Patience(clocks, asked=asyncio.get_running_loop().time())
        try:
            return await relaying.whole(Reply(200, {}, waiting(lines)), patience)
        finally:
            patience.close()

    assert asyncio.run(run(3)).strip() == b"{}"
    with pytest.raises(UpstreamFailed, match="no content") as caught:
        asyncio.run(run(1_000_000))
    assert (caught.value.status, caught.value.stage) == (504, "stalled")
