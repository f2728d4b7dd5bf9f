"""Promise, in one process: limits hold and every reservation is settled once, whatever becomes of requests, proxies
and clocks.

Random steps on the guard itself, three of them on one real Redis. Time is the model's: true time, which the proxies'
monotonic clocks follow, and Redis' clock, which jumps by up to a day.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from limited import Passage, configured, shot

from core.errors import ProxyError
from core.exchange import CANCELLED
from core.guarding import TargetFull
from core.limiting import HOLD_S, Limiting
from core.limits import WINDOW_MS, Taken
from core.messages import Usage
from core.state.background import Background
from core.state.limits_redis import LEASE_MS, RedisLimits, scripts
from core.state.redis import Redis

PROXIES: Final = 3
DAY_MS: Final = 86_400_000
STEPS_OF_CLOCKS: Final = (DAY_MS, -DAY_MS, 3_600_000, -3_600_000, 61_000, -2_000)
MORNING: Final = 1_790_000_000_000
CLOCK: Final = "cjson.decode(redis.call('GET', 'clock'))"
LIMITS: Final = {
    "requests_per_minute": 100,
    "tokens_per_minute": 60_000,
    "output_tokens_per_minute": 30_000,
    "concurrent": 12,
    "targets": {
        "openai": {
            "requests_per_minute": 60,
            "input_tokens_per_minute": 20_000,
            "output_tokens_per_minute": 25_000,
            "concurrent": 10,
        }
    },
}
#: Bucket to its limit.
BUCKETS: Final = {
    "key::requests": 100,
    "key::tokens": 60_000,
    "key::output_tokens": 30_000,
    "target:openai:requests": 60,
    "target:openai:input_tokens": 20_000,
    "target:openai:output_tokens": 25_000,
}
AT_ONCE: Final = {"key::concurrent": 12, "target:openai:concurrent": 10}


@dataclass
class Entry:
    """One reservation: when it was made, and what was used of it, which is all of it until that is known."""

    at: int
    used: int
    settled: int = 0


class Watched(RedisLimits):
    """Tells what it takes and settles."""

    ledger: "Ledger"

    async def take(self, asks: Any, lease: str) -> Taken:
        one = await super().take(asks, lease)
        if not one.refused:
            self.ledger.took(one)
        return one

    async def settle(self, one: Taken, used: Sequence[int]) -> None:
        await super().settle(one, used)
        self.ledger.settled(one, used)


class Ledger:
    """What was let in, and what came of it."""

    def __init__(self) -> None:
        self.now = 0
        self.entries: dict[str, dict[str, Entry]] = {name: {} for name in (*BUCKETS, *AT_ONCE)}

    def took(self, one: Taken) -> None:
        """All of these."""
        for ask in one.asks:
            self.entries[ask.name][one.lease] = Entry(self.now, ask.units)

    def settled(self, one: Taken, used: Sequence[int]) -> None:
        """So much of each was used."""
        for ask, units in zip(one.asks, used, strict=True):
            entry = self.entries[ask.name][one.lease]
            entry.used, entry.settled = units, entry.settled + 1

    def worst(self, name: str) -> int:
        """The most that any 60 s hold."""
        log = sorted((entry.at, entry.used) for entry in self.entries[name].values())
        most = held = begin = 0
        for at, used in log:
            held += used
            while log[begin][0] + WINDOW_MS <= at:
                held -= log[begin][1]
                begin += 1
            most = max(most, held)
        return most


@dataclass
class Proxy:
    """One guard, and the requests that it has let in and that are not over."""

    guard: Limiting
    shared: Watched
    background: Background
    open: "list[Client]"


class Client(Passage):
    """A request that knows what it really used: bucket to units."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.used: Counter[str] = Counter()
        self.sent = self.room = 0
        #: A target is being asked.
        self.asks = False

    def spends(self, sent: int, words: int) -> None:
        """What the present attempt used."""
        self.room -= words
        self.used.update({"key::tokens": sent + words, "key::output_tokens": words})
        self.used.update({"target:openai:input_tokens": sent, "target:openai:output_tokens": words})


class Model:
    """So many random steps, by a seed."""

    def __init__(self, url: str, seed: int) -> None:
        self._rng = random.Random(seed)  # noqa: S311 - reproducible on purpose
        self._config = configured(LIMITS, url)
        self._shot = shot(self._config)
        self._redis = Redis()
        self._step = 0
        self._held_at = 0
        self._number = 0
        self._gone: set[str] = set()
        self.ledger = Ledger()
        self.counts: Counter[str] = Counter()
        self.findings: list[str] = []
        #: What answers really used, by bucket, of requests that were not lost with their proxy.
        self.used: Counter[str] = Counter()

    async def run(self, steps: int) -> None:
        """All of it; `findings` are broken promises."""
        self._redis.use(self._config.redis, "")
        try:
            await self._redis.command("FLUSHALL")
            self._proxies = [self._proxy() for _ in range(PROXIES)]
            for _ in range(steps):
                await self._pass(self._rng.choice((0, 0, 0, 20, 100, 500, 2000)))
                await self._act(self._rng.choice(self._proxies))
                self._at_once()
            await self._end()
            self._judge()
        finally:
            await self._redis.close()

    def _proxy(self) -> Proxy:
        shared = Watched(self._redis, lambda: self.ledger.now / 1000, scripts=scripts(CLOCK))
        shared.ledger = self.ledger
        background = Background()
        guard = Limiting(self._redis, background, shared=shared)
        guard.use(self._config)
        return Proxy(guard, shared, background, [])

    async def _pass(self, ms: int) -> None:
        """Time goes by, and Redis' clock may jump; who is there says so in time."""
        if self._rng.random() < 0.02:
            self._step += self._rng.choice(STEPS_OF_CLOCKS)
            self.counts["clock steps"] += 1
        self.ledger.now += ms
        wall = MORNING + self.ledger.now + self._step
        await self._redis.command("SET", "clock", f"[{wall // 1000}, {wall % 1000 * 1000}]")
        if self.ledger.now - self._held_at >= HOLD_S * 1000:
            self._held_at = self.ledger.now
            for proxy in self._proxies:
                await proxy.shared.hold()

    async def _act(self, proxy: Proxy) -> None:
        kind = self._rng.random()
        if kind < 0.003:
            self._crash(proxy)
        elif kind < 0.5 or not proxy.open:
            await self._come(proxy)
        elif kind < 0.6:
            await self._again(proxy)
        else:
            await self._go(proxy, self._rng.randrange(len(proxy.open)))

    async def _come(self, proxy: Proxy) -> None:
        """A request comes; it may leave before its body is read."""
        self._number += 1
        one = Client(proxy.guard, self._config, self._shot, self._number)
        try:
            await one.__aenter__()
        except ProxyError:
            self.counts["refused at the door"] += 1
            return
        one.used.update(["key::requests", "key::concurrent"])
        proxy.open.append(one)
        if self._rng.random() < 0.95:
            one.sent, one.room = self._rng.choice((10, 100, 1500)), self._rng.choice((1, 50, 400, 2500))
            try:
                await one.reserve(one.sent, one.room)
            except ProxyError:
                self.counts["refused its tokens"] += 1
            else:
                await self._ask(one)

    async def _ask(self, one: "Client") -> None:
        try:
            await one.at_target()
        except TargetFull:
            one.asks = False
            self.counts["met a full target"] += 1
        else:
            one.asks = True
            one.used.update(["target:openai:requests", "target:openai:concurrent"])

    async def _again(self, proxy: Proxy) -> None:
        """An attempt fails after some words, and the same target is asked once more."""
        if (one := self._rng.choice(proxy.open)).asks:
            words = self._rng.randint(0, one.room)
            one.failed("stalled", Usage(output=words))
            one.spends(0, words)
            self.counts["retries"] += 1
            await self._ask(one)

    async def _go(self, proxy: Proxy, place: int) -> None:
        """A request ends, one way or another."""
        one = proxy.open.pop(place)
        how = self._rng.choice(("answered", "broke off", "left", "failed", "nothing")) if one.asks else "nothing"
        words = self._rng.randint(0, one.room)
        self.counts[how] += 1
        if how == "answered":
            one.answered(one.sent, words)
            one.spends(one.sent, words)
        elif how == "broke off":
            one.broke_off(words, Usage(input=one.sent, output=min(1, words)))
            one.spends(one.sent, words)
        elif how == "left":
            one.failed(CANCELLED)
            one.spends(one.sent, 0)
        elif how == "failed":
            one.failed("500")
        await one.__aexit__(None, None, None)
        await proxy.background.close()
        self.used += one.used

    def _crash(self, proxy: Proxy) -> None:
        """Its requests are gone without a word."""
        self.counts["crashes"] += 1
        self._gone |= {one.exchange.request_id for one in proxy.open}
        self._proxies[self._proxies.index(proxy)] = self._proxy()

    def _at_once(self) -> None:
        """Nobody who is there is one too many."""
        for name, limit in AT_ONCE.items():
            there = sum(
                not entry.settled and not self._lost(lease) for lease, entry in self.ledger.entries[name].items()
            )
            if there > limit:
                self.findings.append(f"{name}: {there} at once, the limit is {limit}")

    def _lost(self, lease: str) -> bool:
        return lease.rpartition(".")[0] in self._gone

    async def _end(self) -> None:
        """Everybody goes, and what crashed is forgotten."""
        for proxy in self._proxies:
            while proxy.open:
                await self._go(proxy, 0)
            if proxy.guard.open:
                self.findings.append(f"{proxy.guard.open} requests still hold something")
        for name in AT_ONCE:
            leases = await self._redis.command("ZRANGE", self._redis.key("limits", name), 0, -1)
            if there := [lease for lease in leases if not self._lost(lease.decode())]:
                self.findings.append(f"{name}: {len(there)} are counted as there who have gone")
        for _ in range(2 * LEASE_MS // 1000 + 1):
            await self._pass(1000)
            await self._proxies[0].shared.hold()
        left = await self._left()
        await self._proxies[0].background.close()
        for name, limit in {**BUCKETS, **AT_ONCE}.items():
            if left.get(name, 0) < limit - 2:
                self.findings.append(
                    f"{name}: in the end {left.get(name, 0)} of {limit} are left, although nobody is there"
                )

    async def _left(self) -> dict[str, int]:
        """What a last request is told is left; nothing if it is refused."""
        last = Client(self._proxies[0].guard, self._config, self._shot, 0)
        with suppress(ProxyError, TargetFull):
            async with last:
                await last.reserve(1, 1)
                await last.at_target()
                kept = last.visit.kept["limiting"]
                told = [(one.asks, one.said) for one in (kept.door, kept.tokens, kept.attempt)]
                return {ask.name: said.left for asks, saids in told for ask, said in zip(asks, saids, strict=True)}
        return {}

    def _judge(self) -> None:
        for name, limit in BUCKETS.items():
            if (worst := self.ledger.worst(name)) > limit:
                self.findings.append(f"{name}: {worst} within 60 s, the limit is {limit}")
            self.counts[f"most of {name} in 60 s"] = worst
        for name, entries in self.ledger.entries.items():
            ours = [
                entry for lease, entry in entries.items() if not self._lost(lease) and not lease.startswith("req_0.")
            ]
            if wrong := sum(entry.settled != 1 for entry in ours):
                self.findings.append(f"{name}: {wrong} of {len(ours)} were not settled exactly once")
            settled = sum(entry.used for entry in ours)
            if settled != self.used[name]:
                self.findings.append(f"{name}: {settled} settled, {self.used[name]} used")


def run(url: str, steps: int, seed: int) -> Model:
    """So many steps on the Redis at `url`."""
    model = Model(url, seed)
    asyncio.run(model.run(steps))
    return model
