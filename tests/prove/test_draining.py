import asyncio
from pathlib import Path

import pytest

from prove import draining, restart
from prove.draining import Client
from prove.stopping_clients import TOLD, WHOLE, Kept, judge, once, request

STREAM = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n"
STOP, ERROR = b"event: message_stop\r\n", b'event: error\ndata: {"type":"overloaded_error"}\r\n'
OVERLOADED = b"HTTP/1.1 529 \r\nretry-after: 1\r\ncontent-length: 16\r\n\r\noverloaded_error"


@pytest.mark.parametrize(
    ("data", "verdict"),
    [
        (STREAM + STOP + b"0\r\n\r\n", WHOLE),
        (STREAM + ERROR, TOLD),
        (OVERLOADED, TOLD),
        (b'HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\n"stop_reason"', WHOLE),
        (STREAM, "a stream that ends cut, without its last event"),
        (STREAM + STOP, "a stream that ends cut, with its last event"),
        (STREAM + b"0\r\n\r\n", "a stream that ends cleanly, without its last event"),
        (STREAM + ERROR + b"0\r\n\r\n", "a stream that ends cleanly, without its last event"),
        (STREAM + ERROR + STOP + b"0\r\n\r\n", "a stream that ends cleanly, with its last event"),
        (OVERLOADED[:-1], "15 of 16 bytes"),
        (OVERLOADED.replace(b"retry", b"x"), "status 529"),
        (OVERLOADED.replace(b"529", b"500"), "status 500"),
        (b'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}', "an answer without an end"),
        (b"HTTP/1.1 200 OK\r\n", "a head that breaks off"),
        (b"", "no answer"),
    ],
)  # fmt: skip
def test_what_a_client_was_sent(data: bytes, verdict: str) -> None:
    assert judge(data) == verdict


@pytest.mark.parametrize(
    ("kind", "verdict", "signals", "findings"),
    [
        ("short", WHOLE, 1, 0), ("short", TOLD, 1, 1), ("short", TOLD, 2, 0), ("short", "reset", 2, 1),
        ("long", TOLD, 1, 0), ("long", WHOLE, 1, 1), ("mute", "no answer", 2, 1),
    ],
)  # fmt: skip
def test_who_must_end_how(kind: str, verdict: str, signals: int, findings: int) -> None:
    client = Client(kind)
    client.verdict = verdict
    assert len(draining.judge([client], signals)) == findings


@pytest.mark.parametrize(
    ("kind", "verdict", "lost"), [("new", TOLD, 1), ("kept", "ConnectionResetError", 1), ("stream", TOLD, 0)]
)
def test_what_a_restart_may_not_lose(kind: str, verdict: str, lost: int) -> None:
    crowd = restart.Crowd(1, 1)
    crowd.verdicts[kind][verdict] += 1
    assert len(crowd.failed()) == lost


def test_a_server_that_just_closes_is_found_out() -> None:
    async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.transport.abort()

    async def run() -> list[str]:
        server = await asyncio.start_server(close, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        asked = request("a,b", "hello")
        found = [await once(port, asked), await Kept(port).ask(asked)]
        server.close()
        await server.wait_closed()
        return [*found, await once(port, asked)]

    first, second, third = asyncio.run(run())
    assert first in {"reset", "no answer"}
    assert second in {"ConnectionResetError", "IncompleteReadError"}
    assert third == "refused"


def test_a_small_stop(tmp_path: Path) -> None:
    found = draining.section(tmp_path / "scene", 10)
    assert found.findings == []
    assert "told 6, whole 5" in found.counts["1 signals"]


def test_a_restart(tmp_path: Path) -> None:
    found = restart.section(tmp_path / "scene", 1)
    assert found.findings == []
    assert all("whole" in counted for counted in found.counts.values())
