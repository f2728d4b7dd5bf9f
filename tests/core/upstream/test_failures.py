"""What became of a request, and what a client reads of it: faults on real sockets."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop
from raw_provider import BODY, OK, fin, provider, rst, says

from core.errors import UpstreamFailed
from core.schema import ProviderSettings, UpstreamSettings
from core.upstream import Upstream
from core.upstream.connections import tls
from core.upstream.failures import classify, no_connection
from core.upstream.resolver import ForbiddenAddressError
from prove.certificate import certificate

QUICK = UpstreamSettings(connect_s=0.3, first_content_s=0.3, between_content_s=0.3)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(params=[asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Any:
    def bounded(main: Coroutine[Any, Any, Any]) -> Any:
        return request.param(asyncio.wait_for(main, 10))

    return bounded


@asynccontextmanager
async def upstream() -> AsyncIterator[Upstream]:
    """Nothing is held when it ends."""
    used = Upstream()
    try:
        yield used
        assert used.counts() == (0, 0, 0)
    finally:
        await used.close()


async def failure(settings: ProviderSettings, clocks: UpstreamSettings = QUICK) -> tuple[int, str, str]:
    """(status, stage, message) of a request that must fail."""
    async with upstream() as used:
        with pytest.raises(UpstreamFailed) as failed:
            async with used.post(settings, clocks, "/x", {}, BODY) as reply:
                await reply.body()
        return failed.value.status, failed.value.stage, failed.value.message


NO_HTTP, CLOSED, CUT = "is not HTTP", "closed the connection without", "broke off"
FAULTS: dict[str, tuple[Any, int, str, str]] = {
    "accept and close": (says(then=fin), 502, "unknown", CLOSED),
    "accept and reset": (says(then=rst), 502, "unknown", CLOSED),
    "hang": (says(), 504, "unknown", "in time"),
    "hang in the status line": (says(b"HTTP/1.1 200 O"), 504, "unknown", "in time"),
    "hang in the headers": (says(HEAD), 504, "unknown", "in time"),
    "close in the headers": (says(HEAD, then=fin), 502, "cut", "in its headers"),
    "reset in the headers": (says(HEAD, then=rst), 502, "unknown", CLOSED),
    "hang before the body": (says(HEAD + b"\r\n"), 504, "stalled", "fell silent"),
    "hang in the body": (says(HEAD + b"\r\n{"), 504, "stalled", "fell silent"),
    "close in the body": (says(HEAD + b"\r\n{", then=fin), 502, "cut", CUT),
    "reset in the body": (says(HEAD + b"\r\n{", then=rst), 502, "cut", CUT),
    "close in a chunk": (says(CHUNKED + b"9\r\n{", then=fin), 502, "cut", CUT),
    "close between chunks": (says(CHUNKED + b"1\r\n{\r\n", then=fin), 502, "cut", CUT),
    "reset between chunks": (says(CHUNKED + b"1\r\n{\r\n", then=rst), 502, "cut", CUT),
    "a chunk that is none": (says(CHUNKED, b"zz\r\n{\r\n", then=fin), 502, "cut", ""),
    "reset of a body without length": (says(b"HTTP/1.1 200 OK\r\n\r\n{", then=rst), 502, "cut", CUT),
    "another protocol": (says(b"SSH-2.0-OpenSSH_9\r\n", then=fin), 502, "cut", NO_HTTP),
    "a page without a head": (says(b"<html>hello</html>", then=fin), 502, "cut", NO_HTTP),
    "NUL in a header": (says(OK.replace(b"\r\n\r\n", b"\r\nA: \0\r\n\r\n")), 502, "cut", NO_HTTP),
    "CR in a header": (says(OK.replace(b"\r\n\r\n", b"\r\nA: b\rC: d\r\n\r\n")), 502, "cut", NO_HTTP),
    "two lengths": (says(OK.replace(b"\r\n\r\n", b"\r\nContent-Length: 5\r\n\r\n")), 502, "cut", NO_HTTP),
    "a length and chunks": (says(CHUNKED[:-2] + b"Content-Length: 5\r\n\r\n"), 502, "cut", NO_HTTP),
    "a negative length": (says(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}"), 502, "cut", NO_HTTP),
    "a line that ends with LF": (says(b"HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\n{}"), 502, "cut", NO_HTTP),
    "a folded line": (says(OK.replace(b"\r\n\r\n", b"\r\nA: b\r\n c\r\n\r\n")), 502, "cut", NO_HTTP),
    "a space before a colon": (says(OK.replace(b"\r\n\r\n", b"\r\nA : b\r\n\r\n")), 502, "cut", NO_HTTP),
    "a control character in a header": (says(OK.replace(b"\r\n\r\n", b"\r\nA: \x1b[31m\r\n\r\n")), 502, "cut", NO_HTTP),
    "a low status": (says(b"HTTP/1.1 099 Low\r\n\r\n"), 502, "cut", NO_HTTP),
    "close behind an interim answer": (says(b"HTTP/1.1 102 Processing\r\n\r\n", then=fin), 502, "unknown", CLOSED),
    "an endless length": (says(b"HTTP/1.1 200 OK\r\nContent-Length: 1" + b"0" * 30 + b"\r\n\r\n"), 502, "cut", NO_HTTP),
}


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_has_its_stage(name: str, run: Any) -> None:
    script, status, stage, message = FAULTS[name]

    async def main() -> tuple[int, str, str]:
        async with provider(script) as (settings, _):
            return await failure(settings)

    got = run(main())
    assert got[:2] == (status, stage)
    assert message in got[2]


def test_a_head_that_drips_is_late_though_bytes_keep_coming(run: Any) -> None:
    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for byte in OK * 100:
            writer.write(bytes([byte]))
            await asyncio.sleep(0.1)

    async def main() -> tuple[int, str, str]:
        async with provider(drip) as (settings, _):
            return await failure(settings)

    assert run(main())[:2] == (504, "unknown")


async def drips(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while True:
        writer.write(b" ")
        await asyncio.sleep(0.02)


@pytest.mark.parametrize(("script", "whole"), [(drips, True), (drips, False), (says(HEAD + b"\r\n{"), True)])
def test_an_answer_ends_with_the_total_clock(run: Any, script: Any, whole: bool) -> None:
    """One that is read in pieces is told when the next piece comes: its silence is the other clocks' matter."""

    async def read(settings: ProviderSettings, used: Upstream) -> None:
        async with used.post(settings, UpstreamSettings(total_s=0.4), "/x", {}, BODY) as reply:
            assert reply.deadline <= asyncio.get_running_loop().time() + 0.4
            if whole:
                await reply.body()
            async for _ in reply.chunks:
                pass

    async def main() -> UpstreamFailed:
        async with provider(script) as (settings, _), upstream() as used:
            with pytest.raises(UpstreamFailed) as failed:
                await read(settings, used)
            return failed.value

    failed = run(main())
    assert (failed.status, failed.stage) == (504, "stalled")
    assert "total_s" in failed.message


# Not sent


@pytest.fixture
def closed_port() -> Iterator[int]:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def test_refused(closed_port: int, run: Any) -> None:
    settings = ProviderSettings(dialect="openai", base_url=f"http://127.0.0.1:{closed_port}", allow_private=True)
    assert run(failure(settings)) == (502, "not_sent", "the provider cannot be reached")


def test_a_name_that_is_none(run: Any) -> None:
    settings = ProviderSettings(dialect="openai", base_url="http://no-such-name.invalid", allow_private=True)
    assert run(failure(settings, UpstreamSettings())) == (502, "not_sent", "the provider's name cannot be resolved")


def test_a_full_backlog_is_a_matter_of_the_connect_clock(run: Any) -> None:
    async def main() -> tuple[int, str, str]:
        with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, socket.socket() as first:
            first.connect(listener.getsockname())  # nobody accepts: the queue is full with it
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            with socket.socket() as second:
                second.setblocking(False)
                second.connect_ex(listener.getsockname())
                return await failure(ProviderSettings(dialect="openai", base_url=url, allow_private=True))

    assert run(main()) == (504, "not_sent", "the provider could not be reached in time")


@pytest.fixture
def trusted() -> Iterator[ssl.SSLContext]:
    """The context of the next requests, to be told whom to trust; forgotten afterwards."""
    tls.cache_clear()
    yield tls()
    tls.cache_clear()


def test_tls_carries_the_name(tmp_path: Path, trusted: ssl.SSLContext, run: Any) -> None:
    context, pem = certificate(tmp_path)
    trusted.load_verify_locations(cadata=pem)

    async def main() -> None:
        used = Upstream()
        async with provider(says(OK, then=fin), tls=context, host="localhost") as (settings, seen):
            clocks = UpstreamSettings()
            async with used.post(settings, clocks, "/x", {}, BODY) as reply:
                assert await reply.body() == BODY
            assert seen.names == ["localhost"]
            assert b"\r\nhost: localhost:" in seen.requests[0].lower()
        await used.close()

    run(main())


@pytest.mark.parametrize(
    ("name", "days", "said"),
    [
        ("localhost", 1, "is signed by itself"),
        ("localhost", -1, "has expired"),
        ("other.example", 1, "is for another name"),
        ("10.0.0.1", 1, "is for another name"),
    ],
)
def test_a_bad_certificate_is_told_and_nothing_is_sent(
    tmp_path: Path, trusted: ssl.SSLContext, run: Any, name: str, days: int, said: str
) -> None:
    context, pem = certificate(tmp_path, name, days=days)
    if said != "is signed by itself":
        trusted.load_verify_locations(cadata=pem)

    async def main() -> None:
        async with provider(says(OK), tls=context, host="localhost") as (settings, seen):
            assert await failure(settings, UpstreamSettings()) == (
                502, "not_sent", f"the provider's certificate {said}"
            )  # fmt: skip
            assert seen.requests == []

    run(main())


def test_plain_http_where_tls_is_expected(run: Any) -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async def main() -> tuple[int, str, str]:
        server = await asyncio.start_server(plain, "127.0.0.1", 0)
        async with server:
            url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            return await failure(ProviderSettings(dialect="openai", base_url=url, allow_private=True))

    status, stage, message = run(main())
    assert (status, stage) == (502, "not_sent")
    assert "TLS" in message


def test_a_handshake_that_hangs_is_a_matter_of_the_connect_clock(run: Any) -> None:
    async def main() -> tuple[int, str, str]:
        async with provider(says()) as (settings, _):  # it waits for the end of a request that never comes
            url = settings.base_url.replace("http:", "https:")
            return await failure(settings.model_copy(update={"base_url": url}))

    assert run(main())[:2] == (504, "not_sent")


def test_an_error_that_nobody_knows_says_nothing_of_ours() -> None:
    failed = classify(RuntimeError("secret of ours"))
    assert (failed.status, failed.stage) == (502, "not_sent")
    assert "secret" not in failed.message


def test_a_refused_address_and_a_bad_certificate_do_not_pass_by_themselves() -> None:
    expired = ssl.SSLCertVerificationError()
    expired.verify_code = 10
    assert classify(ForbiddenAddressError("a is private")).lasting
    assert classify(expired).lasting
    assert not classify(ConnectionRefusedError()).lasting
    assert not no_connection().lasting
