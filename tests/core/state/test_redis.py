import asyncio

import pytest
from redis_server import RedisServer

from core.schema_state import RedisSettings
from core.state.redis import Redis, Script, StoreDown

ECHO = Script("return {KEYS[1], ARGV[1]}")


def test_commands_and_scripts_are_answered(redis_server: RedisServer) -> None:
    async def run() -> None:
        redis = Redis()
        redis.use(RedisSettings(url=redis_server.url, timeout_ms=1000), "")
        key = redis.key("a", "b")
        assert key == "terraphim:a:b"
        await redis.command("SET", key, 5)
        assert await redis.command("GET", key) == b"5"
        assert await redis.run(ECHO, [key], ["x"]) == [key.encode(), b"x"]
        assert await redis.run(ECHO, [key], ["y"]) == [key.encode(), b"y"]
        await redis.close()

    asyncio.run(run())


def test_without_a_server_there_is_no_store() -> None:
    async def run(redis: Redis) -> None:
        with pytest.raises(StoreDown):
            await redis.command("GET", "a")
        await redis.close()

    asyncio.run(run(Redis()))
    nobody = Redis()
    nobody.use(RedisSettings(url="redis://127.0.0.1:1/0"), "")
    asyncio.run(run(nobody))
