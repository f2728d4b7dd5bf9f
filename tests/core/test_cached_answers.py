"""Streams that are collected while they pass, inside a proxy whose provider and client are sockets of the test's."""

import asyncio
from pathlib import Path

import uvloop
from asgi import PATIENCE_S, until
from inside import HEAD, OPEN, SAY, START, Inside, Script, chunk, inside, provider, says

REST = (
    b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":'
    b'{"output_tokens":5}}\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n'
)
ON = '[cache]\ntargets = ["one,*"]\n'


async def reads_until(proxy: Inside, end: bytes) -> bytes:
    """What a client reads that leaves when it has seen `end`."""
    async with proxy.asks() as (reader, _):
        return await asyncio.wait_for(reader.readuntil(end), PATIENCE_S)


def outcomes(folder: Path, script: Script, end: bytes, more: str = ON) -> list[str]:
    """What the cache was for two clients, each of which leaves when it has seen `end`."""
    answers = []

    async def play() -> list[str]:
        async with provider(script) as (url, _), inside(folder, url, more) as proxy:
            for count in (1, 2):
                answers.append(await reads_until(proxy, end))
                await until(lambda: len(proxy.log.lines()) >= count)  # noqa: B023 - it is over before the next
            assert proxy.proxy.keeping.answers.size <= (1 << 20 if more else 0)
            return [line.get("cache", "") for line in proxy.log.lines()]

    found = uvloop.run(play())
    assert all(end in answer for answer in answers)
    return found


def test_who_has_got_all_may_leave_before_the_transport_ends(tmp_path: Path) -> None:
    script = says(HEAD + chunk(START + OPEN + SAY), chunk(REST))  # and the provider never hangs up
    assert outcomes(tmp_path, script, b'"message_stop"}\n\n') == ["miss", "hit"]


def test_a_stream_that_its_client_left_is_not_kept(tmp_path: Path) -> None:
    script = says(HEAD + chunk(START + OPEN + SAY))
    assert outcomes(tmp_path, script, b'"text_delta"') == ["miss", "miss"]


def test_a_stream_is_kept_up_to_a_size_that_is_set(tmp_path: Path) -> None:
    long = chunk(SAY.replace(b"hi", b"hi" * 600)) * 2
    script = says(HEAD + chunk(START + OPEN), long, chunk(REST) + chunk(b""))
    end = b'"message_stop"}\n\n'
    assert outcomes(tmp_path, script, end, ON + "max_answer_kb = 1\n") == ["miss", "miss"]
    assert outcomes(tmp_path, script, end, ON + "max_answer_kb = 4\n") == ["miss", "hit"]


def test_without_the_setting_nothing_is_kept(tmp_path: Path) -> None:
    script = says(HEAD + chunk(START + OPEN + SAY), chunk(REST) + chunk(b""))
    assert outcomes(tmp_path, script, b'"message_stop"}\n\n', "") == ["", ""]
