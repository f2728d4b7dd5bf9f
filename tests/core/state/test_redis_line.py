"""One connection: every answer goes to whoever asked for it, or to nobody."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvloop
from loops import Serve, listening, on_a_loop, until

from core.state.redis_line import Line, Refused, StoreDown, packed

PING = packed(["PING"])


class Clock:
    """Seconds that a test lets pass."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Lost:
    """What a line said when it was cut."""

    def __init__(self) -> None:
        self.said: list[tuple[str, bool]] = []

    def __call__(self, _: Line, why: str, waiting: bool) -> None:
        self.said.append((why, waiting))


@asynccontextmanager
async def line_to(serve: Serve, clock: Callable[[], float] = lambda: 0.0) -> AsyncIterator[tuple[Line, Lost]]:
    """A line to a server that this function is."""
    lost = Lost()
    async with listening(serve) as port:
        _, line = await asyncio.get_running_loop().create_connection(lambda: Line(lost, clock), "127.0.0.1", port)
        yield line, lost
        line.cut("closed")


def answering(*pieces: bytes) -> Serve:
    """Sends these pieces after the first bytes came, and then nothing more."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.005)
        await reader.read()

    return serve


@on_a_loop
async def test_answers_come_in_the_order_of_the_questions() -> None:
    async with line_to(answering(b"+a\r\n:1", b"\r\n$-1\r\n*2\r\n$1\r\nx\r\n:2\r\n")) as (line, lost):
        answers = await asyncio.gather(*(line.ask(PING, 1.0) for _ in range(4)))
        assert answers == [b"a", 1, None, [b"x", 2]]
        assert lost.said == []


@on_a_loop
async def test_the_answer_of_who_left_goes_to_nobody() -> None:
    async with line_to(answering(b"+a\r\n+b\r\n+c\r\n")) as (line, _):
        first, gone, last = (line.ask(PING, 1.0) for _ in range(3))
        gone.cancel()
        assert (await first, await last) == (b"a", b"c")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (b"-WRONGTYPE Operation against a key", "wrong_type"),
        (b"-OOM command not allowed", "full"),
        (b"-MOVED 3999 127.0.0.1:6381", "other_server"),
        (b"-READONLY You can't write", "read_only"),
        (b"-NOAUTH Authentication required.", "password"),
        (b"-LOADING Redis is loading", "loading"),
        (b"-BUSY Redis is busy", "busy"),
        (b"-NOSCRIPT No matching script", "no_script"),
        (b"-ERR unknown command 'secret'", "refused"),
        (b"-", "refused"),
    ],
)
@on_a_loop
async def test_an_error_has_a_kind(error: bytes, kind: str) -> None:
    async with line_to(answering(error + b"\r\n")) as (line, lost):
        answer = await line.ask(PING, 1.0)
        assert isinstance(answer, Refused)
        assert (answer.kind, lost.said) == (kind, [])


@pytest.mark.parametrize("garbage", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"$-7\r\n", b":x\r\n", b"\0" * 100])
@on_a_loop
async def test_what_is_no_resp_ends_the_line_for_everybody(garbage: bytes) -> None:
    async with line_to(answering(b"+a\r\n", garbage)) as (line, lost):
        asked = [line.ask(PING, 1.0) for _ in range(3)]
        answers: list[Any] = await asyncio.gather(*asked, return_exceptions=True)
        assert answers[0] == b"a"
        assert [answer.kind for answer in answers[1:]] == ["garbled", "garbled"]
        assert lost.said == [("garbled", True)]
        with pytest.raises(StoreDown, match="closed"):
            line.ask(PING, 1.0)


@on_a_loop
async def test_an_answer_to_nothing_ends_the_line() -> None:
    async with line_to(answering(b"+a\r\n+b\r\n")) as (line, lost):
        assert await line.ask(PING, 1.0) == b"a"
        await until(lambda: bool(lost.said))
        assert lost.said == [("garbled", False)]


@on_a_loop
async def test_a_line_that_ends_in_the_middle_of_an_answer_answers_nobody() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"$5\r\nhal")

    async with line_to(serve) as (line, lost):
        asked = [line.ask(PING, 1.0) for _ in range(2)]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert [str(answer) for answer in answers] == ["closed", "closed"]
        assert lost.said == [("closed", True)]


@on_a_loop
async def test_a_late_answer_ends_the_line_for_everybody_who_waits() -> None:
    clock = Clock()
    async with line_to(answering(), clock) as (line, lost):
        asked = [line.ask(PING, 0.01) for _ in range(2)]
        clock.now = 0.5
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert [str(answer) for answer in answers] == ["timeout", "timeout"]
        assert lost.said == [("timeout", True)]


@on_a_loop
async def test_who_left_hides_no_frozen_server() -> None:
    clock = Clock()
    async with line_to(answering(), clock) as (line, lost):
        line.ask(PING, 0.01).cancel()
        clock.now = 0.5
        await until(lambda: bool(lost.said))
        assert lost.said == [("timeout", True)]


def test_in_time_is_in_time_however_late_we_look() -> None:
    """The loop stood still beyond the deadline, but the answer lies there unread: after somebody else took
    so long, the proxy's loop looks at timers first.
    """

    async def run() -> None:
        clock, lost, loop = Clock(), Lost(), asyncio.get_running_loop()
        busy, other = socket.socketpair()
        with busy, other, socket.create_server(("127.0.0.1", 0)) as listener:
            _, line = await loop.create_connection(lambda: Line(lost, clock), *listener.getsockname())
            server, _ = listener.accept()

            def stand_still() -> None:
                loop.remove_reader(busy)
                server.sendall(b"+a\r\n")
                time.sleep(0.2)
                clock.now = 0.2

            with server:
                answer = line.ask(PING, 0.05)
                loop.add_reader(busy, stand_still)
                other.send(b"x")
                assert await answer == b"a"
                assert lost.said == []
                line.cut("closed")
                await asyncio.sleep(0.01)

    uvloop.run(run())


@on_a_loop
async def test_a_line_that_finishes_answers_who_asked_and_goes() -> None:
    async with line_to(answering(b"+a\r\n", b"+b\r\n")) as (line, lost):
        asked = [line.ask(PING, 1.0) for _ in range(2)]
        line.finish()
        assert await asyncio.gather(*asked) == [b"a", b"b"]
        assert lost.said == [("closed", False)]


@on_a_loop
async def test_answered_in_time_again_and_again_needs_no_second_timer() -> None:
    clock = Clock()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readexactly(len(PING)):
            writer.write(b"+a\r\n")

    async with line_to(serve, clock) as (line, lost):
        for number in range(20):
            clock.now = number / 100
            assert await line.ask(PING, clock.now + 0.005) == b"a"
        await asyncio.sleep(0.02)
        assert lost.said == []
