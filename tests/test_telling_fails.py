"""Whoever watches requests may fail: their clients are answered all the same, and the log says where it happened."""

import asyncio
from pathlib import Path

import uvloop
from asgi import PATIENCE_S, until
from inside import BODY, PLAIN, inside, provider, request
from scraped import total

WORDS = "nobody may see this"


def fail(*_: object) -> None:
    raise KeyError(WORDS)


async def asked(folder: Path) -> None:
    async def script(writer: asyncio.StreamWriter) -> None:
        writer.write(PLAIN + BODY)

    async with provider(script) as (url, _), inside(folder, url) as proxy:
        proxy.proxy.asgi.on_over = fail
        proxy.proxy.rolling.decided = fail  # type: ignore[method-assign, assignment]  # the first who is told of a decision
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        for _ in range(2):  # on the same connection: it is not cut
            writer.write(request("anthropic", stream=False))
            answer = await reader.readuntil(b"\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 200 ")
            assert await reader.readexactly(len(BODY)) == BODY
        await until(lambda: len(proxy.log.lines("bug")) == 4)
        writer.close()
    assert all(WORDS not in str(line) for line in proxy.log.lines("bug"))


def test_a_request_is_answered_although_nobody_could_be_told(tmp_path: Path) -> None:
    uvloop.run(asyncio.wait_for(asked(tmp_path), 2 * PATIENCE_S))


async def unrecorded(folder: Path) -> None:
    async def script(writer: asyncio.StreamWriter) -> None:
        writer.write(PLAIN + BODY)

    over = list[object]()
    async with provider(script) as (url, _), inside(folder, url) as proxy:
        proxy.proxy.asgi._record = fail
        proxy.proxy.asgi.on_over = lambda exchange, *_: over.append(exchange)
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(request("anthropic", stream=False))
        await reader.readuntil(b"\r\n\r\n")
        await until(lambda: len(proxy.log.lines("request")) == 1)
        writer.close()
        assert len(proxy.log.lines("bug")) == 1
        assert total(proxy.proxy.metrics.exposition(), "terraphim_requests_total") == 1
    assert len(over) == 1


def test_one_who_fails_keeps_no_other_from_being_told(tmp_path: Path) -> None:
    uvloop.run(asyncio.wait_for(unrecorded(tmp_path), 2 * PATIENCE_S))
