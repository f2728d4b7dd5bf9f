"""An application's answer on its way out, and what it may ask its client."""

import asyncio

import pytest
from asgi import GET, START, Receive, Scope, Send, Streams, piece, played, until

from core.http1_cycle import CLIENT
from core.open_connections import Connections

POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n"


@pytest.mark.parametrize(
    "header", [(b"a:b", b"c"), (b"a b", b"c"), (b"a", b"b\r\nc: d"), (b"a", b"b\0"), (b"a\n", b"b"), (b"a", b"b\x7f")]
)
def test_a_header_that_would_be_two_is_not_sent(header: tuple[bytes, bytes], caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        with pytest.raises(RuntimeError, match="header's"):
            await send({**START, "headers": [(b"fine", b"very \t\xff"), header]})
        await send({**START, "headers": [(b"Fine", b"very \t\xff"), (b"Content-Length", b"0")]})
        await send(piece(b"", more=False))

    async def play(connections: Connections, streams: Streams) -> None:
        reader, writer = streams
        writer.write(GET)
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"\r\nfine: very \t\xff\r\ncontent-length: 0\r\n" in head

    played(app, play)


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (piece(b"x"), "begins with its status"),
        (None, "longer than"),
        (START, "comes its body"),
    ],
)
def test_what_is_no_answer_is_not_sent(message: Scope | None, why: str) -> None:
    wrong: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if message is None or message["type"] == "http.response.start":
            await send({**START, "headers": [(b"content-length", b"2")]})
        with pytest.raises(RuntimeError) as caught:
            await send(message or piece(b"xyz"))
        wrong.append(str(caught.value))
        if "status" in why:
            await send({**START, "headers": [(b"content-length", b"2")]})
        with pytest.raises(RuntimeError, match="shorter than"):
            await send(piece(b"x", more=False))
        await send(piece(b"y", more=False))
        with pytest.raises(RuntimeError, match="complete"):
            await send(piece(b"z"))

    async def play(connections: Connections, streams: Streams) -> None:
        reader, writer = streams
        writer.write(GET)
        assert (await reader.readuntil(b"xy")).endswith(b"\r\n\r\nxy")

    played(app, play)
    assert why in wrong[0]


@pytest.mark.parametrize("status", [200, 204, 304, 529])
def test_where_an_answer_ends(status: int) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({**START, "status": status})
        await send(piece(b"" if status in {204, 304} else b"body", more=False))

    async def play(connections: Connections, streams: Streams) -> None:
        reader, writer = streams
        for method in (b"GET", b"HEAD", b"GET"):
            writer.write(GET.replace(b"GET", method))
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 %d " % status)
            chunked = method == b"GET" and status not in {204, 304}
            assert (b"transfer-encoding: chunked" in head) == chunked
            if chunked:
                assert await reader.readuntil(b"0\r\n\r\n") == b"4\r\nbody\r\n0\r\n\r\n"

    played(app, play)


def test_the_body_is_there_at_once_or_is_received() -> None:
    bodies: list[bytes | None] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        body = scope["extensions"][CLIENT].whole_body()
        bodies.append(body)
        if body is None:
            assert (await receive())["body"] == b"body"
        await send(START)
        await send(piece(b"", more=False))

    async def play(connections: Connections, streams: Streams) -> None:
        reader, writer = streams
        writer.write(POST + b"body")
        await reader.readuntil(b"0\r\n\r\n")
        writer.write(POST + b"bo")
        await until(lambda: len(bodies) == 2)
        writer.write(b"dy")
        await reader.readuntil(b"0\r\n\r\n")

    played(app, play)
    assert bodies == [b"body", None]


@pytest.mark.parametrize("cut", [False, True])
def test_who_leaves_is_told_of_once(cut: bool) -> None:
    told: list[bool] = []
    over = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        client = scope["extensions"][CLIENT]
        assert client.tell_leaving(lambda: told.append(asyncio.current_task() is None))
        await send(START)
        await send(piece(b"first"))
        client.say(b"second")
        if cut:
            client.cut()
        while client.tell_leaving(lambda: told.append(asyncio.current_task() is None)):  # noqa: ASYNC110 - it is asked
            await asyncio.sleep(0.001)
        client.say(b"third")
        over.set()

    async def play(connections: Connections, streams: Streams) -> None:
        reader, writer = streams
        writer.write(GET)
        assert (await reader.readuntil(b"second\r\n")).endswith(b"5\r\nfirst\r\n6\r\nsecond\r\n")
        writer.close()
        await over.wait()

    played(app, play)
    assert told == ([] if cut else [True])
