import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Any

import pytest
from limited import ONE, TWO, Passage, configured, shot
from loops import on_a_loop
from redis_server import RedisServer

from core.errors import BadRequest, RateLimited, Unavailable
from core.exchange import CANCELLED
from core.guarding import TargetFull
from core.limiting import Limiting
from core.limits import Ask
from core.messages import Usage
from core.retry_after import LONGEST_S
from core.schema import Settings
from core.state.background import Background
from core.state.limits_memory import MemoryLimits
from core.state.limits_redis import RedisLimits
from core.state.redis import Redis

NUMBERS = count(1)


class Scene:
    """A guard with a clock of its own, and requests that go through it."""

    def __init__(
        self, limits: dict[str, Any], redis: Redis | None = None, url: str = "", shared: RedisLimits | None = None
    ) -> None:
        self.now = 0
        self.refused: Counter[tuple[str, str]] = Counter()
        self.config: Settings = configured(limits, url)
        self.snapshot = shot(self.config)
        self.memory = MemoryLimits(lambda: self.now)
        self.background = Background()
        self.guard = Limiting(
            redis or Redis(),
            self.background,
            lambda kind, scope: self.refused.update([(kind, scope)]),
            shared=shared,
            memory=self.memory,
            wall=lambda: 1_767_225_600.0,
        )
        self.guard.use(self.config)

    def request(self, **who: Any) -> Passage:
        return Passage(self.guard, self.config, self.snapshot, next(NUMBERS), **who)

    async def whole(self, sent: int, answer: int, reserved: int = 0) -> Passage:
        """A request that is answered."""
        async with self.request() as one:
            await one.reserve(sent, reserved or answer)
            await one.at_target()
            one.answered(sent, answer)
        return one

    def left(self, kind: str = "tokens", scope: str = "key", whose: str = "", limit: int = 1000) -> int:
        """What is left of a limit."""
        return self.memory.take([Ask(scope, whose, kind, limit, 0, "")]).said[0].left  # type: ignore[arg-type]


@on_a_loop
async def test_without_limits_nothing_is_kept() -> None:
    scene = Scene({})
    one = await scene.whole(10, 10)
    assert (one.visit.kept, one.visit.headers(), scene.guard.open) == ({}, {}, 0)


@pytest.mark.parametrize("dialect", ["anthropic", "openai"])
@on_a_loop
async def test_who_asks_too_often_is_told_which_limit_and_when(dialect: str) -> None:
    scene = Scene({"requests_per_minute": 10})
    await scene.whole(1, 1)
    again = scene.request(dialect=dialect)
    with pytest.raises(RateLimited) as refusal:
        await again.__aenter__()
    assert refusal.value.message == (
        "all clients together: no more than 10 requests a minute (limits.requests_per_minute); try again in 6.667 s"
    )
    assert refusal.value.headers == {"retry-after": "7", "retry-after-ms": "6667"}
    told = again.visit.headers()
    names = {"anthropic": "anthropic-ratelimit-requests-remaining", "openai": "x-ratelimit-remaining-requests"}
    assert told[names[dialect]] == "0"
    assert scene.refused == {("requests", "key"): 1}
    assert scene.guard.open == 0
    scene.now = 6667
    await scene.whole(1, 1)


@on_a_loop
async def test_what_can_never_pass_is_no_matter_of_waiting() -> None:
    scene = Scene({"tokens_per_minute": 1000})
    async with scene.request() as one:
        with pytest.raises(BadRequest) as refusal:
            await one.reserve(500, 501)
    assert "may need 1001 tokens, more than the 1000 a minute" in refusal.value.message
    assert "limits.tokens_per_minute" in refusal.value.message
    assert refusal.value.headers == {"x-should-retry": "false"}
    assert scene.left() == 1000


@pytest.mark.parametrize(
    ("what", "used"),
    [
        (lambda one: one.answered(100, 50), 150),
        (lambda one: one.answered(100, 700), 800),
        (lambda one: one.answered(100, 50, pieces=70), 150),
        (lambda one: one.broke_off(30), 130),
        (lambda one: one.broke_off(30, Usage(input=100, output=40)), 140),
        (lambda one: one.broke_off(30, Usage(input=90, output=1, cache_read=10)), 130),
        (lambda one: one.failed(CANCELLED), 100),
        (lambda one: one.failed("429"), 0),
        (lambda one: one.failed("cut", Usage(input=100, output=7)), 107),
        (lambda one: None, 0),
    ],
)
@on_a_loop
async def test_what_was_used_counts_whatever_ended_it(what: Callable[[Passage], None], used: int) -> None:
    scene = Scene({"tokens_per_minute": 1000})
    async with scene.request() as one:
        await one.reserve(100, 500)
        await one.at_target()
        what(one)
    assert scene.left() == 1000 - used
    assert scene.guard.open == 0


@on_a_loop
async def test_input_and_output_have_limits_of_their_own() -> None:
    scene = Scene({"input_tokens_per_minute": 1000, "output_tokens_per_minute": 500, "requests_per_minute": 100})
    async with scene.request() as one:
        await one.reserve(100, 500)
        assert (scene.left("input_tokens"), scene.left("output_tokens", limit=500)) == (900, 0)
        await one.at_target()
        one.answered(120, 50)
    assert (scene.left("input_tokens"), scene.left("output_tokens", limit=500)) == (880, 450)
    assert scene.left("requests", limit=100) == 99


@on_a_loop
async def test_failed_attempts_count_with_what_they_used_too() -> None:
    scene = Scene({"tokens_per_minute": 1000, "targets": {"openai": {"tokens_per_minute": 10_000}}})
    async with scene.request() as one:
        await one.reserve(100, 100, ONE, TWO)
        await one.at_target()
        one.failed("stalled", Usage(input=100, output=3))
        await one.at_target()
        assert scene.left(scope="target", whose="openai", limit=10_000) == 9697
        one.failed("500")
        await one.at_target(1)
        assert scene.left(scope="target", whose="openai", limit=10_000) == 9897
        one.answered(100, 20, TWO)
    assert (scene.left(), scene.left(scope="target", whose="openai", limit=10_000)) == (777, 9897)


@on_a_loop
async def test_a_full_target_is_passed_over() -> None:
    scene = Scene({"targets": {"openai": {"concurrent": 1}, "deepseek": {"output_tokens_per_minute": 99}}})
    async with scene.request() as one, scene.request() as two:
        await one.reserve(1, 100, ONE, TWO)
        await one.at_target()
        one.failed("500")
        await one.at_target()  # once more: its own first attempt is not in its way
        await two.reserve(1, 100, ONE, TWO)
        with pytest.raises(TargetFull) as full:
            await two.at_target()
        assert (full.value.why, full.value.wait_s) == ("limit", 1.0)
        with pytest.raises(TargetFull) as full:
            await two.at_target(1)
        assert (full.value.why, full.value.wait_s) == ("too_large", LONGEST_S)
        one.answered(1, 1)
    async with scene.request() as three:
        await three.reserve(1, 1)
        await three.at_target()
    assert scene.memory.empty
    assert scene.refused == {("concurrent", "target"): 1, ("output_tokens", "target"): 1}


@on_a_loop
async def test_requests_at_once_are_over_when_their_answers_are() -> None:
    scene = Scene({"concurrent": 2, "address": {"concurrent": 1}})
    async with scene.request(address="1.1.1.1"):
        with pytest.raises(RateLimited, match=r"client address 1\.1\.1\.1: no more than 1 requests at once"):
            await scene.request(address="1.1.1.1").__aenter__()
        async with scene.request(address="2.2.2.2"):
            assert scene.guard.open == 2
            with pytest.raises(RateLimited, match="all clients together: no more than 2"):
                await scene.request(address="3.3.3.3").__aenter__()
    async with scene.request(address="3.3.3.3"):
        pass
    assert (scene.guard.open, scene.memory.empty) == (0, True)


@on_a_loop
async def test_what_asks_no_provider_counts_for_the_address_only() -> None:
    scene = Scene({"requests_per_minute": 10, "address": {"requests_per_minute": 20}})
    for _ in range(2):
        async with scene.request(endpoint="/v1/messages/count_tokens"):
            pass
    assert scene.left("requests", limit=10) == 10
    with pytest.raises(RateLimited, match=r"limits\.address"):
        await scene.request(endpoint="/v1/route").__aenter__()
    assert scene.left("requests", "address", "1.2.3.4", 20) == 18


@on_a_loop
async def test_a_request_keeps_the_limits_that_it_began_with() -> None:
    scene = Scene({"concurrent": 1})
    async with scene.request():
        scene.guard.use(configured({}))
        with pytest.raises(RateLimited):
            await scene.request().__aenter__()
    assert scene.memory.empty


@on_a_loop
async def test_while_redis_is_away_each_counts_for_itself_or_nobody_is_let_in() -> None:
    url = "redis://127.0.0.1:1/0"
    redis = Redis()
    redis.use(configured({}, url).redis, "")
    local = Scene({"requests_per_minute": 10}, redis, url)
    await local.whole(1, 1)
    with pytest.raises(RateLimited):
        await local.whole(1, 1)
    closed = Scene({"requests_per_minute": 10, "without_redis": "closed"}, redis, url)
    with pytest.raises(Unavailable) as refusal:
        await closed.whole(1, 1)
    assert refusal.value.status == 529
    assert 'limits.without_redis is "closed"' in refusal.value.message
    assert refusal.value.headers["retry-after"] == "1"
    for scene in (local, closed):
        await scene.background.close()
        assert scene.guard.open == 0
    await redis.close()


async def settled(scene: Scene) -> None:
    """What was given back: no more than Redis."""
    await scene.background.close()


@on_a_loop
async def test_proxies_of_one_redis_count_together(redis_server: RedisServer) -> None:
    limits = {"requests_per_minute": 100, "tokens_per_minute": 1000, "concurrent": 2}
    redis = Redis()
    redis.use(configured({}, redis_server.url).redis, "")
    one, two = (Scene(limits, redis, redis_server.url) for _ in range(2))
    async with one.request() as first, two.request():
        await first.reserve(10, 60)
        with pytest.raises(RateLimited, match="2 requests at once"):
            await one.request().__aenter__()
        await first.at_target()
        first.answered(10, 5)
    await settled(one)
    await settled(two)
    async with two.request(dialect="openai") as again:
        told = again.visit.headers()
        assert (told["x-ratelimit-remaining-requests"], told["ratelimit"][-3:]) == ("97", "r=1")
        await again.reserve(1, 80)
        assert int(again.visit.headers()["x-ratelimit-remaining-tokens"]) >= 1000 - 15 - 81
    await settled(two)
    assert await redis.command("KEYS", redis.key("limits", "key::concurrent")) == []
    await redis.close()


@on_a_loop
async def test_a_client_that_leaves_while_redis_is_asked_holds_nothing(redis_server: RedisServer) -> None:
    redis = Redis()
    redis.use(configured({}, redis_server.url).redis, "")
    scene = Scene({"concurrent": 3}, redis, redis_server.url)
    for turns in range(8):
        task = asyncio.create_task(scene.request().__aenter__())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await (await task).__aexit__(None, None, None)
    await settled(scene)
    assert scene.guard.open == 0
    assert await redis.command("ZCARD", redis.key("limits", "key::concurrent")) == 0
    await redis.close()


@on_a_loop
async def test_who_is_there_is_told_to_redis_all_the_time(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.limiting.HOLD_S", 0.01)
    redis = Redis()
    redis.use(configured({}, redis_server.url).redis, "")
    scene = Scene({"concurrent": 3}, redis, redis_server.url)
    scene.guard.start()
    async with scene.request():
        await redis.command("FLUSHALL")
        while not await redis.command("ZCARD", redis.key("limits", "key::concurrent")):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await scene.guard.close()
    await settled(scene)
    await redis.close()


@on_a_loop
async def test_an_attempt_that_is_over_is_not_held(redis_server: RedisServer) -> None:
    redis = Redis()
    redis.use(configured({}, redis_server.url).redis, "")
    shared = RedisLimits(redis)
    scene = Scene({"targets": {"openai": {"concurrent": 3}}}, redis, redis_server.url, shared)
    async with scene.request() as one:
        await one.reserve(1, 1)
        for _ in range(3):
            await one.at_target()
            one.failed("500")
        await shared.hold()
        assert await redis.command("ZCARD", redis.key("limits", "target:openai:concurrent")) == 1
    await settled(scene)
    await shared.hold()
    assert await redis.command("ZCARD", redis.key("limits", "target:openai:concurrent")) == 0
    await redis.close()


@on_a_loop
async def test_another_redis_has_its_own_time(redis_server: RedisServer) -> None:
    url = redis_server.url
    other = url.removesuffix("0") + "1"
    redis = Redis()
    redis.use(configured({}, url).redis, "")
    await redis.command("HSET", redis.key("limits"), "@now", 10**12)
    scene = Scene({"requests_per_minute": 100}, redis, url)
    await scene.whole(1, 1)
    there = configured({"requests_per_minute": 100}, other)
    redis.use(there.redis, "")
    scene.guard.use(there)
    scene.config = there
    await scene.whole(1, 1)
    assert int(await redis.command("HGET", redis.key("limits"), "@now")) < 10**12
    await settled(scene)
    await redis.close()
