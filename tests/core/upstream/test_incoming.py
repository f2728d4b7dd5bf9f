"""An answer between its connection and its reader. The source is a counter; the event loop is real."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvloop

from core.errors import UpstreamFailed
from core.upstream import failures
from core.upstream.incoming import HIGH_WATER, NEVER, Incoming
from core.upstream.reading import NotHttpError

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"


class Source:
    """What an answer asks of its connection."""

    def __init__(self) -> None:
        self.paused = self.resumed = 0
        self.dues: list[float] = []

    def pause(self) -> None:
        self.paused += 1

    def resume(self) -> None:
        self.resumed += 1

    def watch(self, due: float) -> None:
        self.dues.append(due)


def run(play: Callable[[Incoming, Source], Awaitable[None]], *, silence_s: float = 9.0, total_s: float = 99.0) -> None:
    async def main() -> None:
        loop, source, before = asyncio.get_running_loop(), Source(), asyncio.all_tasks()
        await play(Incoming(source, loop, silence_s, loop.time() + total_s), source)
        await asyncio.sleep(0)  # who was cancelled ends
        assert asyncio.all_tasks() == before

    uvloop.run(asyncio.wait_for(main(), 10))


async def waits(awaitable: Awaitable[Any]) -> "asyncio.Future[Any]":
    """It has begun to wait."""
    task = asyncio.ensure_future(awaitable)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not task.done()
    return task


def test_who_waits_gets_the_head_and_each_piece_as_it_comes() -> None:
    async def play(incoming: Incoming, source: Source) -> None:
        head = await waits(incoming.head(7.0))
        assert (source.dues, incoming.due) == ([7.0], 7.0)
        incoming.feed(HEAD[:20])
        await asyncio.sleep(0)
        assert not head.done()
        incoming.feed((HEAD % 4)[20:])
        await head
        assert incoming.due == NEVER
        for piece in (b"ab", b"cd"):
            task = await waits(anext(incoming))
            incoming.feed(piece)
            assert await task == piece
        assert await anext(incoming, None) is None

    run(play)


def test_what_comes_while_nobody_waits_is_one_piece() -> None:
    async def play(incoming: Incoming, source: Source) -> None:
        incoming.feed(HEAD % 4 + b"a")
        for piece in (b"b", b"c", b"d"):
            incoming.feed(piece)
        await incoming.head(NEVER)
        assert [piece async for piece in incoming] == [b"abcd"]
        assert source.dues == []

    run(play)


def test_what_is_not_read_is_not_read_from_the_connection() -> None:
    async def play(incoming: Incoming, source: Source) -> None:
        incoming.feed(HEAD % (4 * HIGH_WATER))
        incoming.feed(bytes(HIGH_WATER))
        assert source.paused == 0
        incoming.feed(b"a")
        incoming.feed(b"b")  # what was already on its way
        assert (source.paused, source.resumed) == (1, 0)
        assert len(await anext(incoming)) == HIGH_WATER + 2
        assert source.resumed == 1
        incoming.feed(bytes(3 * HIGH_WATER - 2))
        assert source.paused == 1  # nothing more is expected

    run(play)


def test_what_came_before_a_failure_is_still_read() -> None:
    async def play(incoming: Incoming, _: Source) -> None:
        incoming.feed(HEAD % 4 + b"ab")
        incoming.end()
        await incoming.head(NEVER)
        assert await anext(incoming) == b"ab"
        for _again in range(2):
            with pytest.raises(UpstreamFailed) as failed:
                await anext(incoming)
            assert failed.value.stage == "cut"

    run(play)


@pytest.mark.parametrize("ending", ["end", "fail", "wrong"])
def test_whoever_waits_learns_of_the_end(ending: str) -> None:
    async def play(incoming: Incoming, _: Source) -> None:
        head = await waits(incoming.head(NEVER))
        if ending == "end":
            incoming.end()
        elif ending == "fail":
            incoming.fail(failures.no_answer())
        else:
            with pytest.raises(NotHttpError):
                incoming.feed(b"SSH-2.0-x\r\n\r\n")
            incoming.fail(failures.no_http(incoming.reader))
        with pytest.raises(UpstreamFailed) as failed:
            await head
        assert failed.value.stage == ("cut" if ending == "wrong" else "unknown")

    run(play)


def test_a_whole_answer_does_not_fail_any_more() -> None:
    async def play(incoming: Incoming, _: Source) -> None:
        incoming.feed(HEAD % 1 + b"a")
        incoming.fail(failures.no_answer())
        assert [piece async for piece in incoming] == [b"a"]

    run(play)


def test_a_reader_that_leaves_leaves_the_rest_to_the_next() -> None:
    async def play(incoming: Incoming, _: Source) -> None:
        incoming.feed(HEAD % 1)
        gone = await waits(anext(incoming))
        gone.cancel()
        incoming.feed(b"a")
        with pytest.raises(asyncio.CancelledError):
            await gone
        assert incoming.due == NEVER
        assert await anext(incoming) == b"a"

    run(play)


def test_silence_and_the_deadline_bound_each_wait() -> None:
    async def play(incoming: Incoming, source: Source) -> None:
        loop = asyncio.get_running_loop()
        assert incoming.late(loop.time()).stage == "unknown"
        incoming.feed(HEAD % 9)
        (await waits(anext(incoming))).cancel()
        assert source.dues[0] <= loop.time() + 5
        assert incoming.late(loop.time()).message == failures.silent().message
        assert incoming.late(loop.time() + 60).message == failures.too_long().message

    run(play, silence_s=5.0, total_s=50.0)


def test_what_comes_after_the_deadline_is_too_late() -> None:
    async def play(incoming: Incoming, _: Source) -> None:
        incoming.feed(HEAD % 2 + b"a")
        with pytest.raises(UpstreamFailed, match="total_s"):
            await anext(incoming)

    run(play, total_s=-1.0)
