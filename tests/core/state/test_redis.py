import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvloop
from loops import on_a_loop, until
from redis_server import RedisServer, redis_running

from core.schema_state import RedisSettings
from core.state.redis import Observer, Redis, Script, StoreDown

ECHO = Script("return {KEYS[1], ARGV[1]}")
PATIENT_MS = 5000


class Seen(Observer):
    """What was told."""

    def __init__(self) -> None:
        self.changes: list[str] = []
        self.outcomes: list[str] = []

    def down(self, why: str) -> None:
        self.changes.append(f"down: {why}")

    def up(self, away_s: float) -> None:
        assert away_s >= 0
        self.changes.append("up")

    def left(self) -> None:
        self.changes.append("left")

    def answered(self, outcome: str, seconds: float) -> None:
        assert seconds >= 0
        self.outcomes.append(outcome)


@asynccontextmanager
async def redis_at(url: str, *, timeout_ms: int = PATIENT_MS, word: str = "") -> AsyncIterator[tuple[Redis, Seen]]:
    seen = Seen()
    redis = Redis(seen)
    redis.use(RedisSettings(url=url, timeout_ms=timeout_ms), word)
    try:
        yield redis, seen
    finally:
        await redis.close()
        assert asyncio.all_tasks() == {asyncio.current_task()}


async def kind_of(redis: Redis, *parts: str | int) -> str:
    """Of the StoreDown that this command ends with."""
    with pytest.raises(StoreDown) as caught:
        await redis.command(*parts)
    return caught.value.kind


@on_a_loop
async def test_commands_and_scripts_are_answered(redis_server: RedisServer) -> None:
    async with redis_at(redis_server.url) as (redis, seen):
        key = redis.key("a", "b")
        assert key == "terraphim:a:b"
        await redis.command("SET", key, 5)
        assert await redis.command("GET", key) == b"5"
        assert await redis.run(ECHO, [key], ["x"]) == [key.encode(), b"x"]
        assert await redis.run(ECHO, [key], ["y"]) == [key.encode(), b"y"]
        await redis.command("SCRIPT", "FLUSH")
        assert await redis.run(ECHO, [key], ["z"]) == [key.encode(), b"z"]
        assert seen.outcomes == ["ok", "ok", "no_script", "ok", "ok", "ok", "no_script", "ok"]
        assert (redis.configured, redis.down, seen.changes) == (True, False, [])


@on_a_loop
async def test_without_a_server_there_is_no_store() -> None:
    redis = Redis()
    assert (redis.configured, redis.down) == (False, False)
    assert await kind_of(redis, "GET", "a") == "not_configured"
    await redis.close()


@on_a_loop
async def test_a_server_that_is_not_there_is_left_alone() -> None:
    async with redis_at("redis://127.0.0.1:1/0") as (redis, seen):
        assert await kind_of(redis, "GET", "a") == "unreachable"
        assert [await kind_of(redis, "GET", "a") for _ in range(3)] == ["left_alone"] * 3
        assert (redis.down, seen.changes) == (True, ["down: unreachable"])


def test_nobody_gets_an_answer_of_somebody_who_left(redis_server: RedisServer) -> None:
    """Many requests at once, of which every third is cancelled wherever it happens to be."""

    async def run() -> None:
        async with redis_at(redis_server.url) as (redis, seen):
            for number in range(300):
                await redis.command("SET", f"nonce{number}", f"of {number}")

            async def ask(number: int) -> None:
                assert await redis.command("GET", f"nonce{number}") == f"of {number}".encode()

            for turn in range(20):
                tasks = [asyncio.create_task(ask(number)) for number in range(300)]
                for _ in range(turn % 7):
                    await asyncio.sleep(0)
                for task in tasks[turn % 3 :: 3]:
                    task.cancel()
                ends = await asyncio.gather(*tasks, return_exceptions=True)
                assert not [end for end in ends if end and not isinstance(end, asyncio.CancelledError)]
            assert "cancelled" in seen.outcomes
            assert seen.changes == []

    uvloop.run(run())
    asyncio.run(run())


@on_a_loop
async def test_a_frozen_server_costs_who_waits_once_and_comes_back(redis_server: RedisServer) -> None:
    async with redis_at(redis_server.url, timeout_ms=100) as (redis, seen):
        await redis.command("SET", "a", "1")
        redis_server.process.send_signal(signal.SIGSTOP)
        assert await asyncio.gather(*(kind_of(redis, "GET", "a") for _ in range(20))) == ["timeout"] * 20
        assert [await kind_of(redis, "GET", "a") for _ in range(20)] == ["left_alone"] * 20
        await asyncio.sleep(0.5)  # several tries that fail
        assert seen.changes == ["down: timeout"]
        redis_server.process.send_signal(signal.SIGCONT)
        await until(lambda: not redis.down, 0.01)
        assert await redis.command("GET", "a") == b"1"
        assert seen.changes == ["down: timeout", "up"]


@on_a_loop
async def test_a_server_that_is_killed_and_started_again_serves_again(tmp_path: Path) -> None:
    with redis_running(tmp_path) as server:
        async with redis_at(server.url) as (redis, seen):
            await redis.command("PING")
            server.process.kill()
            server.process.wait()
            for _ in range(5):
                await kind_of(redis, "GET", "a")
            with redis_running(tmp_path, port=server.port):
                await until(lambda: not redis.down, 0.01)
                assert await redis.command("GET", "a") is None
            assert len(seen.changes) == 2


@on_a_loop
async def test_what_one_command_is_refused_keeps_no_other(tmp_path: Path) -> None:
    with redis_running(tmp_path, "--maxmemory", "1", "--maxmemory-policy", "noeviction") as server:
        async with redis_at(server.url) as (redis, seen):
            assert await kind_of(redis, "SET", "a", 1) == "full"
            await redis.command("CONFIG", "SET", "maxmemory", 0)
            await redis.command("RPUSH", "list", 1)
            assert await kind_of(redis, "GET", "list") == "wrong_type"
            assert await kind_of(redis, "NO", "such", "command") == "refused"
            assert await kind_of(redis, "EVAL", "return redis.call('GET', 'list')", 0) == "wrong_type"
            assert await redis.command("GET", "a") is None
            assert seen.changes == []


@on_a_loop
async def test_a_new_password_is_a_new_link(tmp_path: Path) -> None:
    with redis_running(tmp_path, "--requirepass", "right") as server:
        async with redis_at(server.url, word="wrong") as (redis, seen):
            assert await kind_of(redis, "GET", "a") == "password"
            redis.use(RedisSettings(url=server.url, timeout_ms=PATIENT_MS), "right")
            assert await redis.command("GET", "a") is None
            assert seen.changes == ["down: password", "left"]
            redis.use(RedisSettings(url=server.url, timeout_ms=PATIENT_MS), "")
            assert await kind_of(redis, "GET", "a") == "password"
            redis.use(RedisSettings(), "")
            assert seen.changes == ["down: password", "left"] * 2


@on_a_loop
async def test_a_server_that_forgets_us_is_greeted_anew(tmp_path: Path) -> None:
    with redis_running(tmp_path, "--requirepass", "right") as server:
        async with redis_at(server.url, word="right") as (redis, _):
            await redis.command("RESET")  # the connection is nobody's any more
            assert await kind_of(redis, "GET", "a") == "password"
            await until(lambda: not redis.down, 0.01)
            assert await redis.command("GET", "a") is None


@on_a_loop
async def test_another_server_takes_over_and_what_is_under_way_ends(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with redis_running(tmp_path) as first, redis_running(other) as second:
        async with redis_at(first.url) as (redis, seen):
            await redis.command("SET", "a", "first")
            waiting = [asyncio.create_task(redis.command("BLPOP", "nothing", "0.2"))]
            waiting += [asyncio.create_task(redis.command("GET", "a")) for _ in range(5)]
            await until(lambda: False if redis.down else not waiting[0].done(), 0.01)
            await asyncio.sleep(0.05)
            redis.use(RedisSettings(url=second.url, timeout_ms=PATIENT_MS), "")
            assert await redis.command("GET", "a") is None
            assert await asyncio.gather(*waiting) == [None, *[b"first"] * 5]
            assert seen.changes == []
            same = redis._link
            redis.use(RedisSettings(url=second.url, timeout_ms=PATIENT_MS), "")
            assert redis._link is same
            redis.use(RedisSettings(), "")
            assert await kind_of(redis, "GET", "a") == "not_configured"


@on_a_loop
async def test_a_database_of_its_own(redis_server: RedisServer) -> None:
    async with redis_at(redis_server.url) as (redis, _), redis_at(redis_server.url[:-1] + "3") as (third, _):
        await third.command("SET", "a", 3)
        assert (await redis.command("GET", "a"), await third.command("GET", "a")) == (None, b"3")


@on_a_loop
async def test_who_is_connected_before_anybody_asks(redis_server: RedisServer) -> None:
    """`use` comes before the event loop at the start; `start` connects."""
    redis = await asyncio.to_thread(before_the_loop, redis_server.url)
    redis.start()
    await until(lambda: redis._link is not None and redis._link._line is not None)
    assert await redis.command("PING") == b"PONG"
    await redis.close()


def before_the_loop(url: str) -> Redis:
    redis = Redis()
    redis.use(RedisSettings(url=url, timeout_ms=PATIENT_MS), "")
    return redis


def test_a_password_is_in_no_text(redis_server: RedisServer) -> None:
    redis = Redis()
    redis.use(RedisSettings(url=redis_server.url), "canary-secret")
    assert "canary" not in repr(redis._server)
