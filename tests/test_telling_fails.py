"""Whoever watches requests may fail: their clients are answered all the same, and the log says where it happened."""

import asyncio
from pathlib import Path

import uvloop
from asgi import PATIENCE_S, until
from inside import inside, provider, request

BODY = (
    b'{"id":"m","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"hi"}],'
    b'"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":7,"output_tokens":1}}'
)
PLAIN = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY)


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
