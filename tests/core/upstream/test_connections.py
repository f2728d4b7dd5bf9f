"""What a connection may carry, and when it is used again. Real sockets, the event loop of the service."""

import asyncio
import os
import socket
import ssl
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
import uvloop
from raw_provider import BODY, OK, Script, fin, provider, rst, says

from core.errors import UpstreamFailed
from core.schema import ProviderSettings, UpstreamSettings
from core.upstream import Upstream
from core.upstream.connections import judged_socket, tls
from core.upstream.reading import FRAMING, MAX_HEAD, SLACK
from core.upstream.resolver import ForbiddenAddressError

CLOCKS = UpstreamSettings(connect_s=5, first_content_s=5)
POISON = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


async def ask(upstream: Upstream, settings: ProviderSettings) -> bytes:
    async with upstream.post(settings, CLOCKS, "/x", {}, BODY) as reply:
        return await reply.body()


def run(main: Coroutine[Any, Any, None]) -> None:
    uvloop.run(asyncio.wait_for(main, 10))


def answering(*answers: bytes, writers: list[asyncio.StreamWriter] | None = None) -> Script:
    """One of these after the other, the last one for ever."""
    left = list(answers)

    async def script(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(left.pop(0) if len(left) > 1 else left[0])
        if writers is not None:
            writers.append(writer)

    return script


def test_after_a_whole_answer_the_connection_is_used_again() -> None:
    async def main() -> None:
        upstream = Upstream()
        async with provider(answering(OK)) as (settings, seen):
            assert [await ask(upstream, settings) for _ in range(3)] == [BODY] * 3
            assert (seen.connections, len(seen.requests)) == (1, 3)
            assert upstream.counts() == (0, 1, 0)
            await upstream.close()

    run(main())


@pytest.mark.parametrize("turns", [0, 1, 20])
def test_an_answer_that_nobody_asked_for_reaches_nobody(turns: int) -> None:
    """When the next request comes, the event loop has seen it (after some turns), or only the socket holds it."""

    async def main() -> None:
        upstream, writers = Upstream(), list[asyncio.StreamWriter]()
        async with provider(answering(OK, writers=writers)) as (settings, seen):
            assert await ask(upstream, settings) == BODY
            os.write(writers[0].get_extra_info("socket").fileno(), POISON)  # now, not in a turn of the loop
            for _ in range(turns):
                await asyncio.sleep(0.001)
            assert await ask(upstream, settings) == BODY
            assert seen.connections == 2
            await upstream.close()

    run(main())


def test_two_answers_at_once_are_one_answer() -> None:
    async def main() -> None:
        upstream = Upstream()
        async with provider(answering(OK + POISON)) as (settings, seen):
            assert [await ask(upstream, settings) for _ in range(3)] == [BODY] * 3
            assert seen.connections == 3
            await upstream.close()

    run(main())


def test_a_connection_that_its_provider_closed_is_not_used_again() -> None:
    async def main() -> None:
        upstream, writers = Upstream(), list[asyncio.StreamWriter]()
        async with provider(answering(OK, writers=writers)) as (settings, seen):
            for writers_so_far in range(5):
                assert await ask(upstream, settings) == BODY
                writers[writers_so_far].write_eof()
                await asyncio.sleep(0)
            assert seen.connections == 5
            await upstream.close()

    run(main())


@pytest.mark.parametrize(("hint", "connections"), [("timeout=1", 2), ("timeout=60, max=9", 1), ("timeout=x, max", 1)])
def test_a_provider_may_say_how_long_it_waits(hint: str, connections: int) -> None:
    async def main() -> None:
        upstream = Upstream()
        answer = OK.replace(b"\r\n\r\n", b"\r\nKeep-Alive: %b\r\n\r\n" % hint.encode())
        async with provider(answering(answer)) as (settings, seen):
            for _ in range(2):
                assert await ask(upstream, settings) == BODY
            assert seen.connections == connections
            await upstream.close()

    run(main())


@pytest.mark.parametrize("end", [fin, rst])
def test_a_request_on_a_used_connection_is_never_sent_twice(end: Any) -> None:
    """RFC 9110, section 9.2.2: a proxy must not repeat a POST, whatever became of the first."""

    async def main() -> None:
        upstream, times = Upstream(), 0

        async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal times
            times += 1
            await says(*([OK] if times == 1 else []), then=end if times > 1 else lambda _: None)(reader, writer)

        async with provider(once) as (settings, seen):
            assert await ask(upstream, settings) == BODY
            with pytest.raises(UpstreamFailed) as failed:
                await ask(upstream, settings)
            assert failed.value.stage == "unknown"
            await asyncio.sleep(0.05)
            assert (seen.connections, len(seen.requests)) == (1, 2)
            await upstream.close()

    run(main())


def flood(head: bytes, unit: bytes) -> Script:
    """`unit` without end."""

    async def script(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(unit)
            await writer.drain()

    return script


FLOODS = {
    "interim answers": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 500),
    "large interim answers": (b"", b"HTTP/1.1 103 Early Hints\r\nLink: " + b"a" * 8000 + b"\r\n\r\n"),
    "reason": (b"HTTP/1.1 200 ", b"a" * 9000),
    "header name": (b"HTTP/1.1 200 OK\r\n", b"a" * 9000),
    "header value": (b"HTTP/1.1 200 OK\r\nA: ", b"a" * 9000),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"A: b\r\n" * 500),
    "large headers": (b"HTTP/1.1 200 OK\r\n", b"A: " + b"b" * 8000 + b"\r\n"),
    "chunk extension": (CHUNKED + b"2;a=", b"b" * 9000),
    "chunk size": (CHUNKED, b"0" * 9000),
    "chunk extensions": (CHUNKED, b"1;a=" + b"b" * 4000 + b"\r\nx\r\n"),
    "trailer": (CHUNKED + b"0\r\nA: ", b"b" * 9000),
    "trailers": (CHUNKED + b"0\r\n", b"A: b\r\n" * 500),
}


@pytest.mark.parametrize("name", FLOODS)
def test_what_is_no_answer_has_an_end(name: str) -> None:
    async def main() -> None:
        upstream = Upstream()
        async with provider(flood(*FLOODS[name])) as (settings, seen):
            with pytest.raises(UpstreamFailed) as failed:
                await ask(upstream, settings)
            assert (failed.value.status, failed.value.stage) == (502, "cut")
            assert upstream.counts() == (0, 0, 0)
            await asyncio.wait_for(seen.ended.wait(), 5)
            await upstream.close()

    run(main())


def test_the_bounds_leave_room_for_what_is_honest() -> None:
    head = b"HTTP/1.1 103 Early Hints\r\nLink: " + b"a" * 1000 + b"\r\n\r\n"
    interim = head * (MAX_HEAD // len(head) - 1)
    smallest = 2 * SLACK // FRAMING
    answers = {
        BODY: interim + OK,
        b"a" * smallest: CHUNKED + b"1\r\na\r\n" * smallest + b"0\r\n\r\n",
        b"b" * 1000: CHUNKED + b"3e8;name=value\r\n" + b"b" * 1000 + b"\r\n0\r\nX-Checksum: 1\r\n\r\n",
    }

    async def main() -> None:
        for body, answer in answers.items():
            upstream = Upstream()
            async with provider(answering(answer)) as (settings, _):
                assert await ask(upstream, settings) == body
                await upstream.close()

    run(main())


def test_leaving_ends_a_connection_at_once_even_with_much_unsent() -> None:
    """A graceful end would wait for a provider that does not read."""

    async def main() -> None:
        upstream = Upstream()
        closed, arrived = asyncio.Event(), list[str]()

        async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            reader._transport.pause_reading()  # type: ignore[attr-defined]
            await closed.wait()
            reader._transport.resume_reading()  # type: ignore[attr-defined]
            await reader.readexactly(30_000_000 - len(BODY))
            arrived.append("all of it, though nobody waits for an answer")

        async with provider(deaf) as (settings, seen):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.5), upstream.post(settings, CLOCKS, "/x", {}, b"x" * 30_000_000):
                    pass
            assert upstream.counts() == (0, 0, 0)
            closed.set()
            await asyncio.wait_for(seen.ended.wait(), 5)
            assert arrived == []
            await upstream.close()

    run(main())


@pytest.mark.parametrize(("address", "allow_private"), [("10.0.0.1", False), ("::1", False), ("169.254.169.254", True)])
def test_no_socket_is_made_for_a_forbidden_address(address: str, allow_private: bool) -> None:
    """Whatever was or was not judged before."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with pytest.raises(ForbiddenAddressError):
        judged_socket((family, socket.SOCK_STREAM, 6, "", (address, 80)), allow_private=allow_private)


def test_no_session_key_is_written_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    tls.cache_clear()
    assert tls().keylog_filename is None
    assert (tls().check_hostname, tls().verify_mode) == (True, ssl.CERT_REQUIRED)
