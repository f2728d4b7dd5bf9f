"""A client that leaves, at each phase of its request, stops the provider and leaves nothing behind."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvloop
from asgi import PATIENCE_S, until
from inside import HEAD, OPEN, SAY, START, Inside, Script, chunk, inside, provider, request, says
from raw_provider import full_backlog

REST = (
    b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":'
    b'{"output_tokens":5}}\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n'
)
WHOLE = HEAD + chunk(START + OPEN + SAY) + chunk(REST) + chunk(b"")
#: More than every buffer between the provider and a client that does not read.
FLOOD = [chunk(SAY.replace(b"hi", b"hi" * 30_000))] * 400
PLAIN = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n"

#: What the provider does before it falls silent; whether the client has the status; what was used.
PHASES: dict[str, tuple[Script | None, bool, bool, dict[str, int] | None]] = {
    "connect": (None, True, False, None),
    "headers": (says(), True, False, None),
    "first token": (says(HEAD + chunk(START + OPEN)), True, False, {"input": 7, "output": 0, "cache_read": 0}),
    "mid-stream": (says(HEAD + chunk(START + OPEN + SAY)), True, True, {"input": 7, "output": 0, "cache_read": 0}),
    "backpressured": (
        says(HEAD + chunk(START + OPEN), *FLOOD),
        True,
        True,
        {"input": 7, "output": 0, "cache_read": 0},
    ),
    "whole, connect": (None, False, False, None),
    "whole, headers": (says(), False, False, None),
    "whole, body": (says(PLAIN + b'{"type":'), False, False, None),
}


def closes(writer: asyncio.StreamWriter) -> None:
    writer.close()


def resets(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


def half_closes(writer: asyncio.StreamWriter) -> None:
    writer.write_eof()


LEAVING = pytest.mark.parametrize("leaves", [closes, resets, half_closes])
DIALECTS = pytest.mark.parametrize("dialect", ["anthropic", "openai"])


def run(play: Callable[[], Awaitable[None]]) -> None:
    uvloop.run(asyncio.wait_for(play(), 2 * PATIENCE_S))


@asynccontextmanager
async def at(script: Script | None, folder: Path) -> AsyncIterator[tuple[Inside, Callable[[], int]]]:
    """A proxy in front of a provider, and how many connections the provider saw ended early."""
    if script is None:
        async with full_backlog() as url, inside(folder, url) as proxy:
            yield proxy, lambda: 1
        return
    async with provider(script) as (url, made), inside(folder, url) as proxy:
        yield proxy, lambda: made.left


@LEAVING
@DIALECTS
@pytest.mark.parametrize("phase", PHASES)
def test_who_leaves_leaves_nothing_behind(
    phase: str, dialect: str, leaves: Callable[[asyncio.StreamWriter], None], tmp_path: Path
) -> None:
    script, stream, begun, used = PHASES[phase]

    async def play() -> None:
        async with at(script, tmp_path) as (proxy, left):
            before = proxy.held()
            async with proxy.asks(dialect, stream=stream) as (reader, writer):
                if begun:
                    assert b" 200 OK" in await reader.readuntil(b"\r\n")
                await until(lambda: proxy.counts.acquired == 1)
                await asyncio.sleep(0.05)
                leaves(writer)
                line = await proxy.logged()
                await until(lambda: proxy.counts == (0, 0, 0) and left() == 1)
            assert (line["status"], line["error"], line.get("usage")) == (499, "client_left", used)
            assert "lost" not in line
            await until(lambda: proxy.held() == before)
            assert proxy.log.lines("bug") == proxy.log.lines("library") == []

    run(play)


@DIALECTS
def test_who_leaves_with_everything_has_not_left(dialect: str, tmp_path: Path) -> None:
    async def play() -> None:
        async with at(says(HEAD + chunk(START + OPEN + SAY + REST)), tmp_path) as (proxy, left):
            async with proxy.asks(dialect) as (reader, writer):
                await reader.readuntil(b"message_stop" if dialect == "anthropic" else b"[DONE]")
                writer.transport.abort()
                line = await proxy.logged()
            assert (line["status"], line["usage"]["output"], "error" in line) == (200, 5, False)
            await until(lambda: proxy.counts == (0, 0, 0) and left() == 1)

    run(play)


@pytest.mark.parametrize("later", [False, True])
def test_requests_in_a_pipeline_leave_with_their_client(later: bool, tmp_path: Path) -> None:
    """The first is streamed, the others wait for their turn: none of those is ever asked."""

    async def play() -> None:
        async with at(says(HEAD + chunk(START + OPEN + SAY)), tmp_path) as (proxy, left):
            before = proxy.held()
            async with proxy.asks(times=1 if later else 3) as (reader, writer):
                await reader.readuntil(b'"hi"')
                if later:
                    writer.write(request("anthropic", stream=True) * 2)
                    await asyncio.sleep(0.05)
                writer.close()
                await until(lambda: left() == 1)
            await until(lambda: proxy.held() == before)
            assert (await proxy.logged())["status"] == 499

    run(play)


def test_what_waits_in_a_pipeline_is_bounded_and_hides_no_client_that_leaves(tmp_path: Path) -> None:
    """A second request with a large body is not read into memory, and the first one's answer is the last."""

    async def play() -> None:
        async with at(says(HEAD + chunk(START + OPEN + SAY)), tmp_path) as (proxy, left):
            before = proxy.held()
            async with proxy.asks() as (reader, writer):
                await reader.readuntil(b'"hi"')
                head = b"POST /v1/messages HTTP/1.1\r\nHost: a\r\nContent-Length: 30000000\r\n\r\n"
                writer.write(head + b"x" * 3_000_000)
                await writer.drain()
                writer.close()
                await until(lambda: left() == 1)
            await until(lambda: proxy.held() == before)

    run(play)


@pytest.mark.parametrize("later", [False, True])
def test_requests_in_a_pipeline_are_answered_in_turn(later: bool, tmp_path: Path) -> None:
    async def script(writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + chunk(START + OPEN + SAY))
        await asyncio.sleep(0.05)
        writer.write(chunk(REST) + chunk(b""))

    async def play() -> None:
        async with at(script, tmp_path) as (proxy, _), proxy.asks(times=1 if later else 2) as (reader, writer):
            received = await reader.readuntil(b'"hi"')
            if later:
                writer.write(request("anthropic", stream=True))
            received += await reader.readuntil(b"\r\n0\r\n\r\n") + await reader.readuntil(b"\r\n0\r\n\r\n")
            first, second = received.split(b"HTTP/1.1 200 OK")[1:]
            for answer in (first, second):
                assert answer.count(b"event: message_stop") == answer.count(b'"hi"') == 1
                assert answer.endswith(b"\r\n0\r\n\r\n")

    run(play)


def test_a_storm_of_clients_that_leave(tmp_path: Path) -> None:
    """Every phase at once, over and over: the pool serves afterwards as if nothing had been."""
    turn = 0

    async def script(writer: asyncio.StreamWriter) -> None:
        nonlocal turn
        turn += 1
        parts = [[], [HEAD], [HEAD + chunk(START + OPEN)], [HEAD + chunk(START + OPEN + SAY)], [WHOLE]][turn % 5]
        await says(*parts)(writer)

    async def one(proxy: Inside, number: int) -> None:
        async with proxy.asks("openai" if number % 2 else "anthropic", stream=number % 3 > 0) as (_, writer):
            await asyncio.sleep(number % 7 * 0.01)
            (closes, resets, half_closes)[number % 3](writer)
            await asyncio.sleep(0.01)

    async def play() -> None:
        async with at(script, tmp_path) as (proxy, _):
            before = proxy.held()
            for _ in range(5):
                await asyncio.gather(*(one(proxy, number) for number in range(60)))
            await until(lambda: proxy.held() == before)
            assert proxy.log.lines("bug") == proxy.log.lines("library") == []

    run(play)
