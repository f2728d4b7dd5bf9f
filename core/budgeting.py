"""The guard over budgets: at the door, when it is decided what a request may cost, and when that is known."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

from core import budgets, prices
from core.budgets import Account, Limits, Over, Spending
from core.call import Call
from core.errors import BudgetSpent, Unavailable
from core.exchange import Candidate
from core.guarding import Guard, TargetFull, Visit
from core.schema import Settings
from core.schema_state import Budget
from core.state.background import Background
from core.state.budgets_redis import RedisBudgets, Shared
from core.state.redis import StoreDown

#: What others have spent is asked for at the door if it is older, in seconds.
FRESH_S: Final = 1.0
#: Paths that nobody is asked for.
FREE: Final = frozenset({"/v1/route", "/v1/messages/count_tokens"})
HEADER: Final = "x-terraphim-budget-left"


class SharedBudgets(Protocol):
    """Accounts that several processes share; everything is StoreDown while nobody can say."""

    async def hold(self, key: str, account: Account, limits: Limits, request: str, wanted: int) -> Shared:
        """Hold this for a request, in place of what it held before, if every limit has room."""

    async def report(self, key: str, account: Account, periods: tuple[str, ...], request: str = "") -> Shared:
        """What was spent, and that a request is over (or none)."""

    async def replace(self, key: str, account: Account, periods: tuple[str, ...]) -> Shared:
        """The same, and all that is held."""


@dataclass
class Stay:
    """What one request has to do with its key's budget."""

    key: str
    account: Account
    limits: Limits
    call: Call | None = None
    #: The store may know of it.
    shared: bool = False

    @property
    def periods(self) -> tuple[str, ...]:
        return tuple(limit.period for limit in self.limits.each)


class Budgeting(Guard):
    """The budgets of all client keys, in this process and, if it has one, a store that it shares with others."""

    def __init__(
        self,
        shared: RedisBudgets,
        background: Background,
        say: Callable[[dict[str, object], str], None],
        *,
        group: SharedBudgets | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._redis, self._group = shared, group
        self._background, self._say, self._clock = background, say, clock
        self._accounts: dict[str, Account] = {}
        self._asked: dict[str, float] = {}
        #: Who counts for several processes; None: this one counts.
        self._store: SharedBudgets | None = None
        self._closed = False
        self._settings: Settings | None = None

    def use(self, settings: Settings) -> None:
        """This configuration from now on."""
        limits, self._settings = settings.limits, settings
        by_redis = limits.store == "redis" or (limits.store == "auto" and self._redis.configured)
        self._store = self._redis if by_redis else self._group
        self._closed = limits.without_redis == "closed"

    def spending(self, now_ms: int) -> list[Spending]:
        """Of each client that has a budget (the empty name: all that need no key), at this Unix time."""
        each = budgets.everybodys(self._settings, now_ms) if self._settings else ()
        return [
            Spending(
                name,
                "day" if limit.setting.endswith("day_usd") else "month",
                limit.micros,
                self.known(name).total(limit.period),
            )
            for name, limit, _ in each
        ]

    def restore(self, spent: Mapping[str, Mapping[str, int]]) -> None:
        """What keys had spent before this process, by key and period."""
        for key, periods in spent.items():
            self._account(key).learn(periods, 0)

    def _account(self, key: str) -> Account:
        return self._accounts.setdefault(key, Account())

    def concerns(self, visit: Visit) -> bool:
        """Whether its key has a budget."""
        return _limits(visit) is not None

    async def enter(self, visit: Visit) -> None:
        """Nobody comes in whose hard budget is spent."""
        limits = _limits(visit)
        if limits is None:
            return
        name = visit.exchange.client_key
        stay = visit.kept[_KEPT] = Stay(name, self._account(name), limits)
        if self._store and self._clock() - self._asked.get(name, -FRESH_S) >= FRESH_S:
            await self._refresh(self._store, stay, visit)
        visit.budget_left = max(0, stay.account.left(limits))
        over = stay.account.spent_up(limits)
        if over and limits.hard and visit.exchange.endpoint not in FREE:
            raise _spent(over, visit)

    async def _refresh(self, store: SharedBudgets, stay: Stay, visit: Visit) -> None:
        self._asked[stay.key] = self._clock()  # one asks for all
        try:
            self._learn(stay, await store.report(stay.key, stay.account, stay.periods))
        except StoreDown:
            self._without(stay, visit)

    def _learn(self, stay: Stay, shared: Shared) -> None:
        stay.account.learn(shared.spent, shared.held)
        self._asked[stay.key] = self._clock()

    def _without(self, stay: Stay, visit: Visit) -> None:
        """The store cannot say: this process's own sums count, or nobody may spend."""
        if self._closed and stay.limits.hard and visit.exchange.endpoint not in FREE:
            message = 'budgets cannot be counted now, and limits.without_redis = "closed" lets nobody through'
            refusal = Unavailable(message, visit.exchange.dialect)
            refusal.headers["retry-after"] = "1"
            raise refusal

    async def reserve(self, visit: Visit, call: Call) -> None:
        """What the decided target may cost is held, if there is room for it."""
        stay: Stay | None = visit.kept.get(_KEPT)
        if stay is None:
            return
        stay.call = call
        decision = call.exchange.decision
        if stay.limits.hard and decision and decision.candidates and (wanted := _price(call, decision.candidates[0])):
            over = await self._hold(stay, visit, wanted)
            if over:
                raise _spent(over, visit)

    async def at_target(self, visit: Visit, call: Call, candidate: Candidate) -> None:
        """A dearer target, or one after others that have cost something, needs more."""
        stay: Stay | None = visit.kept.get(_KEPT)
        if stay is None or not stay.limits.hard:
            return
        wanted = prices.cost(call.exchange.spent, call.snapshot.card).micros + _price(call, candidate)
        if wanted > stay.account.held.get(call.exchange.request_id, 0):
            over = await self._hold(stay, visit, wanted)
            if over:
                raise TargetFull("budget", over.limit.resets.timestamp() - visit.exchange.began_ms / 1000)

    async def _hold(self, stay: Stay, visit: Visit, wanted: int) -> Over | None:
        """The limit that has no room for it; what was held before stays held then."""
        request, before = visit.exchange.request_id, stay.account.held.get(visit.exchange.request_id, 0)
        stay.account.held[request] = wanted
        over = await self._no_room(stay, visit, wanted)
        if over:
            stay.account.held[request] = before
        return over

    async def _no_room(self, stay: Stay, visit: Visit, wanted: int) -> Over | None:
        request, limits = visit.exchange.request_id, stay.limits
        if self._store:
            stay.shared = True
            try:
                shared = await self._store.hold(stay.key, stay.account, limits, request, wanted)
            except StoreDown:
                self._without(stay, visit)
            else:
                self._learn(stay, shared)
                if shared.room:
                    return None
                return stay.account.no_room(limits, wanted, request=request) or _at_all(stay, wanted)
        return stay.account.no_room(limits, wanted, request=request)

    def leave(self, visit: Visit) -> None:
        """What is held is given back, and what it really cost is spent."""
        stay: Stay | None = visit.kept.get(_KEPT)
        if stay is None:
            return
        exchange, account = visit.exchange, stay.account
        cost = prices.cost(exchange.bill(), stay.call.snapshot.card).micros if stay.call else 0
        before = [account.total(period) for period in stay.periods]
        account.settle(exchange.request_id, stay.periods, cost)
        account.forget(exchange.began_ms)
        for limit, spent in zip(stay.limits.each, before, strict=True):
            if spent < limit.micros <= spent + cost:
                self._passed(stay, limit)
        if (store := self._store) and (cost or stay.shared):
            self._background.soon(lambda: self._settled(store, stay, exchange.request_id))

    async def _settled(self, store: SharedBudgets, stay: Stay, request: str) -> None:
        self._learn(stay, await store.report(stay.key, stay.account, stay.periods, request))

    def _passed(self, stay: Stay, limit: budgets.Limit) -> None:
        fields: dict[str, object] = {"event": "budget_spent", "client": stay.key, "period": limit.period}
        fields |= {"spent_usd": budgets.dollars(stay.account.total(limit.period)), "hard": stay.limits.hard}
        self._say(fields | {"limit_usd": budgets.dollars(limit.micros), "setting": limit.setting}, "warning")

    def left(self, name: str, own: Budget | None, default: Budget, now_ms: int) -> int | None:
        """What a key may still spend, as far as this process knows; None if it has no budget. Nothing is changed."""
        limits = budgets.limits_at(own, default, now_ms)
        return None if limits is None else max(0, self.known(name).left(limits))

    def known(self, name: str) -> Account:
        """What this process knows of a key: to be read, and not to be changed."""
        return self._accounts.get(name, _NOTHING)

    def renew(self) -> None:
        """Called now and then: leases go on, and whatever did not reach the store does."""
        if (store := self._store) is None:
            return
        for key, account in self._accounts.items():
            if account.spent or account.held:
                self._background.soon(partial(store.replace, key, account, tuple(account.spent)))

    def headers(self, visit: Visit) -> dict[str, str]:
        """What is left of the key's budget, before this request's own cost is known."""
        stay: Stay | None = visit.kept.get(_KEPT)
        if stay is None:
            return {}
        return {HEADER: budgets.dollars(stay.account.left(stay.limits, request=visit.exchange.request_id))}


_KEPT: Final = Budgeting.__name__
#: Of who has not asked yet; nobody writes into it.
_NOTHING: Final = Account()


def _limits(visit: Visit) -> Limits | None:
    own = visit.key.budget if visit.key else None
    return budgets.limits_at(own, visit.settings.budget, visit.exchange.began_ms)


def _price(call: Call, candidate: Candidate) -> int:
    """The most that it may cost, as far as its price is known."""
    settings, target = call.snapshot.settings, candidate.target
    if settings.simulated or settings.providers[target.provider].dialect == "loopback":
        return 0
    return prices.estimate(candidate, call.features.max_tokens, call.snapshot.card(target)).micros


def _at_all(stay: Stay, wanted: int) -> Over:
    """The store found no room where we see some: others were quicker."""
    limit = min(stay.limits.each, key=lambda limit: limit.micros - stay.account.total(limit.period))
    return Over(limit, stay.account.total(limit.period), stay.account.holding(), wanted)


def _spent(over: Over, visit: Visit) -> BudgetSpent:
    return BudgetSpent(budgets.told(over, visit.exchange.client_key), visit.exchange.dialect)
