"""The guard of rate limits: what is taken at the door, after the decision and before each attempt, and given back.

Redis counts for all proxies together, or a supervisor for its workers, or this process for itself. What is given back
after an answer goes to Redis in the background; should it be lost, the limits are only stricter for a while: a
reservation drains by itself, and who is no longer there is forgotten when the lease ends.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from msgspec import structs

from core import limit_headers, limit_plan
from core.client_address import household
from core.errors import BadRequest, ProxyError, RateLimited, Unavailable
from core.exchange import Candidate, Exchange, Spent, Target
from core.guarding import Guard, TargetFull, Visit
from core.limit_plan import DOOR, Plan
from core.limits import Ask, Kind, Said, Taken
from core.retry_after import LONGEST_S
from core.schema import Settings
from core.state.background import Background
from core.state.limits_memory import OTHERS, MemoryLimits
from core.state.limits_redis import RedisLimits
from core.state.redis import Redis, StoreDown

if TYPE_CHECKING:
    from core.call import Call

#: Seconds between two times that Redis is told who is still there.
HOLD_S: Final = 5.0
#: Addresses that are shown with what is left for them.
ADDRESSES_SHOWN: Final = 50
#: Paths that ask no provider: they count for the client's address only.
FREE: Final = frozenset({"/v1/messages/count_tokens", "/v1/route"})

_KINDS: Final = {
    "requests": "requests a minute",
    "tokens": "tokens a minute",
    "input_tokens": "input tokens a minute",
    "output_tokens": "output tokens a minute",
    "concurrent": "requests at once",
}


class SharedLimits(Protocol):
    """Limits that several processes share; everything that waits is StoreDown while nobody can say."""

    async def take(self, asks: Sequence[Ask], lease: str) -> Taken:
        """Take all of this, or nothing. `lease` names the request, uniquely."""

    async def look(self, asks: Sequence[Ask]) -> list[Said]:
        """What is left of each. It takes nothing."""

    async def settle(self, one: Taken, used: Sequence[int]) -> None:
        """It is over, and used so many units of each."""

    async def abandon(self, asks: Sequence[Ask], lease: str) -> None:
        """Nobody heard the answer to this `take`: should it have been let in, it is not there."""

    def gone(self, one: Taken) -> None:
        """This request is no longer there; a `settle` follows."""


@dataclass
class Kept:
    """What one request holds: at the door, for its tokens, and of the target that is being asked."""

    plan: Plan
    request_id: str
    holders: Sequence[limit_plan.Holder]
    #: Who counts for several processes; None: this one counts.
    store: SharedLimits | None = None
    door: Taken | None = None
    tokens: Taken | None = None
    attempt: Taken | None = None
    target: Target | None = None
    #: Entries of the exchange's `spent` from before the attempt.
    before: int = 0
    #: How often something was taken, so that each has a name of its own.
    number: int = 0
    told: list[Taken] = field(default_factory=list)


class Limiting(Guard):
    """The limits of one process. `refused` is told the kind and scope of each refusal; `wall` is Unix time."""

    def __init__(
        self,
        redis: Redis,
        background: Background,
        refused: Callable[[str, str], None] = lambda *_: None,
        *,
        shared: RedisLimits | None = None,
        group: SharedLimits | None = None,
        memory: MemoryLimits | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._redis = redis
        self._shared, self._group = shared or RedisLimits(redis), group
        self._memory = memory or MemoryLimits()
        self._background = background
        self._refused = refused
        self._wall = wall
        self._settings: Settings | None = None
        self._plan: Plan | None = None
        self._holding: asyncio.Task[None] | None = None
        #: Requests that hold something.
        self.open = 0

    def use(self, settings: Settings) -> None:
        """This configuration from now on."""
        before = self._settings.redis if self._settings else settings.redis
        if (before.url, before.prefix) != (settings.redis.url, settings.redis.prefix):
            self._shared.forget()
        self._settings, self._plan = settings, Plan(settings)

    def start(self) -> None:
        """Begin to tell Redis who is still there."""
        self._holding = asyncio.create_task(self._hold())

    async def close(self) -> None:
        """Stop telling."""
        if self._holding is not None:
            self._holding.cancel()
            await asyncio.gather(self._holding, return_exceptions=True)

    async def _hold(self) -> None:
        while True:
            if self._plan and self._plan.anything and self._plan.shared and self._redis.configured:
                with suppress(StoreDown):
                    await self._shared.hold()
            await asyncio.sleep(HOLD_S)

    def _plan_of(self, visit: Visit) -> Plan | None:
        return self._plan if visit.settings is self._settings else Plan(visit.settings)

    def concerns(self, visit: Visit) -> bool:
        """Whether anything is limited."""
        plan = self._plan_of(visit)
        return plan is not None and plan.anything

    async def enter(self, visit: Visit) -> None:
        """A request, and one more at once, of the client's key and address."""
        plan = self._plan_of(visit)
        if plan is None:
            return
        exchange, address = visit.exchange, household(visit.address) if plan.addresses else ""
        holders = plan.of_address(address) if exchange.endpoint in FREE else plan.holders(visit.key, address)
        kept = visit.kept["limiting"] = Kept(plan, exchange.request_id, holders, self._store(plan))
        self.open += 1
        kept.door = await self._take(kept, limit_plan.asks(holders, DOOR), exchange)

    async def reserve(self, visit: Visit, call: "Call") -> None:
        """The tokens that the decided target may need."""
        kept: Kept | None = visit.kept.get("limiting")
        decision = visit.exchange.decision
        if kept is None or decision is None or not decision.candidates or not kept.plan.tokens:
            return
        units = self._tokens(call, decision.candidates[0])
        kept.tokens = await self._take(kept, limit_plan.asks(kept.holders, units), visit.exchange)

    async def at_target(self, visit: Visit, call: "Call", candidate: Candidate) -> None:
        """A request, its tokens, and one more at once, of the target."""
        kept: Kept | None = visit.kept.get("limiting")
        if kept is None:
            return
        await self._again(kept, visit.exchange.spent)
        holders = kept.plan.of_target(candidate.target)
        asks = limit_plan.asks(holders, DOOR | self._tokens(call, candidate)) if holders else []
        kept.target, kept.before = candidate.target, len(visit.exchange.spent)
        one = await self._taken(kept, asks, visit.exchange)
        if one is None or not one.refused:
            kept.attempt = one
            return
        self._count(one)
        never = limit_headers.too_large(one.refused)
        wait = LONGEST_S if never else max(said.wait_ms for _, said in one.refused) / 1000
        raise TargetFull("too_large" if never else "limit", wait)

    async def left(self) -> list[tuple[Ask, Said]]:
        """What is left of all limits now, those of the addresses that asked this process last among them, if it is the
        one that counts. To look takes nothing.
        """
        plan = self._plan
        if plan is None or not plan.anything:
            return []
        units: dict[Kind, int] = dict.fromkeys(limit_plan.FIELDS, 1)
        if (store := self._store(plan)) is not None:
            with suppress(StoreDown):
                asks = limit_plan.asks(plan.everybody(()), units)
                return list(zip(asks, await store.look(asks), strict=True))
        asks = limit_plan.asks(plan.everybody(self._memory.addresses(ADDRESSES_SHOWN)), units)
        return list(zip(asks, self._memory.look(asks), strict=True))

    def leave(self, visit: Visit) -> None:
        """What was not used is given back, and what was used beyond the reservation is charged."""
        kept: Kept | None = visit.kept.get("limiting")
        if kept is None:
            return
        self.open -= 1
        bill = used_by(visit.exchange)
        if kept.attempt:
            self._settle(kept, kept.attempt, self._used(kept, bill))
        if kept.tokens:
            self._settle(kept, kept.tokens, _sum(bill))
        if kept.door:
            self._settle(kept, kept.door, {})

    def headers(self, visit: Visit) -> dict[str, str]:
        """What is left of the client's limits."""
        kept: Kept | None = visit.kept.get("limiting")
        if kept is None or not kept.told:
            return {}
        return limit_headers.headers(limit_headers.tightest(kept.told), visit.exchange.dialect, self._wall())

    def _tokens(self, call: "Call", candidate: Candidate) -> dict[Kind, int]:
        most = call.snapshot.card(candidate.target).max_output
        return limit_plan.tokens(candidate, call.features.token_count, call.request.max_tokens, most)

    async def _take(self, kept: Kept, asks: Sequence[Ask], exchange: Exchange) -> Taken | None:
        """Of the client's own limits; ProxyError if one of them refuses."""
        one = await self._taken(kept, asks, exchange)
        if one is None:
            return None
        kept.told.append(one)
        if one.refused:
            self._count(one)
            raise refusal(one)
        return one

    async def _taken(self, kept: Kept, asks: Sequence[Ask], exchange: Exchange) -> Taken | None:
        if not asks:
            return None
        store = kept.store
        if store is None:
            return self._memory.take(asks)
        kept.number += 1
        lease = f"{kept.request_id}.{kept.number}"
        try:
            return await store.take(asks, lease)
        except StoreDown:
            self._background.soon(partial(store.abandon, asks, lease))
            if kept.plan.closed:
                raise closed(exchange.dialect, "Redis" if store is self._shared else "the supervisor") from None
            return self._memory.take(asks)
        except asyncio.CancelledError:
            self._background.soon(partial(store.abandon, asks, lease))
            raise

    def _store(self, plan: Plan) -> SharedLimits | None:
        return self._shared if plan.shared and self._redis.configured else self._group

    async def _again(self, kept: Kept, spent: Sequence[Spent]) -> None:
        """Before another attempt the one before is settled, and no longer there: it may be the same target's."""
        one, kept.attempt = kept.attempt, None
        if one is None or not one.shared or kept.store is None:
            if one:
                self._settle(kept, one, self._used(kept, spent))
            return
        kept.store.gone(one)
        with suppress(StoreDown):
            await kept.store.settle(one, _amounts(one, self._used(kept, spent)))

    def _used(self, kept: Kept, spent: Sequence[Spent]) -> dict[Kind, int]:
        """What the target that is being asked has used since it is."""
        return _sum([each for each in spent[kept.before :] if each.target == kept.target])

    def _settle(self, kept: Kept, one: Taken, used: dict[Kind, int]) -> None:
        if not one.shared or kept.store is None:
            self._memory.settle(one, _amounts(one, used))
            return
        kept.store.gone(one)
        self._background.soon(partial(kept.store.settle, one, _amounts(one, used)))

    def _count(self, one: Taken) -> None:
        for ask, _ in one.refused:
            self._refused(ask.kind, ask.scope)


def used_by(exchange: Exchange) -> list[Spent]:
    """What a request used at each target; of an answer that broke off, at least what was seen of it."""
    bill = exchange.bill()
    if bill and exchange.contents and not exchange.whole and not bill[-1].estimated:
        target, usage, _ = bill[-1]
        seen = max(usage.output, exchange.contents)
        bill = [*bill[:-1], Spent(target, structs.replace(usage, output=seen), estimated=True)]
    return bill


def _amounts(one: Taken, used: dict[Kind, int]) -> list[int]:
    """What was used of each; a request stays one."""
    return [used.get(ask.kind, ask.units) for ask in one.asks]


def _sum(spent: Sequence[Spent]) -> dict[Kind, int]:
    sent = sum(each.usage.input + each.usage.cache_read + each.usage.cache_write for each in spent)
    answered = sum(each.usage.output for each in spent)
    return {"tokens": sent + answered, "input_tokens": sent, "output_tokens": answered}


def refusal(one: Taken) -> ProxyError:
    """What the client is told: which limit, of whom, where it is set, and what to do."""
    if (ask := limit_headers.too_large(one.refused)) is not None:
        error: ProxyError = BadRequest(
            f"the request may need {ask.units} {_KINDS[ask.kind].removesuffix(' a minute')}, more than the "
            f"{ask.limit} a minute of {_who(ask)} ({ask.setting}): send less, lower max_tokens, or raise the limit"
        )
        error.headers["x-should-retry"] = "false"
        return error
    ask, said = max(one.refused, key=lambda pair: pair[1].wait_ms)
    wait = "when one of them is done" if ask.kind == "concurrent" else f"in {said.wait_ms / 1000:g} s"
    error = RateLimited(f"{_who(ask)}: no more than {ask.limit} {_KINDS[ask.kind]} ({ask.setting}); try again {wait}")
    error.headers |= limit_headers.retry(one.refused)
    return error


def closed(dialect: str, who: str = "Redis") -> ProxyError:
    """Nobody can say whether the limits allow it."""
    message = f'limits cannot be checked: {who} cannot be reached, and limits.without_redis is "closed"'
    error = Unavailable(f"{message}; come back later", dialect)
    error.headers["retry-after"] = "1"
    return error


def _who(ask: Ask) -> str:
    if ask.scope == "key":
        return f"client key {ask.whose!r}" if ask.whose else "all clients together"
    if ask.whose == OTHERS:
        return "all addresses that came last"
    return f"client address {ask.whose or 'of a local socket'}"
