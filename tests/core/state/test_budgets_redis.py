"""Two processes' accounts in a real Redis, and those of two workers at their supervisor, which must say the same.

What is timed out in Redis is made so by changing the leases, not by waiting.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from hub import desk
from redis_server import RedisServer

from core.budgeting import SharedBudgets
from core.budgets import Account, Limits, limits_at
from core.group.stores import GroupBudgets
from core.schema_state import Budget, RedisSettings
from core.state.budgets_redis import RedisBudgets, Shared
from core.state.redis import Redis, StoreDown

PERIODS = ("2026-11-23", "2026-11")


def limits() -> Limits:
    found = limits_at(Budget(day_usd=0.001, month_usd=0.01), Budget(), 1_795_438_800_000)  # 2026-11-23 13:00 UTC
    assert found is not None
    assert tuple(limit.period for limit in found.each) == PERIODS
    return found


@asynccontextmanager
async def connected(server: RedisServer) -> AsyncIterator[Redis]:
    redis = Redis()
    redis.use(RedisSettings(url=server.url, timeout_ms=5000), "")
    try:
        yield redis
    finally:
        await redis.close()


class Proxy:
    """One process's account of one key."""

    def __init__(self, budgets: SharedBudgets) -> None:
        self.budgets, self.account = budgets, Account()

    async def hold(self, request: str, wanted: int) -> bool:
        self.account.held[request] = wanted
        shared = await self.budgets.hold("ci", self.account, limits(), request, wanted)
        self.account.learn(shared.spent, shared.held)
        if not shared.room:
            del self.account.held[request]
        return shared.room

    async def settle(self, request: str, cost: int) -> Shared:
        self.account.settle(request, PERIODS, cost)
        return await self.budgets.report("ci", self.account, PERIODS, request)


def run(server: RedisServer, test: Callable[[Redis, Proxy, Proxy], Awaitable[None]]) -> None:
    async def inside() -> None:
        async with connected(server) as redis:
            await test(redis, *(Proxy(RedisBudgets(redis, name)) for name in ("one", "two")))

    asyncio.run(inside())


Both = Callable[[Callable[[Proxy, Proxy], Awaitable[None]]], None]


@pytest.fixture(params=["redis", "group"])
def both(request: pytest.FixtureRequest) -> Both:
    """Runs a test of two processes that share accounts."""
    if request.param == "redis":
        server: RedisServer = request.getfixturevalue("redis_server")
        return lambda test: run(server, lambda _, one, two: test(one, two))

    def by_group(test: Callable[[Proxy, Proxy], Awaitable[None]]) -> None:
        async def inside() -> None:
            async with desk() as (_, members):
                await test(*(Proxy(GroupBudgets(member)) for member in members))

        asyncio.run(inside())

    return by_group


def test_what_one_holds_or_spends_is_room_that_another_lacks(both: Both) -> None:
    async def test(one: Proxy, two: Proxy) -> None:
        assert await one.hold("a", 600)
        assert not await two.hold("b", 401)
        assert two.account.others_held == 600
        assert await two.hold("b", 400)
        await one.settle("a", 100)
        assert await two.hold("c", 500)
        assert (two.account.others, two.account.others_held) == ({"2026-11-23": 100, "2026-11": 100}, 0)
        assert not await one.hold("d", 1)
        await two.settle("b", 400)
        await two.settle("c", 500)
        shared = await one.budgets.report("ci", one.account, PERIODS)
        assert shared == Shared(True, 0, {"2026-11-23": 900, "2026-11": 900})
        assert await one.hold("d", 0)
        assert not await one.hold("d", 1)

    both(test)


def test_a_request_may_hold_more_in_place_of_what_it_held(both: Both) -> None:
    async def test(one: Proxy, two: Proxy) -> None:
        assert await one.hold("a", 300)
        assert await one.hold("a", 800)
        assert not await two.hold("b", 201)
        shared = await one.budgets.hold("ci", one.account, limits(), "a", 1001)
        assert not shared.room
        assert not await two.hold("b", 201), "a refusal leaves what was held before"
        assert await two.hold("b", 200)

    both(test)


def test_every_write_may_be_done_again_late_or_never(both: Both) -> None:
    async def test(one: Proxy, two: Proxy) -> None:
        assert await one.hold("a", 500)
        earlier = Account(spent=dict(one.account.spent))
        one.account.settle("a", PERIODS, 200)  # whose report is lost
        one.account.held["b"] = 0
        assert await one.hold("b", 10)
        await one.budgets.report("ci", earlier, PERIODS)  # an old one comes late
        assert (await two.budgets.report("ci", two.account, PERIODS)).spent == dict.fromkeys(PERIODS, 200)
        for _again in range(3):
            await one.settle("b", 0)
        shared = await two.budgets.report("ci", two.account, PERIODS)
        assert shared == Shared(True, 500, {"2026-11-23": 200, "2026-11": 200}), (
            "what was held stays until it is mended"
        )
        await one.budgets.replace("ci", one.account, PERIODS)
        assert await two.budgets.report("ci", two.account, PERIODS) == shared._replace(held=0)

    both(test)


def test_what_was_held_while_redis_was_away_is_known_afterwards(both: Both) -> None:
    async def test(one: Proxy, two: Proxy) -> None:
        one.account.held = {"a": 600, "b": 300}
        one.account.spent = dict.fromkeys(PERIODS, 50)
        await one.budgets.replace("ci", one.account, PERIODS)
        assert not await two.hold("c", 51)
        assert await two.hold("c", 50)

    both(test)


def test_what_a_dead_process_held_is_given_back_and_what_it_spent_is_not(redis_server: RedisServer) -> None:
    async def test(redis: Redis, one: Proxy, two: Proxy) -> None:
        assert await one.hold("a", 400)
        await one.settle("a", 300)
        assert await one.hold("b", 600)
        assert not await two.hold("c", 101)
        await redis.command("HSET", redis.key("budget", "ci", "held"), "@one", 1)
        assert await two.hold("c", 700)
        assert two.account.others == dict.fromkeys(PERIODS, 300)
        fields = await redis.command("HKEYS", redis.key("budget", "ci", "held"))
        assert sorted(fields) == [b"@two", b"two/c"]

    run(redis_server, test)


def test_nothing_is_kept_for_ever(redis_server: RedisServer) -> None:
    async def test(redis: Redis, one: Proxy, _: Proxy) -> None:
        await one.settle("a", 400)
        assert await one.hold("b", 400)
        for name in await redis.command("KEYS", "*"):
            assert await redis.command("PTTL", name) > 0, name
        assert len(await redis.command("KEYS", "*")) == 3

    run(redis_server, test)


def test_large_sums_are_exact(both: Both) -> None:
    async def test(one: Proxy, two: Proxy) -> None:
        one.account.spent = dict.fromkeys(PERIODS, 9_007_199_254_740_991)
        await one.budgets.report("ci", one.account, PERIODS)
        shared = await two.budgets.report("ci", two.account, PERIODS)
        assert shared.spent == one.account.spent

    both(test)


def test_many_at_once_overshoot_nothing(both: Both) -> None:
    async def test(one: Proxy, two: Proxy) -> None:
        async def request(number: int) -> int:
            who = (one, two)[number % 2]
            if not await who.hold(f"r{number}", 30):
                return 0
            await asyncio.sleep(0)
            await who.settle(f"r{number}", 27)
            return 27

        used = sum(await asyncio.gather(*(request(number) for number in range(120))))
        assert 33 * 27 <= used <= 1000
        assert one.account.total(PERIODS[0]) <= used

    both(test)


def test_no_redis_is_said() -> None:
    with pytest.raises(StoreDown):
        asyncio.run(RedisBudgets(Redis(), "one").report("ci", Account(), PERIODS))
