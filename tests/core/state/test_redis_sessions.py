"""Sessions in a real Redis: what comes back, what does not, and that nothing there can hurt."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from redis_server import RedisServer

from core.exchange import SessionState, Warm
from core.schema_state import RedisSettings
from core.state.background import Background
from core.state.memory import EMPTY
from core.state.redis import Redis
from core.state.redis_sessions import VERSION, RedisSessions, decoded, encoded

STATE = SessionState(3, "one,main", 900, 800, "one,main", 70, (Warm("one,main", 800, 1_763_800_000_000),))
KEY = "terraphim:session:laptop:s-1"


class Proxy:
    """One proxy's side of the server."""

    def __init__(self, url: str) -> None:
        self.redis, self.background = Redis(), Background()
        self.redis.use(RedisSettings(url=url, timeout_ms=5000), "")
        self.sessions = RedisSessions(self.redis, self.background)

    async def written(self) -> None:
        while self.sessions._waiting:  # noqa: ASYNC110
            await asyncio.sleep(0.001)


@asynccontextmanager
async def proxy(url: str) -> AsyncIterator[Proxy]:
    one = Proxy(url)
    try:
        yield one
    finally:
        await one.background.close()
        await one.redis.close()


def run(test: Coroutine[Any, Any, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(10):
            await test

    asyncio.run(bounded())


def test_what_one_proxy_writes_another_reads_and_another_key_does_not(redis_server: RedisServer) -> None:
    async def play() -> None:
        async with proxy(redis_server.url) as one, proxy(redis_server.url) as two:
            assert await one.sessions.read("laptop", "s-1") == EMPTY
            one.sessions.write("laptop", "s-1", STATE)
            await one.written()
            assert await two.sessions.read("laptop", "s-1") == STATE
            assert await two.sessions.read("ci", "s-1") == EMPTY
            assert await two.sessions.read("laptop", "s-2") == EMPTY
            assert await two.sessions.read("", "laptop:s-1") == EMPTY

    run(play())


def test_the_next_request_of_the_same_proxy_finds_what_waits_to_be_written(redis_server: RedisServer) -> None:
    async def play() -> None:
        async with proxy(redis_server.url) as one:
            one.sessions.write("laptop", "s-1", STATE)
            assert await one.sessions.read("laptop", "s-1") == STATE
            await one.written()

    run(play())


def test_a_session_expires_at_the_server_and_every_answer_renews_it(redis_server: RedisServer) -> None:
    async def play() -> None:
        async with proxy(redis_server.url) as one:
            for seconds in (100, 7):
                one.sessions.use(seconds)
                one.sessions.write("laptop", "s-1", STATE)
                await one.written()
                left_ms = await one.redis.command("PTTL", KEY)
                assert 0 < left_ms <= seconds * 1000
                assert left_ms > (seconds - 5) * 1000

    run(play())


def test_turns_never_go_back_and_the_last_writer_says_the_rest(redis_server: RedisServer) -> None:
    async def play() -> None:
        async with proxy(redis_server.url) as one, proxy(redis_server.url) as two:
            for turn in (7, 3, 8):  # the second began before the first ended
                state = msgspec.structs.replace(STATE, turns=turn, last_input_tokens=turn)
                one.sessions.write("laptop", "s-1", state)
                await one.written()
            found = await two.sessions.read("laptop", "s-1")
            assert (found.turns, found.last_input_tokens) == (9, 8)

    run(play())


def test_many_answers_at_once_are_all_counted(redis_server: RedisServer) -> None:
    async def play() -> None:
        async with proxy(redis_server.url) as one, proxy(redis_server.url) as two:
            for _ in range(50):
                one.sessions.write("laptop", "s-1", SessionState(turns=1))
                two.sessions.write("laptop", "s-1", SessionState(turns=1))
            await one.written()
            await two.written()
            await one.background.close()
            await two.background.close()
            assert (await one.sessions.read("laptop", "s-1")).turns == 100

    run(play())


@pytest.mark.parametrize(
    "foreign",
    [
        ("SET", KEY, "a text"),
        ("RPUSH", KEY, "a", "list"),
        ("HSET", KEY, "turns", "many", "state", encoded(STATE)),
        ("HSET", KEY, "turns", "-3", "state", encoded(STATE)),
        ("HSET", KEY, "turns", "9223372036854775807", "state", encoded(STATE)),
        ("HSET", KEY, "turns", "3", "state", b"\x02" + encoded(STATE)[1:]),
        ("HSET", KEY, "turns", "3", "state", encoded(STATE)[:-3]),
        ("HSET", KEY, "turns", "3", "state", VERSION + msgspec.msgpack.encode({"turns": "3"})),
        ("HSET", KEY, "turns", "3", "state", VERSION + msgspec.msgpack.encode({"last_input_tokens": -1})),
        ("HSET", KEY, "other", "field"),
    ],
    ids=lambda command: f"{command[0]} {str(command[2:])[:40]}",
)
def test_what_cannot_be_read_counts_as_nothing_and_gives_way(redis_server: RedisServer, foreign: Any) -> None:
    async def play() -> None:
        async with proxy(redis_server.url) as one:
            await one.redis.command(*foreign)
            assert await one.sessions.read("laptop", "s-1") == EMPTY
            one.sessions.write("laptop", "s-1", STATE)
            await one.written()
            found = await one.sessions.read("laptop", "s-1")
            assert msgspec.structs.replace(found, turns=3) == STATE
            assert 3 <= found.turns <= 4
            assert await one.redis.command("PTTL", KEY) > 0

    run(play())


def test_without_the_server_every_session_is_new_and_the_loss_is_counted(redis_server: RedisServer) -> None:
    async def play() -> None:
        async with proxy(redis_server.url) as one:
            redis_server.process.kill()
            redis_server.process.wait()
            one.sessions.write("laptop", "s-1", STATE)
            await one.written()
            assert await one.sessions.read("laptop", "s-1") == EMPTY
            assert one.background.dropped == 1

    run(play())


def test_a_request_without_a_session_leaves_nothing_behind() -> None:
    background = Background()
    RedisSessions(Redis(), background).write("laptop", "", STATE)  # needs no event loop, because nothing is to be done
    assert background.dropped == 0


@pytest.mark.parametrize("found", [None, b"x", 3, [], [b"1"], [None, None], [b"1", None], [b"1", b""], [3, b"\x01"]])
def test_an_answer_that_is_none_is_empty(found: object) -> None:
    assert decoded(found) == EMPTY
