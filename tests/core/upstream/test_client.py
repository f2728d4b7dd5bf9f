"""The way out, against a socket that keeps what it was sent."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import uvloop
from asgi import until
from raw_provider import OK, fin, full_backlog, provider, says

from core.errors import UpstreamFailed
from core.schema import ProviderSettings, UpstreamSettings
from core.upstream import Upstream
from core.upstream.connections import tls
from core.upstream.places import known_place

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


@pytest.mark.parametrize("framing", ["gzip, chunked", "GZIP , chunked"])
def test_a_compressed_transfer_is_not_taken_for_text_either(framing: str) -> None:
    packed = gzip.compress(b"{}")
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: %b\r\n\r\n%x\r\n%b\r\n0\r\n\r\n"

    async def ask() -> None:
        upstream = Upstream()
        try:
            async with (
                _provider([], answer % (framing.encode(), len(packed), packed)) as provider,
                upstream.post(provider, CLOCKS, "/x", {}, b"{}") as reply,
            ):
                await reply.body()
        finally:
            await upstream.close()

    with pytest.raises(UpstreamFailed, match="compressed its answer"):
        asyncio.run(ask())


def test_headers_come_as_they_are_but_for_what_is_around_them() -> None:
    headers = b"Server: b\tc\r\nX-Name:  \xe9\xff \t\r\nX-Twice: 1\r\nx-twice: 2\r\nContent-Length: 2\r\n\r\n{}"

    async def ask() -> Mapping[str, str]:
        upstream = Upstream()
        async with (
            _provider([], b"HTTP/1.1 200 OK\r\n" + headers) as provider,
            upstream.post(provider, CLOCKS, "/x", {}, b"{}") as reply,
        ):
            await reply.body()
        await upstream.close()
        return reply.headers

    expected = {"server": "b\tc", "x-name": "\xe9\xff", "x-twice": "1, 2", "content-length": "2"}
    assert asyncio.run(ask()) == expected


@pytest.mark.parametrize("value", ["a\r\nx-more: 1", "a\nb", "a\0", "\xe9", "a\x7f"])
def test_a_header_that_would_be_more_than_one_is_not_sent(value: str) -> None:
    async def ask() -> list[bytes]:
        upstream, sent = Upstream(), list[bytes]()
        async with _provider(sent) as provider:
            with pytest.raises(UpstreamFailed, match="cannot be sent") as failed:
                async with upstream.post(provider, CLOCKS, "/x", {"x-any": value}, b"{}"):
                    pass
            assert failed.value.stage == "not_sent"
        await upstream.close()
        return sent

    assert asyncio.run(ask()) == []


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
                await until(lambda: upstream.counts() == (0, 0, 0))  # its end arrives
        assert len(upstream._pools) == 1
        await upstream.close()

    asyncio.run(asyncio.wait_for(ask(), 10))


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "169.254.169.254", "10.0.0.1"])
def test_an_address_literal_is_judged_every_time(host: str) -> None:
    provider = ProviderSettings(dialect="anthropic", base_url=f"http://{host}:9")

    async def ask() -> None:
        upstream = Upstream()
        try:
            async with upstream.post(provider, CLOCKS, "/x", {}, b"{}"):
                pass
        finally:
            await upstream.close()

    for _ in range(2):
        with pytest.raises(UpstreamFailed, match=r"is a (loopback|cloud)") as failed:
            asyncio.run(ask())
        assert failed.value.stage == "not_sent"


async def _everything_back(upstream: Upstream, before: tuple[int, int]) -> None:
    """No slot, task or descriptor more than before."""
    for _ in range(200):
        if upstream.counts() == (0, 0, 0) and (len(asyncio.all_tasks()), _descriptors()) == before:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{upstream.counts()}, {len(asyncio.all_tasks())}, {_descriptors()}, not {before}")


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


CHUNK = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n"


@asynccontextmanager
async def _full_backlog() -> AsyncIterator[ProviderSettings]:
    async with full_backlog() as url:
        yield ProviderSettings(dialect="openai", base_url=url, allow_private=True)


@asynccontextmanager
async def _at(phase: str) -> AsyncIterator[ProviderSettings]:
    """A provider with which a request comes to a stand in this phase."""
    if phase == "connect":
        async with _full_backlog() as settings:
            yield settings
        return
    async with provider(says(CHUNK) if phase == "body" else says()) as (settings, _):
        url = settings.base_url
        changed = {"look-up": url.replace("127.0.0.1", "hangs.example"), "tls": url.replace("http:", "https:")}
        yield settings.model_copy(update={"base_url": changed.get(phase, url)})


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("phase", ["look-up", "connect", "tls", "headers", "body"])
def test_who_leaves_leaves_nothing_behind(phase: str, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hangs(*_: object, **__: object) -> None:
        await asyncio.sleep(3600)

    if phase == "look-up":
        for loop in (asyncio.BaseEventLoop, uvloop.Loop):
            monkeypatch.setattr(loop, "getaddrinfo", hangs)

    async def ask(upstream: Upstream, settings: ProviderSettings, content: asyncio.Event) -> None:
        async with upstream.post(settings, CLOCKS, "/x", {}, b"{}") as reply:
            async for _ in reply.chunks:
                content.set()

    async def main() -> None:
        upstream = Upstream()
        await upstream.close()  # loads what is loaded once
        async with _at(phase) as settings:
            tls()
            # A look-up is a thread's, which nobody can cancel: one for each name goes on, and serves who asks next.
            before = len(asyncio.all_tasks()) + (phase == "look-up"), _descriptors()
            for _ in range(5):
                content = asyncio.Event()
                asking = [asyncio.ensure_future(ask(upstream, settings, content)) for _ in range(20)]
                await (content.wait() if phase == "body" else asyncio.sleep(0.02))
                assert upstream.counts().acquired == 20
                for task in asking:
                    task.cancel()
                await asyncio.wait(asking)
                assert all(task.cancelled() for task in asking)
            await _everything_back(upstream, before)
        await upstream.close()

    run(asyncio.wait_for(main(), 20))


def test_the_looks_of_a_path_lead_nowhere_else() -> None:
    """Whatever a path is made of, the host stays the provider's."""
    for path in ("/x@b.example", "/..//b.example", "/%2f%2fb.example", "/?@b.example", "/#@b.example", "/\\b.example"):
        assert known_place("https://a.example/v1" + path).origin.host == "a.example"


@pytest.mark.parametrize("path", ["/a\r\nHost: b", "/a b\n", "/\x00"])
def test_a_path_cannot_end_a_line(path: str) -> None:
    async def ask() -> list[bytes]:
        upstream = Upstream()
        async with provider(says(OK, then=fin)) as (settings, seen):
            with suppress(UpstreamFailed):
                async with upstream.post(settings, CLOCKS, path, {}, b"{}"):
                    pass
            await upstream.close()
            return seen.requests

    for request in asyncio.run(ask()):
        assert request.count(b"\r\n") == request.count(b"\n")
        assert request.lower().count(b"\r\nhost:") == 1
