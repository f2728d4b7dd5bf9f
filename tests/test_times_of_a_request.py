"""When a request was decided, and when its first content went out: known then, and not before."""

import asyncio
from pathlib import Path

import pytest
import uvloop
from asgi import PATIENCE_S, until
from inside import BODY, HEAD, OPEN, PLAIN, SAY, START, chunk, inside, provider

from core.exchange import Exchange
from core.routing.snapshot import Snapshot


async def asked(folder: Path, *, stream: bool, before: bytes, after: bytes) -> None:
    """The provider sends `before`, nothing of which is content, and `after` when it may."""
    speak, seen = asyncio.Event(), list[Exchange]()

    async def script(writer: asyncio.StreamWriter) -> None:
        writer.write(before)
        await speak.wait()
        writer.write(after)
        await asyncio.sleep(600)

    def decided(exchange: Exchange, _: Snapshot) -> None:
        assert exchange.first_ms is None
        seen.append(exchange)

    async with provider(script) as (url, made), inside(folder, url) as proxy:
        proxy.proxy.asgi._pipeline.on_decided = decided
        async with proxy.asks(stream=stream):
            await until(lambda: made.requests == 1)
            [exchange] = seen
            assert exchange.decided_ms is not None
            assert exchange.first_ms is None
            await asyncio.sleep(0.05)
            speak.set()
            await until(lambda: exchange.first_ms is not None)
            assert exchange.first_ms is not None
            assert exchange.first_ms >= exchange.decided_ms + 50


@pytest.mark.parametrize(
    ("stream", "before", "after"),
    [(True, HEAD + chunk(START + OPEN), chunk(SAY)), (False, PLAIN, BODY)],
    ids=["streamed", "whole"],
)
def test_content_is_waited_for(tmp_path: Path, stream: bool, before: bytes, after: bytes) -> None:
    uvloop.run(asyncio.wait_for(asked(tmp_path, stream=stream, before=before, after=after), 2 * PATIENCE_S))
