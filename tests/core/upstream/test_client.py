"""The way out, against a socket that keeps what it was sent."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest
from raw_provider import OK, fin, provider, says

from core.errors import UpstreamFailed
from core.schema import ProviderSettings, UpstreamSettings
from core.upstream import Upstream

ANSWER = b"HTTP/1.1 200 OK\r\nX-Request-Id: r1\r\nSet-Cookie: a=b\r\nContent-Length: 2\r\n\r\n{}"
CLOCKS = UpstreamSettings()


@asynccontextmanager
async def _provider(sent: list[bytes], answer: bytes = ANSWER) -> AsyncIterator[ProviderSettings]:
    """Answers every request with `answer`, which ends the connection if it is cut short."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                sent.append(await reader.readuntil(b"\r\n\r\n"))
                await reader.readexactly(2)
                writer.write(answer)
                if answer is not ANSWER:
                    return
        except asyncio.IncompleteReadError:
            return
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield ProviderSettings(dialect="anthropic", base_url=f"http://127.0.0.1:{port}", allow_private=True)


def test_no_cookie_of_an_answer_goes_out_with_the_next_request() -> None:
    sent: list[bytes] = []

    async def ask_twice() -> list[bytes]:
        upstream = Upstream()
        bodies = []
        async with _provider(sent) as provider:
            for _ in range(2):
                async with upstream.post(provider, CLOCKS, "/v1/messages", {"x-api-key": "k"}, b"{}") as reply:
                    assert reply.headers["x-request-id"] == "r1"
                    bodies.append(await reply.body())
            await upstream.close()
        return bodies

    assert asyncio.run(ask_twice()) == [b"{}", b"{}"]
    assert len(sent) == 2
    for head in map(bytes.lower, sent):
        assert head.startswith(b"post /v1/messages http/1.1\r\n")
        assert b"x-api-key: k" in head
        assert b"accept-encoding: identity" in head
        assert b"cookie" not in head


@pytest.mark.parametrize(
    ("answer", "stage"),
    [(b"", "unknown"), (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", "cut")],
)
def test_the_stage_says_how_far_a_request_got(answer: bytes, stage: str) -> None:
    async def ask() -> None:
        upstream = Upstream()
        try:
            async with _provider([], answer) as provider, upstream.post(provider, CLOCKS, "/x", {}, b"{}") as reply:
                await reply.body()
        finally:
            await upstream.close()

    with pytest.raises(UpstreamFailed) as failed:
        asyncio.run(ask())
    assert failed.value.stage == stage


@pytest.mark.parametrize(
    ("answer", "status", "stage"),
    [(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", 504, "stalled"), (b"HTTP/1.1 200 O", 504, "unknown")],
)
def test_silence_is_told_from_a_broken_connection(answer: bytes, status: int, stage: str) -> None:
    async def ask() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(answer)
            await reader.read()  # until the other side gives up
            writer.close()
            await writer.wait_closed()
            closed.set()

        closed, clocks = asyncio.Event(), UpstreamSettings(first_content_s=0.2, between_content_s=0.2)
        upstream = Upstream()
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            provider = ProviderSettings(dialect="anthropic", base_url=url, allow_private=True)
            try:
                async with upstream.post(provider, clocks, "/x", {}, b"{}") as reply:
                    await reply.body()
            finally:
                await upstream.close()
                await asyncio.wait_for(closed.wait(), 10)

    with pytest.raises(UpstreamFailed) as failed:
        asyncio.run(ask())
    assert (failed.value.status, failed.value.stage) == (status, stage)


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "zstd", "br", "deflate", "identity, gzip", "x"])
@pytest.mark.parametrize(("status", "stage"), [(200, "answered"), (429, None)])
def test_what_nobody_asked_to_be_compressed_is_neither_inflated_nor_taken_for_text(
    encoding: str, status: int, stage: str | None
) -> None:
    bomb = gzip.compress(bytes(1_000_000))
    head = b"HTTP/1.1 %d X\r\nContent-Encoding: %b\r\nRetry-After: 7\r\nContent-Length: %d\r\n\r\n"
    answer = head % (status, encoding.encode(), len(bomb)) + bomb

    async def ask() -> None:
        upstream = Upstream()
        try:
            async with _provider([], answer) as provider, upstream.post(provider, CLOCKS, "/x", {}, b"{}") as reply:
                assert (reply.status, reply.headers["retry-after"], await reply.body()) == (429, "7", b"")
        finally:
            await upstream.close()

    if stage is None:  # an error keeps its status
        asyncio.run(ask())
        return
    with pytest.raises(UpstreamFailed, match="compressed its answer") as failed:
        asyncio.run(ask())
    assert failed.value.stage == stage


def test_headers_with_control_characters_are_not_believed() -> None:
    headers = b"X-Request-Id: a\x1b[31m\r\nRetry-After: 1\x01\r\nServer: b\tc\r\nContent-Length: 2\r\n\r\n{}"

    async def ask() -> Mapping[str, str]:
        upstream = Upstream()
        async with (
            _provider([], b"HTTP/1.1 200 OK\r\n" + headers) as provider,
            upstream.post(provider, CLOCKS, "/x", {}, b"{}") as reply,
        ):
            await reply.body()
        await upstream.close()
        return reply.headers

    assert asyncio.run(ask()) == {"server": "b\tc", "content-length": "2"}


def test_a_connection_made_under_one_judgement_is_not_used_under_another() -> None:
    sent: list[bytes] = []

    async def ask() -> None:
        upstream = Upstream()
        async with _provider(sent) as provider:
            # By name, so that only the resolver can judge.
            named = provider.model_copy(update={"base_url": provider.base_url.replace("127.0.0.1", "localhost")})
            for now in (provider, named):
                async with upstream.post(now, CLOCKS, "/x", {}, b"{}") as reply:
                    await reply.body()
                assert upstream.counts().idle > 0
                # As after a reload that took the permission away.
                with pytest.raises(UpstreamFailed, match="allow_private") as failed:
                    async with upstream.post(now.model_copy(update={"allow_private": False}), CLOCKS, "/x", {}, b"{}"):
                        pass
                assert failed.value.stage == "not_sent"
        await upstream.close()

    asyncio.run(ask())
    assert len(sent) == 2


def test_pools_of_providers_that_are_gone_go() -> None:
    async def ask() -> None:
        upstream = Upstream()
        for _ in range(5):
            async with provider(says(OK, then=fin)) as (settings, _):
                async with upstream.post(settings, CLOCKS, "/x", {}, b"{}") as reply:
                    await reply.body()
                await asyncio.sleep(0.1)  # its end arrives
                assert upstream.counts() == (0, 0, 0)
        assert len(upstream._pools) == 1
        await upstream.close()

    asyncio.run(asyncio.wait_for(ask(), 10))


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "169.254.169.254", "10.0.0.1"])
def test_an_address_literal_is_judged_every_time(host: str) -> None:
    provider = ProviderSettings(dialect="anthropic", base_url=f"http://{host}:9")

    async def ask() -> None:
        upstream = Upstream()
        async with upstream.post(provider, CLOCKS, "/x", {}, b"{}"):
            pass

    for _ in range(2):
        with pytest.raises(UpstreamFailed, match=r"is a (loopback|cloud)") as failed:
            asyncio.run(ask())
        assert failed.value.stage == "not_sent"
