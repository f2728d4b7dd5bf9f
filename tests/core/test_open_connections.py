import asyncio
from dataclasses import dataclass, field

import pytest
import uvloop
from asgi import GET, PATIENCE_S, START, Receive, Scope, Send, Streams, greeting, piece, played, served, until

from core.deadlines import LINGER_S, Phase
from core.descriptors import RESERVED
from core.http1 import Connection
from core.http1_cycle import CLIENT
from core.open_connections import LINGERING, Connections
from core.schema import ServerSettings


@dataclass(eq=False)
class Fake:
    """A connection that says when it was looked at."""

    phase: Phase
    checked: list[float] = field(default_factory=list)

    def check(self, now: float) -> None:
        self.checked.append(now)


def test_every_connection_is_looked_at_the_lingering_ones_too() -> None:
    connections = Connections()
    held = [Fake(Phase.HEAD), Fake(Phase.IDLE), Fake(Phase.CLOSING)]
    connections.open.update(held[:2])  # type: ignore[arg-type]
    connections.lingering.add(held[2])  # type: ignore[arg-type]
    connections.sweep(5.0)
    assert [one.checked for one in held] == [[5.0]] * 3
    assert connections.counting(Phase.HEAD)() == 1
    assert connections.counting(Phase.BODY)() == 0


def test_the_cap_fits_into_the_descriptors() -> None:
    limits = ServerSettings(max_connections=5000)
    assert Connections(None, limits).cap == 5000
    assert Connections(None, limits, room=5000 + RESERVED).cap == 5000
    connections = Connections(None, limits, room=4000)
    assert connections.cap == 4000 - RESERVED
    connections.use(ServerSettings(max_connections=10))
    assert connections.cap == 10


async def swept_until_closed(connections: Connections, *, after_s: float) -> None:
    """Sweeps as of so many seconds from now: it must be this sweep that ends the connection."""
    loop = asyncio.get_running_loop()
    await until(lambda: bool(connections.open))
    connections.sweep(loop.time() + after_s * 0.5)  # a busy machine may have been slow before
    await asyncio.sleep(0.05)
    assert connections.open
    connections.sweep(loop.time() + after_s * 1.1)


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b"", b""),
        (b"\r\n\r\n", b""),
        (b"GET / HTTP/1.1\r\n", b"HTTP/1.1 408 "),
        (GET + b"GET", b"HTTP/1.1 200 "),
    ],
)
def test_a_head_that_does_not_come_is_not_waited_for(sent: bytes, answer: bytes) -> None:
    async def play(connections: Connections, streams: Streams) -> None:
        reader, writer = streams
        writer.write(sent)
        if answer.startswith(b"HTTP/1.1 200"):
            assert (await reader.readuntil(b"0\r\n\r\n")).startswith(answer)
        await asyncio.sleep(0.05)
        await swept_until_closed(connections, after_s=5)
        assert (await reader.read()).startswith(b"HTTP/1.1 408" if b"GET" in sent else b"")
        assert dict(connections.tally._since) == {"header_s": 1}

    played(greeting, play, header_s=5, idle_s=1000)


@pytest.mark.parametrize("more", [b"", b"\r\n"])
def test_an_idle_connection_is_closed_and_blank_lines_do_not_help(more: bytes) -> None:
    async def play(connections: Connections, streams: Streams) -> None:
        reader, writer = streams
        writer.write(GET)
        await reader.readuntil(b"0\r\n\r\n")
        writer.write(more)
        await asyncio.sleep(0.05)
        await swept_until_closed(connections, after_s=5)
        assert await reader.read() == b""
        assert not connections.tally._since

    played(greeting, play, idle_s=5)


def test_a_client_that_takes_nothing_is_cut_off_and_holds_little() -> None:
    held: list[int] = []
    left = asyncio.Event()

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        while scope["extensions"][CLIENT].tell_leaving(None):
            await send(piece(b"x" * 10_000))
        left.set()

    async def play(connections: Connections, streams: Streams) -> None:
        reader, writer = streams
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(GET)
        loop = asyncio.get_running_loop()
        await until(lambda: bool(connections.open))
        [one] = connections.open
        assert isinstance(one, Connection)
        await until(lambda: one.flow.write_paused)
        held.append(one.transport.get_write_buffer_size())
        connections.sweep(loop.time())
        connections.sweep(loop.time() + 4.9)
        await asyncio.sleep(0.05)
        assert connections.open
        connections.sweep(loop.time() + 5.1)
        await asyncio.wait_for(left.wait(), PATIENCE_S)
        assert not connections.open
        assert dict(connections.tally._since) == {"write_s": 1}

    played(endless, play, write_s=5)
    assert held[0] < 64 * 1024 + 2 * 10_007  # the high-water mark, and the pieces around it


def test_a_slow_client_that_takes_something_is_served_to_the_end() -> None:
    size = 20_000_000

    async def large(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await send(piece(b"x" * size, more=False))

    async def play(connections: Connections, streams: Streams) -> None:
        reader, writer = streams
        writer.write(GET)
        loop = asyncio.get_running_loop()
        pretended = loop.time()
        received = 0
        while received < size:
            pretended += 4.0  # each look finds less waiting, or nothing, than the one before
            received += len(await reader.readexactly(min(size - received, 2_000_000)))
            connections.sweep(pretended)
        assert connections.open

    played(large, play, write_s=5, idle_s=10_000)


def test_over_the_cap_each_is_told_so_and_those_inside_are_served() -> None:
    async def run() -> None:
        connections = Connections(limits=ServerSettings(max_connections=2))
        async with served(greeting, connections) as port:
            inside = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
            await until(lambda: len(connections.open) == 2)
            over = [await asyncio.open_connection("127.0.0.1", port) for _ in range(LINGERING + 20)]
            for _, writer in over[:LINGERING]:
                writer.write(GET)
            answers = [await reader.read() for reader, _ in over]
            assert {answer[:12] for answer in answers} == {b"HTTP/1.1 503"}
            assert len(connections.lingering) == LINGERING
            for reader, writer in inside:
                writer.write(GET)
                assert (await reader.readuntil(b"0\r\n\r\n")).startswith(b"HTTP/1.1 200")
            connections.sweep(asyncio.get_running_loop().time() + LINGER_S + 1)
            await until(lambda: not connections.lingering)
            assert dict(connections.tally._since) == {"connections": LINGERING + 20}
            inside[0][1].close()
            await until(lambda: len(connections.open) == 1)
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(GET)
            assert (await reader.readuntil(b"0\r\n\r\n")).startswith(b"HTTP/1.1 200")
            for _, one in (*inside, *over, (reader, writer)):
                one.transport.abort()

    uvloop.run(run())
