"""The guard, by itself, with a real Redis where it has one."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
from facts import features
from facts import snapshot as snapshot_of
from redis_server import RedisServer

from core.budgeting import HEADER, Budgeting
from core.call import Call
from core.config_file import parse
from core.errors import BudgetSpent, ProxyError, Unavailable
from core.exchange import CANCELLED, Attempt, Candidate, Decision, Exchange, Target
from core.guarding import TargetFull, Visit
from core.messages import Usage
from core.routing.snapshot import Snapshot
from core.schema_state import RedisSettings
from core.state.background import Background
from core.state.budgets_redis import RedisBudgets
from core.state.redis import Redis

CONFIG = """\
[[server.keys]]
name = "ci"
key = {{ env = "CI" }}
budget = {{ day_usd = {usd}, mode = "{mode}" }}
[providers.p]
dialect = "anthropic"
base_url = "http://127.0.0.1:1"
[providers.p.models]
one = {{ price = {{ input = 1, output = 1 }} }}
dear = {{ price = {{ input = 1, output = 5 }} }}
odd = {{}}
[providers.l]
dialect = "loopback"
[providers.l.models]
own = {{ price = {{ input = 1, output = 1 }} }}
[routing]
default = "p,one"
{more}
"""
ONE, DEAR, ODD, OWN = Target("p", "one"), Target("p", "dear"), Target("p", "odd"), Target("l", "own")
NOW = 1_795_438_800_000  # 2026-11-23 13:00 UTC


def shot(tmp_path: Any, usd: float = 0.001, mode: str = "hard", more: str = "") -> Snapshot:
    return snapshot_of(parse(CONFIG.format(usd=usd, mode=mode, more=more), tmp_path / "config.toml"))


class World:
    """One process's guard; `redis` is its Redis, if it has one."""

    def __init__(self, snapshot: Snapshot, redis: Redis | None = None, name: str = "one") -> None:
        self.snapshot, self.now, self.count = snapshot, 0.0, 0
        self.said: list[dict[str, object]] = []
        self.background = Background()
        redis = redis or Redis()
        self.guard = Budgeting(
            RedisBudgets(redis, name),
            self.background,
            lambda fields, _: self.said.append(fields),
            clock=lambda: self.now,
        )
        self.guard.use(snapshot.settings)

    def visit(self, endpoint: str = "/v1/messages", dialect: str = "anthropic", key: str = "ci") -> Visit:
        self.count += 1
        exchange = Exchange(f"req_{self.guard._redis._process}{self.count}", endpoint, dialect, client_key=key)
        exchange.began_ms = NOW
        settings = self.snapshot.settings
        found = next((each for each in settings.server.keys if each.name == key), None)
        return Visit([self.guard], exchange, settings, found)

    def call(self, visit: Visit, *targets: Target, max_tokens: int | None = 100, tokens: int = 100) -> Call:
        candidates = tuple(Candidate(target, tokens=tokens) for target in targets or (ONE,))
        visit.exchange.decision = Decision("default", "default", candidates, "s")
        call = Call(visit.exchange, self.snapshot, {}, {}, "", NOW, 0, visit)
        call.features = features(max_tokens=max_tokens)
        return call

    async def request(self, used: int | None = 200, *targets: Target, visit: Visit | None = None, **more: Any) -> Visit:
        """Reserves, and uses so many tokens at the first target; None: nobody answers."""
        visit = visit or self.visit()
        async with visit:
            call = self.call(visit, *targets, **more)
            await visit.reserve(call)
            target = (*targets, ONE)[0]
            if used is not None:
                visit.exchange.attempts.append(Attempt(target, "ok", 1.0))
                visit.exchange.answered_by, visit.exchange.usage = target, Usage(output=used)
        return visit


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 10))


async def refused(request: Awaitable[object]) -> ProxyError:
    try:
        await request
    except ProxyError as exc:
        return exc
    raise AssertionError("it was let through")


def test_a_spent_budget_is_refused_at_the_door_in_the_clients_words(tmp_path: Any) -> None:
    async def test() -> None:
        world = World(shot(tmp_path))
        for _ in range(5):
            await world.request(200)
        for dialect, status, kind in (("anthropic", 402, "billing_error"), ("openai", 429, "insufficient_quota")):
            visit = world.visit(dialect=dialect)
            refusal = await refused(world.request(visit=visit))
            assert isinstance(refusal, BudgetSpent)
            assert (refusal.status, refusal.type) == (status, kind)
            assert refusal.details == (None if dialect == "anthropic" else {"error_code": "insufficient_quota"})
            assert refusal.headers == {"x-should-retry": "false"}
            assert "0.001000 of 0.001000 US dollars are spent in 2026-11-23" in refusal.message
            assert visit.headers() == {HEADER: "0.000000"}
        assert [line["event"] for line in world.said] == ["budget_spent"]

    run(test)


def test_what_costs_nothing_is_never_refused(tmp_path: Any) -> None:
    async def test() -> None:
        world = World(shot(tmp_path, usd=0))
        for endpoint in ("/v1/route", "/v1/messages/count_tokens"):
            visit = world.visit(endpoint)
            async with visit:
                assert visit.budget_left == 0
        assert isinstance(await refused(world.request()), BudgetSpent)
        nobody = world.visit(key="")
        async with nobody:
            assert (nobody.budget_left, nobody.headers(), nobody.kept) == (None, {}, {})

    run(test)


def test_requests_at_the_same_time_cannot_overshoot(tmp_path: Any) -> None:
    async def test() -> None:
        world = World(shot(tmp_path))
        under_way = [world.visit() for _ in range(7)]
        passed = 0
        for visit in under_way:
            await visit.__aenter__()
            with suppress(BudgetSpent):
                await visit.reserve(world.call(visit))
                passed += 1
        assert passed == 5
        assert under_way[6].headers() == {HEADER: "0.000000"}
        for visit in under_way:
            await visit.__aexit__(None, None, None)
        assert world.guard._account("ci").held == {}
        assert under_way[0].headers() == {HEADER: "0.001000"}, "nobody answered, so nothing was spent"

    run(test)


def test_what_it_really_cost_is_settled_once(tmp_path: Any) -> None:
    async def test() -> None:
        world = World(shot(tmp_path))
        visit = await world.request(70)
        assert world.guard._account("ci").spent == {"2026-11-23": 70}
        assert visit.headers() == {HEADER: "0.000930"}
        visit = world.visit()
        async with visit:
            await visit.reserve(world.call(visit))
            visit.exchange.attempts.append(Attempt(ONE, CANCELLED, 1.0))
        assert world.guard._account("ci").spent == {"2026-11-23": 170}, "its request was sent, and it left"

    run(test)


@pytest.mark.parametrize(("target", "max_tokens", "held"), [(ODD, 100, 0), (OWN, 100, 0), (DEAR, 10, 150)])
def test_what_is_held_is_what_it_may_cost(tmp_path: Any, target: Target, max_tokens: int, held: int) -> None:
    async def test() -> None:
        world = World(shot(tmp_path))
        visit = world.visit()
        async with visit:
            await visit.reserve(world.call(visit, target, max_tokens=max_tokens))
            assert world.guard._account("ci").holding() == held

    run(test)


def test_a_dearer_fallback_needs_room_of_its_own(tmp_path: Any) -> None:
    async def test() -> None:
        world = World(shot(tmp_path))
        await world.request(250)
        visit = world.visit()
        async with visit:
            call = world.call(visit, ONE, DEAR)
            await visit.reserve(call)
            first, second = call.exchange.decision.candidates if call.exchange.decision else ()
            await visit.at_target(call, first)
            assert world.guard._account("ci").holding() == 200
            await visit.at_target(call, second)
            assert world.guard._account("ci").holding() == 600
            call.exchange.lose(ONE, Usage(output=150))
            await visit.at_target(call, second)
            assert world.guard._account("ci").holding() == 750
            call.exchange.lose(ONE, Usage(output=1))
            with pytest.raises(TargetFull) as full:
                await visit.at_target(call, second)
            assert (full.value.why, full.value.wait_s) == ("budget", 11 * 3600)
            assert world.guard._account("ci").holding() == 750
        assert world.guard._account("ci").spent == {"2026-11-23": 250 + 151}

    run(test)


def test_a_soft_budget_refuses_nobody_and_says_when_it_is_passed(tmp_path: Any) -> None:
    async def test() -> None:
        world = World(shot(tmp_path, mode="soft"))
        for _ in range(7):
            visit = await world.request(200)
            await visit.at_target(world.call(visit), Candidate(DEAR, tokens=10**6))
        assert visit.headers() == {HEADER: "-0.000400"}
        assert visit.budget_left == 0
        assert [(line["event"], line["client"], line["spent_usd"], line["hard"]) for line in world.said] == [
            ("budget_spent", "ci", "0.001000", False)
        ]

    run(test)


def test_what_was_spent_before_a_restart_counts(tmp_path: Any) -> None:
    async def test() -> None:
        world = World(shot(tmp_path))
        world.guard.restore({"ci": {"2026-11-23": 900, "2026-11": 5000}, "other": {"2026-11-23": 10**9}})
        assert isinstance(await refused(world.request()), BudgetSpent)
        await world.request(0, max_tokens=0, tokens=100)

    run(test)


def redis_of(server: RedisServer, **more: Any) -> Redis:
    redis = Redis()
    redis.use(RedisSettings(url=server.url, **{"timeout_ms": 5000, **more}), "")
    return redis


SHARED = '[limits]\nstore = "redis"\nwithout_redis = "{}"\n[redis]\nurl = "redis://127.0.0.1:1"'


def test_two_proxies_share_a_budget(tmp_path: Any, redis_server: RedisServer) -> None:
    async def test() -> None:
        redis = redis_of(redis_server)
        snapshot = shot(tmp_path, more=SHARED.format("local"))
        one, two = World(snapshot, redis, "a"), World(snapshot, redis, "b")
        await one.request(None)
        await one.background.close()
        held = await redis.command("HKEYS", redis.key("budget", "ci", "held"))
        assert held == [b"@a"], "who got no answer gives back what it held"
        await one.request(200)
        await one.request(200)
        await one.background.close()
        visit = await two.request(200)
        assert visit.budget_left == 600, "the door asked what others have spent"
        await two.request(200)
        await two.background.close()
        one.now = 5.0
        await one.request(200)
        await one.background.close()
        assert isinstance(await refused(two.request()), BudgetSpent), "what others took since is found when reserving"
        two.now = 5.0
        at_the_door = two.visit()
        assert isinstance(await refused(at_the_door.__aenter__()), BudgetSpent)
        assert at_the_door.headers() == {HEADER: "0.000000"}
        await two.background.close()
        await redis.close()

    run(test)


def test_without_its_redis_a_proxy_counts_for_itself_and_tells_later(tmp_path: Any, redis_server: RedisServer) -> None:
    async def test() -> None:
        snapshot = shot(tmp_path, more=SHARED.format("local"))
        away = Redis()
        away.use(RedisSettings(url="redis://127.0.0.1:1"), "")
        one = World(snapshot, away, "a")
        for _ in range(4):
            await one.request(200)
        await one.background.close()
        assert isinstance(await refused(one.request(max_tokens=150)), BudgetSpent)
        back = redis_of(redis_server)
        one.guard._redis = RedisBudgets(back, "a")
        one.guard.use(snapshot.settings)
        one.background = one.guard._background = Background()
        one.guard.renew()
        await one.background.close()
        two = World(snapshot, back, "b")
        visit = await two.request(None)
        assert visit.budget_left == 200
        await two.background.close()
        await back.close()
        await away.close()

    run(test)


def test_without_its_redis_nobody_spends_where_it_is_closed(tmp_path: Any) -> None:
    async def test() -> None:
        away = Redis()
        away.use(RedisSettings(url="redis://127.0.0.1:1"), "")
        world = World(shot(tmp_path, more=SHARED.format("closed")), away)
        for _ in range(3):
            refusal = await refused(world.request())
            assert isinstance(refusal, Unavailable)
            assert "without_redis" in refusal.message
        assert world.guard._account("ci").held == {}
        async with world.visit("/v1/route"):
            pass
        soft = World(shot(tmp_path, mode="soft", more=SHARED.format("closed")), away)
        await soft.request(200)
        await away.close()

    run(test)


def test_a_new_configuration_counts_for_requests_that_begin_after_it(tmp_path: Any) -> None:
    async def test() -> None:
        world = World(shot(tmp_path))
        visit = world.visit()
        async with visit:
            world.snapshot = shot(tmp_path, usd=0)
            world.guard.use(world.snapshot.settings)
            assert visit.headers() == {HEADER: "0.001000"}
        assert isinstance(await refused(world.request()), BudgetSpent)

    run(test)
