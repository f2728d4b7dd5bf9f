"""Faults of a provider's connection, through the whole proxy: an API error or a cut, and no clean end but success's."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import uvloop
from asgi import PATIENCE_S, until
from inside import HEAD, OPEN, SAY, START, Inside, Script, chunk, inside, provider, says
from raw_provider import fin, rst
from scraped import number

PING = b'event: ping\ndata: {"type":"ping"}\n\n'
CLOSED_AT_THE_END = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
SIZED = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n"
JSON = b"application/json"
MESSAGE = (
    b'{"id":"m","type":"message","role":"assistant","model":"x","content":[{"type":"text","text":"hi"}],'
    b'"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":7,"output_tokens":5}}'
)
CLOCKS = "[upstream]\nfirst_content_s = 0.3\nbetween_content_s = 0.3\n"
DIALECTS = pytest.mark.parametrize("dialect", ["anthropic", "openai"])


def sized(body: bytes, label: bytes = JSON, *, missing: int = 0) -> bytes:
    return SIZED % (label, len(body) + missing) + body


#: After content: the stream breaks off in each way that a connection can.
AFTER: dict[str, Script] = {
    "chunked, FIN": says(HEAD + chunk(START + OPEN + SAY), then=fin),
    "chunked, FIN in a chunk": says(HEAD + chunk(START + OPEN + SAY) + b"100\r\nevent", then=fin),
    "chunked, RST": says(HEAD + chunk(START + OPEN + SAY), then=rst),
    "chunked, clean end": says(HEAD + chunk(START + OPEN + SAY) + chunk(b"")),
    "bad chunk": says(HEAD + chunk(START + OPEN + SAY), b"zz\r\n", every_s=0.05),
    "closed in an event": says(CLOSED_AT_THE_END + START + OPEN + SAY + SAY[:60], then=fin),
    "closed in the terminal": says(CLOSED_AT_THE_END + START + OPEN + SAY + b"event: message_stop\ndata: {", then=fin),
    "closed between events": says(CLOSED_AT_THE_END + START + OPEN + SAY, then=fin),
    "Content-Length short": says(sized(START + OPEN + SAY, b"text/event-stream", missing=50), then=fin),
    "silence": says(HEAD + chunk(START + OPEN + SAY)),
    "only pings": says(HEAD + chunk(START + OPEN + SAY), *[chunk(PING)] * 500, every_s=0.005),
    "only a drip": says(HEAD + chunk(START + OPEN + SAY + b"data: "), *[chunk(b"x")] * 500, every_s=0.005),
}
#: Before content, or instead of it: the status that the client gets, streamed (None: it is an answer) and not.
INSTEAD: dict[str, tuple[Script, int, int]] = {
    "headers, then FIN": (says(HEAD, then=fin), 502, 502),
    "headers, then silence": (says(HEAD), 504, 504),
    "opening, then FIN": (says(HEAD + chunk(START + OPEN), then=fin), 502, 502),
    "opening, then silence": (says(HEAD + chunk(START + OPEN)), 504, 504),
    "only pings": (says(HEAD, *[chunk(PING)] * 500, every_s=0.005), 504, 504),
    "blank lines for ever": (says(SIZED % (JSON, 9999), *[b"\n"] * 500, every_s=0.005), 504, 504),
    "HTML": (says(sized(b"<html><title>Welcome</title></html>", b"text/html")), 502, 502),
    "HTML as a stream": (says(sized(b"<html>hello</html>", b"text/event-stream")), 502, 502),
    "bad JSON": (says(sized(b'{"type":"message"')), 502, 502),
    "an error object": (says(sized(b'{"type":"error","error":{"type":"overloaded_error","message":"x"}}')), 529, 529),
    "an error event": (
        says(
            HEAD
            + chunk(b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"x"}}\n\n')
            + chunk(b"")
        ),
        529,
        502,
    ),
    "nothing": (says(sized(b"")), 502, 502),
    "nothing as a stream": (says(HEAD + chunk(b"")), 502, 502),
    "204": (says(b"HTTP/1.1 204 No Content\r\n\r\n"), 502, 502),
    "Content-Length short": (says(sized(MESSAGE, missing=3), then=fin), 502, 502),
    "trailing garbage": (says(sized(MESSAGE + b"x")), 502, 502),
    "no stop_reason": (says(sized(MESSAGE.replace(b'"end_turn"', b"null"))), 502, 502),
    "a stream where none was asked for": (
        says(HEAD + chunk(START + OPEN + SAY + b"data: x\n\n") + chunk(b"")),
        200,
        502,
    ),
    "a whole answer to a stream": (says(sized(MESSAGE)), 502, 200),
    "compressed": (says(sized(MESSAGE).replace(b"\r\n", b"\r\nContent-Encoding: gzip\r\n", 1)), 502, 502),
}


def played(
    folder: Path, script: Script, dialect: str, *, stream: bool, more: str = CLOCKS, attempts: int = 1
) -> tuple[bytes, dict[str, object], Inside]:
    """All that the client gets until the connection ends or its answer does, and the log line."""

    async def play() -> tuple[bytes, dict[str, object], Inside]:
        async with provider(script) as (url, _), inside(folder, url, more, attempts=attempts) as proxy:
            before = proxy.held()
            async with proxy.asks(dialect, stream=stream) as (reader, _):
                head = await reader.readuntil(b"\r\n\r\n")
                if b"content-length: " in head:
                    length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
                    received = head + await reader.readexactly(length)
                else:
                    received = head
                    while not received.endswith(b"\r\n0\r\n\r\n") and (part := await reader.read(4096)):
                        received += part
                line = await proxy.logged()
            await proxy.proxy.upstream.close()  # connections that may be used again are no leak
            await until(lambda: proxy.held() == before)
            assert proxy.log.lines("bug") == proxy.log.lines("library") == []
            return received, line, proxy

    return uvloop.run(asyncio.wait_for(play(), 2 * PATIENCE_S))


@DIALECTS
@pytest.mark.parametrize("fault", AFTER)
def test_after_content_an_error_event_and_a_cut(fault: str, dialect: str, tmp_path: Path) -> None:
    received, line, _ = played(tmp_path, AFTER[fault], dialect, stream=True)
    assert received.startswith(b"HTTP/1.1 200 OK")
    assert b"hi" in received
    assert received.count(b"event: error" if dialect == "anthropic" else b'data: {"error":') == 1
    assert not received.endswith(b"0\r\n\r\n")
    assert b"event: message_stop" not in received
    assert b"[DONE]" not in received
    assert b'"finish_reason":"stop"' not in received
    assert str(line["error"]).endswith(": after the first byte")
    assert line["usage"] == {"input": 7, "output": 0, "cache_read": 0}


@DIALECTS
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("fault", INSTEAD)
def test_before_content_a_true_status(fault: str, stream: bool, dialect: str, tmp_path: Path) -> None:
    script, streamed, whole = INSTEAD[fault]
    expected = streamed if stream else whole
    if expected == 200:
        pytest.skip("an answer, or a fault after content")
    received, line, _ = played(tmp_path, script, dialect, stream=stream)
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % expected)
    assert b"content-type: application/json" in head
    error = msgspec.json.decode(body)
    assert error["error"]["message"]
    assert error.get("type") == ("error" if dialect == "anthropic" else None)
    assert line["status"] == expected


@DIALECTS
def test_a_whole_answer_where_it_was_asked_for(dialect: str, tmp_path: Path) -> None:
    received, line, _ = played(tmp_path, INSTEAD["a whole answer to a stream"][0], dialect, stream=False)
    assert received.startswith(b"HTTP/1.1 200 OK")
    assert (line["status"], line["usage"]) == (200, {"input": 7, "output": 5, "cache_read": 0})


@DIALECTS
def test_while_a_provider_thinks_the_client_hears_from_us(
    dialect: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The status is committed after a while, pings fill the silence, and a failure is then an event and a cut."""
    monkeypatch.setattr("core.streaming.HOLD_S", 0.05)
    monkeypatch.setattr("core.sending.PING_S", 0.05)
    received, line, _ = played(tmp_path, says(HEAD + chunk(START)), dialect, stream=True)
    ping = b"event: ping\n" if dialect == "anthropic" else b": ping\n"
    assert received.count(ping) >= 2
    said = received.partition(b"\r\n\r\n")[2]
    assert ping not in said[said.index(b"error") :]
    assert not received.endswith(b"0\r\n\r\n")
    assert line["error"] == "stalled: after the first byte"


@DIALECTS
def test_pings_stand_between_events(dialect: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half an event has come from the provider; ours does not fall into it, and nothing follows the end."""
    monkeypatch.setattr("core.sending.PING_S", 0.03)
    rest = (
        b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
        b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{}}\n\n'
        b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
    )
    script = says(HEAD + chunk(START + OPEN + SAY + rest[:40]), chunk(rest[40:]), every_s=0.2)
    received, line, _ = played(tmp_path, script, dialect, stream=True, more="")
    pieces = [part for part in received.partition(b"\r\n\r\n")[2].split(b"\r\n") if part.endswith(b"\n\n")]
    ping = b'event: ping\ndata: {"type":"ping"}\n\n' if dialect == "anthropic" else b": ping\n\n"
    assert pieces.count(ping) >= 2
    assert ping not in pieces[-1]
    assert pieces[-1].endswith(b'{"type":"message_stop"}\n\n' if dialect == "anthropic" else b"[DONE]\n\n")
    assert all(piece == ping or ping not in piece for piece in pieces)
    assert (line["status"], "error" in line) == (200, False)


@DIALECTS
def test_what_failed_attempts_used_is_told_apart(dialect: str, tmp_path: Path) -> None:
    """The first attempt says what it read and breaks off before content; the second answers."""
    turn = 0

    async def script(writer: asyncio.StreamWriter) -> None:
        nonlocal turn
        turn += 1
        end: Callable[[asyncio.StreamWriter], None] | None = fin if turn == 1 else None
        rest = b"" if turn == 1 else chunk(SAY + END) + chunk(b"")
        await says(HEAD + chunk(START + OPEN) + rest, then=end)(writer)

    received, line, proxy = played(tmp_path, script, dialect, stream=True, more="", attempts=2)
    assert received.endswith(b"0\r\n\r\n")
    assert line["usage"] == {"input": 7, "output": 5, "cache_read": 0}
    assert line["lost"] == {"input": 7, "output": 0, "cache_read": 0}
    text = proxy.proxy.metrics.exposition().decode()
    assert number(text, "terraphim_tokens_total", target="one,main", kind="input") == 14
    assert number(text, "terraphim_tokens_total", target="one,main", kind="output") == 5


END = (
    b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":'
    b'{"output_tokens":5}}\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n'
)
