import asyncio
import random
from collections.abc import Awaitable, Callable

import msgspec
import pytest
from hub import desk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis_server import RedisServer

from core.group.messages import Ping
from core.group.stores import GroupLimits
from core.limiting import SharedLimits
from core.limits import UNIT, WINDOW_MS, Ask, Taken
from core.schema_state import RedisSettings
from core.state.limits_memory import BUSY_MS, MemoryLimits
from core.state.limits_redis import GAP_MS, LEASE_MS, RedisLimits, scripts
from core.state.redis import Redis, StoreDown

DAY_MS = 86_400_000
MORNING = 1_790_000_000_000


class Clocks:
    """Time that passes (`mono`), and what Redis' clock makes of it (`wall`)."""

    def __init__(self, redis: Redis) -> None:
        self.redis, self.now, self.step = redis, 0, 0

    def mono(self) -> float:
        return self.now / 1000

    def ms(self) -> int:
        return self.now

    async def set(self, now: int, step: int = 0) -> None:
        self.now, self.step = now, step
        wall = MORNING + now + step
        await self.redis.command("SET", "clock", f"[{wall // 1000}, {wall % 1000 * 1000}]")


#: By a clock that is what a test says.
STEPPING = scripts("cjson.decode(redis.call('GET', 'clock'))")


def stepping(redis: Redis, clocks: Clocks) -> RedisLimits:
    return RedisLimits(redis, clocks.mono, scripts=STEPPING)


def run(server: RedisServer, scenario: Callable[[Redis], Awaitable[None]]) -> None:
    async def main() -> None:
        redis = Redis()
        redis.use(RedisSettings(url=server.url, timeout_ms=5000), "")
        await redis.command("FLUSHALL")
        try:
            await scenario(redis)
        finally:
            await redis.close()

    asyncio.run(main())


def ask(kind: str = "requests", limit: int = 100, units: int = 1, whose: str = "laptop") -> Ask:
    return Ask("key", whose, kind, limit, units, "limits")  # type: ignore[arg-type]


def waits(one: Taken) -> list[int]:
    return [said.wait_ms for said in one.said]


STEP = st.tuples(
    st.integers(0, 20_000),  # ms since the step before
    st.sampled_from(["requests", "tokens", "concurrent", "settle"]),
    st.integers(0, 120),
    st.integers(0, 150),
)


async def says_what_memory_says(
    shared: SharedLimits,
    memory: MemoryLimits,
    passes: Callable[[int], Awaitable[None]],
    steps: list[tuple[int, str, int, int]],
    limit: int,
) -> None:
    """Two that count by the same clock; `passes` is told how many milliseconds."""
    there: list[tuple[Taken, Taken]] = []
    for number, (pause, kind, units, used) in enumerate(steps):
        await passes(pause)
        if kind == "settle":
            for ours, theirs in there[units % 3 : units % 3 + 1]:
                there.remove((ours, theirs))
                amounts = [used] * len(ours.asks)
                memory.settle(ours, amounts)
                await shared.settle(theirs, amounts)
                shared.gone(theirs)
            continue
        asks = [ask(kind, limit, units or 1), ask("output_tokens", 60, max(1, units // 2))]
        ours, theirs = memory.take(asks), await shared.take(asks, f"r{number}")
        assert [(s.wait_ms, s.left, s.reset_ms) for s in theirs.said] == [
            (s.wait_ms, s.left, s.reset_ms) for s in ours.said
        ]
        if not ours.refused:
            there.append((ours, theirs))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(STEP, max_size=25), st.sampled_from([1, 2, 10, 11, 100]))
def test_redis_says_what_memory_says(
    redis_server: RedisServer, steps: list[tuple[int, str, int, int]], limit: int
) -> None:
    async def scenario(redis: Redis) -> None:
        clocks = Clocks(redis)
        shared = stepping(redis, clocks)
        await redis.command("HSET", redis.key("limits"), "@now", 500)  # a microsecond or so is lost with each call

        async def passes(pause: int) -> None:
            await clocks.set(clocks.now + pause)
            await shared.hold()  # leases do not end, as in memory

        await says_what_memory_says(shared, MemoryLimits(clocks.ms), passes, steps, limit)

    run(redis_server, scenario)


@settings(max_examples=25)
@given(st.lists(STEP, max_size=25), st.sampled_from([1, 2, 10, 11, 100]))
def test_a_supervisor_says_what_memory_says(steps: list[tuple[int, str, int, int]], limit: int) -> None:
    async def scenario() -> None:
        now = [0]

        async with desk(1, lambda: now[0]) as (_, [member]):

            async def passes(pause: int) -> None:
                await member.ask(Ping, msgspec.msgpack.Decoder(None))  # what was said before is done by now
                now[0] += pause

            await says_what_memory_says(GroupLimits(member), MemoryLimits(lambda: now[0]), passes, steps, limit)

    asyncio.run(scenario())


CLOCK_STEPS = st.lists(
    st.tuples(st.integers(0, 5_000), st.sampled_from([0, 0, 0, DAY_MS, -DAY_MS, 3_600_000, -5_000, 5_000])), max_size=60
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(CLOCK_STEPS, st.booleans())
def test_no_60_seconds_hold_more_than_the_limit_whatever_is_done_to_redis_clock(
    redis_server: RedisServer, steps: list[tuple[int, int]], newcomers: bool
) -> None:
    """Two proxies, or a new one for every request, ask all the time; true time is what the windows are made of."""

    async def scenario(redis: Redis) -> None:
        clocks, let_in, step = Clocks(redis), list[int](), 0
        proxies = [stepping(redis, clocks), stepping(redis, clocks)]
        for number, (pause, change) in enumerate(steps):
            step += change
            await clocks.set(clocks.now + pause, step)
            proxy = stepping(redis, clocks) if newcomers else proxies[number % 2]
            let_in += [clocks.now for _ in range(3) if not (await proxy.take([ask(limit=20)], f"{number}")).refused]
        for start in let_in:
            assert sum(start <= at < start + WINDOW_MS for at in let_in) <= 20

    run(redis_server, scenario)


def test_time_goes_on_in_spite_of_steps_and_silence(redis_server: RedisServer) -> None:
    async def scenario(redis: Redis) -> None:
        clocks = Clocks(redis)
        limits = stepping(redis, clocks)
        await clocks.set(0)
        assert waits(await limits.take([ask(limit=10)], "a")) == [0]
        assert waits(await limits.take([ask(limit=10)], "b")) == [-(-UNIT // 9)]
        for step in (DAY_MS, -DAY_MS):  # in the long run limits are no less than they were
            await clocks.set(clocks.now + 7000, step)
            assert waits(await limits.take([ask(limit=10)], "c")) == [0]
        for _ in range(8):  # nobody was silent for longer than is believed
            await clocks.set(clocks.now + GAP_MS)
            await stepping(redis, clocks).hold()
        assert waits(await limits.take([ask(limit=10)], "d")) == [0]

    run(redis_server, scenario)


def test_the_sure_time_never_runs_ahead(redis_server: RedisServer) -> None:
    """Roundings would add up, for each proxy hears of the others'."""

    async def scenario(redis: Redis) -> None:
        rng, passed = random.Random(7), 0  # noqa: S311
        limits = [RedisLimits(redis, lambda: passed / 1_000_000_000, scripts=STEPPING) for _ in range(3)]
        for number in range(400):
            wall = MORNING * 1000 + (777 + passed) // 1000
            await redis.command("SET", "clock", f"[{wall // 1_000_000}, {wall % 1_000_000}]")
            await limits[number % 3].hold()
            sure = int(await redis.command("HGET", redis.key("limits"), "@now"))
            assert passed - 5_000_000 <= sure * 1000 <= passed
            passed += rng.randint(0, 3_000_000)  # nanoseconds

    run(redis_server, scenario)


def test_requests_at_once_end_with_their_lease_unless_somebody_holds_it(redis_server: RedisServer) -> None:
    async def scenario(redis: Redis) -> None:
        clocks = Clocks(redis)
        alive, dead = stepping(redis, clocks), stepping(redis, clocks)
        await clocks.set(0)
        held = await alive.take([ask("concurrent", 2)], "alive")
        await dead.take([ask("concurrent", 2)], "dead")
        for _ in range(5):
            assert waits(await alive.take([ask("concurrent", 2)], "more")) == [BUSY_MS]
            await clocks.set(clocks.now + LEASE_MS // 5)
            await alive.hold()
        again = await alive.take([ask("concurrent", 2)], "again")
        assert waits(again) == [0]
        assert waits(await alive.take([ask("concurrent", 2)], "more")) == [BUSY_MS]
        await alive.settle(held, [1])
        assert waits(await alive.take([ask("concurrent", 2)], "more")) == [0]
        await alive.abandon(again.asks, "again")
        assert waits(await alive.take([ask("concurrent", 2)], "yet more")) == [0]

    run(redis_server, scenario)


def test_leases_come_back_to_a_redis_that_lost_them(redis_server: RedisServer) -> None:
    async def scenario(redis: Redis) -> None:
        limits = RedisLimits(redis)
        await limits.take([ask("concurrent", 1)], "one")
        await redis.command("FLUSHALL")
        await limits.hold()
        assert waits(await limits.take([ask("concurrent", 1)], "two")) == [BUSY_MS]

    run(redis_server, scenario)


def test_buckets_that_were_idle_for_a_minute_are_forgotten(redis_server: RedisServer) -> None:
    async def scenario(redis: Redis) -> None:
        clocks = Clocks(redis)
        limits = stepping(redis, clocks)
        await clocks.set(0)
        for number in range(10):
            await limits.take([ask(whose=f"address{number}")], f"{number}")
        await clocks.set(WINDOW_MS)
        await limits.take([ask()], "a")
        assert await redis.command("HLEN", redis.key("limits")) == 13
        await clocks.set(WINDOW_MS + 1000)
        await limits.take([ask()], "b")
        assert await redis.command("HLEN", redis.key("limits")) == 3
        assert await redis.command("ZCARD", redis.key("limits", "@idle")) == 1

    run(redis_server, scenario)


def test_redis_own_clock_is_asked(redis_server: RedisServer) -> None:
    async def scenario(redis: Redis) -> None:
        limits = RedisLimits(redis)
        await limits.take([ask()], "a")
        wall = int(await redis.command("HGET", redis.key("limits"), "@wall"))
        seconds, _ = await redis.command("TIME")
        assert abs(wall // 1_000_000 - int(seconds)) <= 10

    run(redis_server, scenario)


@pytest.mark.parametrize("planted", [("SET", "terraphim:limits", "x"), ("LPUSH", "terraphim:limits:@idle", "x")])
def test_a_key_of_another_type_is_a_store_that_is_down(redis_server: RedisServer, planted: tuple[str, ...]) -> None:
    async def scenario(redis: Redis) -> None:
        await redis.command(*planted)
        with pytest.raises(StoreDown):
            await RedisLimits(redis).take([ask()], "a")

    run(redis_server, scenario)


def test_a_bucket_that_is_none_is_idle(redis_server: RedisServer) -> None:
    async def scenario(redis: Redis) -> None:
        for value in ("", "x", "1 2", "1 -2.5 3", "9" * 400):
            await redis.command("HSET", redis.key("limits"), ask().name, value, "@now", "x", "@wall", "-")
            assert waits(await RedisLimits(redis).take([ask()], "a")) == [0]

    run(redis_server, scenario)


def test_to_look_says_what_memory_says_and_takes_nothing(redis_server: RedisServer) -> None:
    async def scenario(redis: Redis) -> None:
        clocks = Clocks(redis)
        shared, memory = stepping(redis, clocks), MemoryLimits(clocks.ms)
        asks = [ask(), ask("tokens", 1000, 30), ask("concurrent", 5), ask(whose="new")]
        for now in (1_000, 1_400, 9_000):
            await clocks.set(now)
            await shared.take(asks[:3], f"lease-{now}")
            memory.take(asks[:3])
            for _ in range(3):
                theirs, ours = await shared.look(asks), memory.look(asks)
                assert [(said.left, said.reset_ms) for said in theirs] == [(said.left, said.reset_ms) for said in ours]
        assert [said.left for said in theirs][2:] == [2, 100]

    run(redis_server, scenario)
