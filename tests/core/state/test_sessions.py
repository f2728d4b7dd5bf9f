"""Which store it is."""

import asyncio

import pytest
from redis_server import RedisServer

from core.exchange import SessionState
from core.schema_state import RedisSettings, SessionSettings
from core.state.background import Background
from core.state.memory import EMPTY
from core.state.redis import Redis
from core.state.sessions import ChosenSessions

STATE = SessionState(turns=1, last_target="one,main")


@pytest.mark.parametrize("shared", [True, False])
def test_they_are_where_they_should_be(redis_server: RedisServer, shared: bool) -> None:
    async def play() -> None:
        redis, background = Redis(), Background()
        redis.use(RedisSettings(url=redis_server.url, timeout_ms=5000), "")
        sessions = ChosenSessions(redis, background)
        sessions.use(SessionSettings(), shared=shared)
        sessions.write("", "s", STATE)
        await background.close()
        assert await sessions.read("", "s") == STATE
        assert bool(await redis.command("EXISTS", redis.key("session", "", "s"))) is shared
        await redis.close()

    asyncio.run(play())


def test_a_reload_changes_the_bounds_and_keeps_what_is_remembered() -> None:
    async def play() -> None:
        sessions = ChosenSessions(Redis(), Background())
        for name in "abc":
            sessions.write("", name, STATE)
        sessions.use(SessionSettings(max=2), shared=False)
        assert [await sessions.read("", name) for name in "abc"] == [EMPTY, STATE, STATE]

    asyncio.run(play())
