"""Breakers and rests of several proxies, each with a book of its own, over one real Redis."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import msgspec
import pytest
from loops import PATIENCE_S, on_a_loop, until
from redis_server import RedisServer

from core.exchange import ProviderKey, Target
from core.key_pool import Closed
from core.schema_state import RedisSettings
from core.standing import IN_A_ROW, OPEN_S, REFUSED_REST_S, Permit, Standing
from core.state import standing_redis
from core.state.redis import Redis
from core.state.standing_redis import SharedStanding

ONE, FREE = Target("p", "one"), Target("free", "m")
ADDRESSES = {ONE: "http://p", FREE: "http://free"}
KEY, OTHER = ProviderKey(1, "sk-canary-1"), ProviderKey(1, "sk-canary-2")


@dataclass
class Proxy:
    """One of several."""

    redis: Redis
    ring: tuple[ProviderKey, ...] = (KEY,)
    book: Standing = field(default_factory=lambda: Standing(clock=lambda: 0.0))

    def __post_init__(self) -> None:
        self.book.keep(ADDRESSES)
        self.shared = SharedStanding(self.redis, self.book, clock=lambda: 0.0)
        self.use()

    def use(self, *, shared: bool = True) -> None:
        self.shared.use(self.book_addresses, {"p": self.ring}, shared=shared)

    book_addresses = ADDRESSES

    def ask(self, target: Target = ONE) -> Permit | Closed:
        return self.book.ask(target, self.ring if target is ONE else ())

    def permit(self, target: Target = ONE) -> Permit:
        permit = self.ask(target)
        assert isinstance(permit, Permit)
        return permit

    def fail(self, times: int = IN_A_ROW) -> None:
        for _ in range(times):
            self.permit().done(fault=True)

    def why(self, target: Target = ONE) -> str:
        closed = self.book.closed(target, self.ring if target is ONE else ())
        return closed.why if closed else ""


@asynccontextmanager
async def proxies(server: RedisServer, *rings: tuple[ProviderKey, ...]) -> AsyncIterator[list[Proxy]]:
    found = []
    for ring in rings:
        redis = Redis()
        redis.use(RedisSettings(url=server.url, timeout_ms=5000), "")
        found.append(Proxy(redis, ring))
    try:
        yield found
    finally:
        for proxy in found:
            await proxy.redis.close()


async def exchange(*those: Proxy) -> None:
    for proxy in those:
        await proxy.shared.exchange()


@on_a_loop
async def test_a_breaker_opens_and_closes_for_all(redis_server: RedisServer) -> None:
    async with proxies(redis_server, (KEY,), (OTHER,)) as (first, second):
        first.fail()
        await exchange(first, second)
        assert (first.why(), second.why()) == ("breaker", "breaker")
        closed = second.ask()
        assert isinstance(closed, Closed)
        assert OPEN_S - 2 < closed.wait_s <= OPEN_S
        second.book.closed_elsewhere(ONE)
        second.shared.closed(ONE)  # as after an answer
        await exchange(second, first)
        assert (first.why(), second.why()) == ("", "")


@on_a_loop
async def test_what_was_heard_once_is_no_news(redis_server: RedisServer) -> None:
    """A target that closed again here, while the others still hear what was said before."""
    async with proxies(redis_server, (KEY,), (KEY,)) as (first, second):
        first.fail()
        await exchange(first, second)
        second.book.closed_elsewhere(ONE)
        await exchange(second, first, second)
        assert (first.why(), second.why()) == ("breaker", "")


@on_a_loop
async def test_what_was_told_a_moment_ago_is_not_heard_again(redis_server: RedisServer) -> None:
    """It closes while Redis is being told that it is open."""
    async with proxies(redis_server, (KEY,)) as (first,):
        first.fail()
        telling = asyncio.create_task(first.shared.exchange())
        await asyncio.sleep(0)
        first.book.closed_elsewhere(ONE)
        first.shared.closed(ONE)
        await telling
        assert (first.why(), first.book.broken(ONE)) == ("", False)


def test_news_is_told_at_once(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standing_redis, "LOOK_S", 1e6)

    async def run() -> None:
        async with proxies(redis_server, (KEY,)) as (first,):
            first.shared.start()
            await asyncio.sleep(0)
            first.fail()
            async with asyncio.timeout(PATIENCE_S):
                while not await first.redis.command("EXISTS", "terraphim:standing"):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            await first.shared.close()

    asyncio.run(run())


@on_a_loop
async def test_who_comes_later_hears_what_still_counts(redis_server: RedisServer) -> None:
    async with proxies(redis_server, (KEY,), (KEY,), (KEY,)) as (first, second, third):
        first.fail()
        second.book.limited(second.permit(FREE), 20.0)
        await exchange(first, second, third)
        assert (third.why(), third.why(FREE)) == ("breaker", "rate_limited")


@on_a_loop
async def test_a_key_rests_where_it_is_the_same_and_is_nowhere_to_be_read(redis_server: RedisServer) -> None:
    async with proxies(redis_server, (KEY,), (OTHER, KEY), (OTHER,)) as (first, both, other):
        first.book.refused(first.permit(), everywhere=True)
        await exchange(first, both, other)
        assert [proxy.why() for proxy in (first, both, other)] == ["key_refused", "", ""]
        assert both.permit().key is OTHER
        rest = both.book.keys.rest(ONE, KEY, 0.0)
        assert rest is not None
        assert REFUSED_REST_S - 2 < rest.wait_s <= REFUSED_REST_S
        for name in await first.redis.command("KEYS", "*"):
            assert name == b"terraphim:standing"
            assert b"canary" not in b" ".join(await first.redis.command("HGETALL", name))


@on_a_loop
async def test_another_address_is_another_target(redis_server: RedisServer) -> None:
    async with proxies(redis_server, (KEY,), (KEY,)) as (first, second):
        second.book_addresses = {ONE: "http://elsewhere"}
        second.use()
        first.fail()
        await exchange(first, second)
        assert second.why() == ""
        second.book_addresses = ADDRESSES
        second.use()
        await exchange(second)
        assert second.why() == "breaker"


@on_a_loop
async def test_who_does_not_share_tells_nothing(redis_server: RedisServer) -> None:
    async with proxies(redis_server, (KEY,)) as (first,):
        first.use(shared=False)
        first.fail()
        first.use()
        await exchange(first)
        assert await first.redis.command("EXISTS", "terraphim:standing") == 0


@on_a_loop
async def test_the_task_tells_at_once_and_goes_on_after_an_outage(redis_server: RedisServer) -> None:
    async with proxies(redis_server, (KEY,), (KEY,)) as (first, second):
        first.shared.start()
        second.shared.start()
        await first.redis.command("SET", "terraphim:standing", "another program's")
        first.fail()
        await until(lambda: not first.shared._news.is_set(), 0.01)
        await first.redis.command("DEL", "terraphim:standing")
        await until(lambda: second.why() == "breaker", 0.01)
        for proxy in (first, second):
            await proxy.shared.close()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"[]", b"open 99999999999999"),
        (b"nothing", b"open 99999999999999"),
        (b'["breaker","p,one","0"]', b"open 99999999999999"),
        (b'["breaker",",","0"]', b"open 99999999999999"),
        (b'["breaker","nobody,m","0"]', b"open 99999999999999"),
        (b'["rest","p","0"]', b"key_refused 99999999999999"),
        (b'["other","p","0"]', b"key_refused 99999999999999"),
        (None, b"open"),
        (None, b"open 1000"),
        (None, b"open -1"),
        (None, b"\xff 99999999999999"),
        (None, b"open 9999999999999999999999999999"),
    ],
)
@on_a_loop
async def test_what_another_program_wrote_is_passed_over(
    redis_server: RedisServer, name: bytes | None, value: bytes
) -> None:
    async with proxies(redis_server, (KEY,), (KEY,)) as (first, second):
        own = msgspec.json.encode(first.shared._breaker(ONE))
        await first.redis.command("HSET", "terraphim:standing", name or own, value)
        await exchange(first)
        assert (first.why(), first.book.broken(ONE)) == ("", False)
        second.fail()
        await exchange(second, first)
        assert first.why() == "breaker"


@on_a_loop
async def test_what_nobody_says_any_more_is_forgotten(redis_server: RedisServer) -> None:
    async with proxies(redis_server, (KEY,)) as (first,):
        await first.redis.command("HSET", "terraphim:standing", "old", "open 1000")
        await exchange(first)
        assert await first.redis.command("HLEN", "terraphim:standing") == 1
        first.fail()
        await exchange(first)
        assert await first.redis.command("HLEN", "terraphim:standing") == 1
        assert 0 < await first.redis.command("PTTL", "terraphim:standing") <= 1_200_000
