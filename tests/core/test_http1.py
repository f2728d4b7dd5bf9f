import asyncio
from collections.abc import Awaitable, Callable

import pytest
import uvloop
from asgi import PATIENCE_S, START, App, Receive, Scope, Send, piece, served, until

from core.http1 import CUT, Connections, Phase, without_upgrade

OFFER = (
    b"POST /v1/messages HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nX: y\r\n\r\n{}"
)
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def test_the_offer_to_upgrade_is_not_heard() -> None:
    assert without_upgrade(OFFER) == OFFER.replace(b"\r\nUpgrade: h2c", b"")


@pytest.mark.parametrize(
    "data",
    [
        OFFER.replace(b"POST", b"GET"),
        OFFER.replace(b"Upgrade: h2c\r\n", b""),
        b'{"a":\r\nupgrade: b\r\n}',
        b"POST / HTTP/1.1\r\n\r\n{\r\nupgrade: b\r\n}",
    ],
)
def test_everything_else_passes_as_it_came(data: bytes) -> None:
    assert without_upgrade(data) == data


async def greeting(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers once the whole request is here."""
    while (await receive()).get("more_body"):
        pass
    await send(START)
    await send(piece(scope["path"].encode(), more=False))


class Waiting:
    """Begins an answer and waits for its client to leave."""

    def __init__(self) -> None:
        self.begun = 0
        self.left = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.begun += 1
        await send(START)
        await send(piece(b"first"))
        while (await receive())["type"] != "http.disconnect":
            pass
        self.left += 1


def played(app: App, play: Callable[[Connections, Streams], Awaitable[None]]) -> None:
    """One client of `app`."""

    async def run() -> None:
        connections = Connections()
        async with served(app, connections) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                await asyncio.wait_for(play(connections, (reader, writer)), PATIENCE_S)
            finally:
                writer.transport.abort()

    uvloop.run(run())


def test_a_cut_answer_arrives_as_far_as_it_was_written_and_never_ends() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await send(piece(b"event: error\n\n"))
        scope["extensions"][CUT]()
        await send(piece(b"too late"))
        assert (await receive())["type"] == "http.disconnect"

    async def play(connections: Connections, streams: Streams) -> None:
        reader, writer = streams
        writer.write(GET)
        answer = await reader.read()
        assert answer.endswith(b"e\r\nevent: error\n\n\r\n")
        await until(lambda: not connections.open)

    played(app, play)


def test_a_connection_says_what_it_does() -> None:
    go_on = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass
        await go_on.wait()
        await send(START)
        await send(piece(b"", more=False))

    async def play(connections: Connections, streams: Streams) -> None:
        _, writer = streams
        for sent, phase in (
            (b"POST / HT", Phase.HEAD),
            (b"TP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{", Phase.BODY),
            (b"}", Phase.ANSWERING),
        ):
            writer.write(sent)
            await until(lambda phase=phase: [one.phase for one in connections.open] == [phase])  # type: ignore[misc]
        go_on.set()
        await until(lambda: [one.phase for one in connections.open] == [Phase.IDLE])
        writer.write(b"GET ")
        await until(lambda: [one.phase for one in connections.open] == [Phase.HEAD])
        writer.close()
        await until(lambda: not connections.open)

    played(app, play)


def test_pipelined_requests_are_answered_in_their_order() -> None:
    async def play(connections: Connections, streams: Streams) -> None:
        reader, writer = streams
        paths = [b"/%d" % number for number in range(3)]
        writer.write(b"".join(GET.replace(b"/", path, 1) for path in paths))
        answers = [await reader.readuntil(b"0\r\n\r\n") for _ in paths]
        assert [answer.split(b"\r\n")[-4] for answer in answers] == paths
        await until(lambda: [one.phase for one in connections.open] == [Phase.IDLE])

    played(greeting, play)


def test_a_client_that_leaves_with_requests_in_the_pipeline_is_missed_by_the_first_of_them() -> None:
    app = Waiting()

    async def play(connections: Connections, streams: Streams) -> None:
        reader, writer = streams
        writer.write(GET * 3)
        await reader.readuntil(b"first")
        writer.transport.abort()
        await until(lambda: app.left == 1)
        assert app.begun == 1

    played(app, play)
