import asyncio
from collections.abc import Awaitable, Callable

import pytest
from redis_server import RedisServer

from core.answer_cache import Kept, packed
from core.messages import Usage
from core.schema_state import RedisSettings
from core.state.background import Background
from core.state.cache_redis import RedisAnswers
from core.state.redis import Redis

KEPT = Kept(b"answer" * 1000, Usage(input=5, cache_read=7))


class Shared:
    """Two proxies' answers on one server."""

    def __init__(self, url: str) -> None:
        self.redis = Redis()
        self.redis.use(RedisSettings(url=url, timeout_ms=5000), "")
        self.background = Background()
        self.one, self.two = (RedisAnswers(self.redis, self.background, waiting=10_000) for _ in range(2))

    async def written(self) -> None:
        """What waits to be written is."""
        await self.background.close(10)


def played(url: str, play: Callable[[Shared], Awaitable[None]]) -> None:
    async def run() -> None:
        shared = Shared(url)
        await play(shared)
        await shared.written()
        await shared.redis.close()

    asyncio.run(run())


def test_what_one_keeps_the_other_gives_for_as_long_as_was_said(redis_server: RedisServer) -> None:
    async def play(shared: Shared) -> None:
        shared.one.write("k", KEPT, 60)
        await shared.written()
        assert await shared.two.read("k") == KEPT
        assert await shared.two.read("other") is None
        left = await shared.redis.command("PTTL", "terraphim:answer:k")
        assert 50_000 < left <= 60_000

    played(redis_server.url, play)


def test_a_foreign_value_or_type_is_a_miss_and_is_overwritten(redis_server: RedisServer) -> None:
    async def play(shared: Shared) -> None:
        name = "terraphim:answer:k"
        for value in (b"", b"hello", packed("other", KEPT), packed("k", KEPT)[:-1]):
            await shared.redis.command("SET", name, value)
            assert await shared.one.read("k") is None
        await shared.redis.command("DEL", name)
        await shared.redis.command("LPUSH", name, "x")
        assert await shared.one.read("k") is None
        shared.one.write("k", KEPT, 60)
        await shared.written()
        assert await shared.one.read("k") == KEPT

    played(redis_server.url, play)


@pytest.mark.parametrize("url", ["", "redis://127.0.0.1:1/0"])
def test_without_a_server_everything_is_a_miss(url: str) -> None:
    async def play(shared: Shared) -> None:
        shared.one.write("k", KEPT, 60)
        assert await shared.one.read("k") is None

    played(url, play)


def test_what_waits_to_be_written_is_bounded(redis_server: RedisServer) -> None:
    async def play(shared: Shared) -> None:
        shared.one.write("a", KEPT, 60)
        shared.one.write("b", KEPT, 60)  # no room for two of 6 KB
        await shared.written()
        assert await shared.one.read("a") == KEPT
        assert await shared.one.read("b") is None
        shared.one.write("b", KEPT, 60)
        await shared.written()
        assert await shared.one.read("b") == KEPT

    played(redis_server.url, play)


def test_room_is_given_back_when_the_server_is_away() -> None:
    async def play(shared: Shared) -> None:
        for _ in range(3):
            shared.one.write("a", KEPT, 60)
            await shared.written()
        assert shared.one._room == 10_000

    played("redis://127.0.0.1:1/0", play)
