import asyncio
import logging

import httptools
import pytest
from asgi import GET, START, Receive, Scope, Send, Streams, greeting, piece, played, until

from core.deadlines import LINGER_S, Phase
from core.http1 import PIPELINED, TOGETHER, Connection, _cause
from core.http1_cycle import CLIENT
from core.open_connections import Connections

OFFER = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"


@pytest.mark.parametrize(
    "framed",
    [
        b"Content-Length: 4\r\n\r\nbody",
        b"Transfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n2;x=y\r\ndy\r\n0\r\nx-sum: 1\r\n\r\n",
    ],
)
def test_the_offer_to_upgrade_is_not_heard(framed: bytes) -> None:
    heads: list[list[tuple[bytes, bytes]]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        heads.append(scope["headers"])
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message["body"], message["more_body"]
        await send(START)
        await send(piece(b"<" + body + b">", more=False))

    async def play(connections: Connections, streams: Streams) -> None:
        reader, writer = streams
        data = OFFER + framed
        ways = [[data + data[:at], data[at:]] for at in range(len(data))]
        ways += [[bytes([one]) for one in data * 2], [data + GET, data]]
        for parts in ways:
            for part in parts:
                writer.write(part)
                await asyncio.sleep(0.0001)
            for _ in range(2 + (GET in parts[0])):
                answer = await reader.readuntil(b"0\r\n\r\n")
                assert b"<body>" in answer or (GET in parts[0] and b"<>" in answer)

    played(app, play)
    assert {tuple(name for name, _ in head) for head in heads if len(head) > 1} == {
        (b"host", b"connection", b"upgrade", framed.split(b":")[0].lower())
    }


def test_behind_an_offer_without_a_body_nothing_is_read() -> None:
    async def play(connections: Connections, streams: Streams) -> None:
        reader, writer = streams
        writer.write(OFFER + b"\r\n" + GET)
        assert (await reader.read()).count(b"HTTP/1.1") == 1

    played(greeting, play)


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


def test_a_cut_answer_arrives_as_far_as_it_was_written_and_never_ends() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await send(piece(b"event: error\n\n"))
        scope["extensions"][CLIENT].cut()
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


async def unheard(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers without reading the body."""
    await send({**START, "headers": [(b"content-length", b"2")]})
    await send(piece(b"no", more=False))


async def never(scope: Scope, receive: Receive, send: Send) -> None:
    """Must not be asked."""
    raise AssertionError(scope["path"])


HEADERS = b"GET / HTTP/1.1\r\nHost: a\r\n"


@pytest.mark.parametrize(
    ("sent", "status", "reason"),
    [
        (HEADERS + b"X: " + b"x" * 2000 + b"\r\n\r\n", b"431", "max_head_bytes"),
        (HEADERS + b"X: " + b"x" * 300_000, b"431", "max_head_bytes"),
        (b"GET /" + b"x" * 2000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", b"431", "max_head_bytes"),
        (HEADERS + b"X: y\r\n" * 16 + b"\r\n", b"431", "max_headers"),
        (HEADERS + b"X: y\r\n" * 17, b"431", "max_headers"),
        (b"nonsense\r\n\r\n", b"400", "malformed"),
        (b"GET http://[ HTTP/1.1\r\nHost: a\r\n\r\n", b"400", "malformed"),
    ],
)
@pytest.mark.parametrize("size", [100_000, 700, 1])
def test_a_head_over_its_limits_is_refused_whole_or_in_parts(
    sent: bytes, status: bytes, reason: str, size: int
) -> None:
    async def play(connections: Connections, streams: Streams) -> None:
        reader, writer = streams
        for at in range(0, min(len(sent), 3000 * size), size):
            writer.write(sent[at : at + size])
            if size < 1000:
                await asyncio.sleep(0)
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 " + status)
        assert answer.count(b"HTTP/1.1 4") == 1
        assert dict(connections.tally._since) == {reason: 1}

    played(never, play, max_head_bytes=1024, max_headers=16)


def test_a_head_at_its_limits_is_served() -> None:
    head = b"GET / HTTP/1.1\r\nHost: a\r\nX: "
    sent = head + b"x" * (1024 - len(head) - 4) + b"\r\n\r\n"

    async def play(connections: Connections, streams: Streams) -> None:
        reader, writer = streams
        for _ in range(3):
            for at in range(len(sent)):
                writer.write(sent[at : at + 1])
                await asyncio.sleep(0)
            assert (await reader.readuntil(b"0\r\n\r\n")).startswith(b"HTTP/1.1 200")

    played(greeting, play, max_head_bytes=1024)


def test_a_large_body_makes_no_head_large() -> None:
    request = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000

    async def play(connections: Connections, streams: Streams) -> None:
        reader, writer = streams
        writer.write(request + request + GET)
        for _ in range(3):
            assert (await reader.readuntil(b"0\r\n\r\n")).startswith(b"HTTP/1.1 200")

    played(greeting, play, max_head_bytes=1024)


@pytest.mark.parametrize("sent", [b"x" * 1000, b"x" * 3_000_000])
def test_an_answer_before_the_body_is_the_last_and_reaches_a_client_that_writes_on(sent: bytes) -> None:
    async def play(connections: Connections, streams: Streams) -> None:
        reader, writer = streams
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000\r\n\r\n")
        writer.write(sent)
        await writer.drain()
        answer = await reader.read()
        assert answer.endswith(b"\r\nconnection: close\r\n\r\nno")
        writer.write(GET)  # never answered
        assert not connections.open
        [one] = connections.lingering
        assert one.phase is Phase.CLOSING
        connections.sweep(asyncio.get_running_loop().time() + LINGER_S + 1)
        await until(lambda: not connections.lingering)

    played(unheard, play)


def test_an_answer_after_the_whole_request_keeps_the_connection() -> None:
    async def play(connections: Connections, streams: Streams) -> None:
        reader, writer = streams
        for _ in range(3):
            writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}")
            assert b"connection: close" not in await reader.readuntil(b"no")

    played(unheard, play)


@pytest.mark.parametrize("junk", [b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nBad Header: x\r\n\r\n", GET * 100])
def test_junk_behind_a_request_never_gets_into_its_answer(junk: bytes) -> None:
    go_on = asyncio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await send(piece(b"first"))
        await go_on.wait()
        await send(piece(b"last", more=False))

    async def play(connections: Connections, streams: Streams) -> None:
        reader, writer = streams
        writer.write(GET)
        await reader.readuntil(b"first\r\n")
        writer.write(junk)
        await asyncio.sleep(0.05)
        [one] = connections.open
        assert isinstance(one, Connection)
        assert len(one.pipeline) <= PIPELINED
        go_on.set()
        assert await reader.read() == b"4\r\nlast\r\n0\r\n\r\n"

    played(slow, play)


@pytest.mark.parametrize(
    "framing",
    [
        b"1" + b";x" * 2000 + b"\r\n{\r\n",
        b"".join(b"0" * 400 + b"1\r\n{\r\n" for _ in range(20)),
        b"1\r\n{\r\n0\r\nT: " + b"x" * 5000,
        b"1\r\n{\r\n0\r\n" + b"T: x\r\n" * 200,
    ],
)
def test_a_chunked_body_of_mere_framing_is_refused(framing: bytes) -> None:
    async def play(connections: Connections, streams: Streams) -> None:
        reader, writer = streams
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        for at in range(0, len(framing), 50):
            writer.write(framing[at : at + 50])
            await asyncio.sleep(0)
        assert (await reader.read()).startswith(b"HTTP/1.1 4")

    played(greeting, play, max_head_bytes=1024, max_headers=16)


def test_small_chunks_are_a_body_and_trailers_are_no_headers() -> None:
    seen: list[tuple[bytes, bytes]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message["body"]
            if not message["more_body"]:
                break
        seen.extend(scope["headers"])
        await send(START)
        await send(piece(body, more=False))

    async def play(connections: Connections, streams: Streams) -> None:
        reader, writer = streams
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        writer.write(b"1\r\nx\r\n" * 5000 + b"0\r\nX-Trailer: y\r\n\r\n")
        assert (await reader.readuntil(b"\r\n0\r\n\r\n")).count(b"x") == 5000

    played(app, play, max_head_bytes=1024)
    assert [name for name, _ in seen] == [b"host", b"transfer-encoding"]


def test_a_connection_that_answers_no_more_finishes_what_has_begun() -> None:
    async def play(connections: Connections, streams: Streams) -> None:
        reader, writer = streams
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{")
        await until(lambda: [one.phase for one in connections.open] == [Phase.BODY])
        [one] = connections.open
        assert isinstance(one, Connection)
        one.answer_no_more()
        writer.write(b"}" + GET)
        answer = await reader.read()
        assert answer.count(b"HTTP/1.1 200") == 1
        assert b"connection: close" in answer

    played(greeting, play)


def test_a_body_in_drops_is_handed_over_once_and_a_large_one_in_parts() -> None:
    seen: list[list[int]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        sizes: list[int] = []
        while True:
            message = await receive()
            sizes.append(len(message["body"]))
            if not message["more_body"]:
                break
        seen.append(sizes)
        await send(START)
        await send(piece(b"", more=False))

    async def play(connections: Connections, streams: Streams) -> None:
        reader, writer = streams
        for size, step in ((200, 1), (1_000_000, 10_000)):
            writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size)
            for _ in range(0, size, step):
                writer.write(b"x" * step)
                await asyncio.sleep(0)
            await reader.readuntil(b"0\r\n\r\n")

    played(app, play)
    drops, large = seen
    assert drops == [200]
    assert sum(large) == 1_000_000
    assert all(size >= TOGETHER for size in large[:-1])
    assert len(large) > 2


def test_a_bug_of_ours_while_a_head_is_read_is_no_fault_of_the_client_s(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def on_header(self, name: bytes, value: bytes) -> None:
            raise KeyError(name)

    with pytest.raises(httptools.HttpParserCallbackError) as raised:
        httptools.HttpRequestParser(Broken()).feed_data(GET)
    with caplog.at_level(logging.ERROR):
        refused = _cause(raised.value)
    assert (refused.status, refused.reason) == (500, "bug")
    [record] = caplog.records
    assert record.exc_info is not None
    assert record.exc_info[0] is KeyError
