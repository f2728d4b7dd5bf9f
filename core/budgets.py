"""Budgets: what a client key may spend in a day and in a month (UTC), as pure values with the time passed in.

Money is micro-USD. A request holds what it may cost at most from its decision to its end, so that what is spent and
held together never exceeds a hard budget: requests at the same time cannot overshoot it together.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple

from core.prices import micros
from core.schema import Settings
from core.schema_state import Budget

DAY_MS: Final = 86_400_000


class Limit(NamedTuple):
    """So much in this period, which `setting` says."""

    period: str
    micros: int
    setting: str
    resets: datetime


class Limits(NamedTuple):
    """A key's, at one moment: of its day, its month, or both."""

    each: tuple[Limit, ...]
    hard: bool


class Over(NamedTuple):
    """A limit that has no room for what is wanted."""

    limit: Limit
    spent: int
    held: int
    wanted: int


def limits_at(own: Budget | None, default: Budget, now_ms: int) -> Limits | None:
    """The limits of a key with a budget of its own (or None); what it leaves out is the default's. None: no limit."""
    own = own or _NONE
    if own is _NONE and default.day_usd is None and default.month_usd is None:
        return None
    mode = own.mode or default.mode
    return _limits((own.day_usd, own.month_usd), (default.day_usd, default.month_usd), mode != "soft", now_ms // DAY_MS)


#: What nobody has set.
_NONE: Final = Budget()
_NAMES: Final = ("day_usd", "month_usd")


@lru_cache(maxsize=1024)  # the same for all requests of a key in a day
def _limits(own: tuple[float | None, ...], default: tuple[float | None, ...], hard: bool, day: int) -> Limits | None:  # noqa: FBT001
    now = datetime.fromtimestamp(day * DAY_MS // 1000, UTC)
    periods = ((day_of(now), now + timedelta(days=1)), (month_of(now), _next_month(now)))
    each = []
    for name, mine, others, (period, resets) in zip(_NAMES, own, default, periods, strict=True):
        amount = others if mine is None else mine
        if amount is not None:
            setting = f"budget.{name}" if mine is None else f"server.keys[].budget.{name}"
            each.append(Limit(period, micros(amount), setting, resets))
    return Limits(tuple(each), hard) if each else None


def everybodys(settings: Settings, now_ms: int) -> Iterator[tuple[str, Limit, bool]]:
    """Each limit of each client key, and whether it is hard; the empty name is all clients, where none needs a key."""
    keys: list[tuple[str, Budget | None]] = [(key.name, key.budget) for key in settings.server.keys]
    for name, own in keys or [("", None)]:
        if found := limits_at(own, settings.budget, now_ms):
            yield from ((name, limit, found.hard) for limit in found.each)


def has_budgets(settings: Settings) -> bool:
    """Whether anybody has one."""
    each = (settings.budget, *(key.budget for key in settings.server.keys))
    return any(budget.day_usd is not None or budget.month_usd is not None for budget in each)


def day_of(now: datetime) -> str:
    """The day as a period's name: `2026-11-23`."""
    return f"{now:%Y-%m-%d}"


def month_of(now: datetime) -> str:
    """The month as a period's name: `2026-11`."""
    return f"{now:%Y-%m}"


def _next_month(midnight: datetime) -> datetime:
    return (midnight.replace(day=1) + timedelta(days=32)).replace(day=1)


class Spending(NamedTuple):
    """What a client may spend in a period that runs (day, month) and is known to have spent, in micro-USD."""

    client: str
    period: str
    limit: int
    spent: int


@dataclass
class Account:
    """One client key's. `spent` is this process's, by period; `others` is what else is known: of earlier processes, and
    of those that share a store with this one. `held` is by request.
    """

    spent: dict[str, int] = field(default_factory=dict)
    others: dict[str, int] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)
    others_held: int = 0

    def total(self, period: str) -> int:
        """All that is known to be spent in a period."""
        return self.spent.get(period, 0) + self.others.get(period, 0)

    def holding(self, *, but: str = "") -> int:
        """All that is held, but for one request."""
        return sum(self.held.values()) - self.held.get(but, 0) + self.others_held

    def left(self, limits: Limits, *, request: str = "") -> int:
        """What this request may still spend, of the limit that has the least room; negative if more was spent."""
        return min(limit.micros - self.total(limit.period) for limit in limits.each) - self.holding(but=request)

    def spent_up(self, limits: Limits) -> Over | None:
        """The first limit of which nothing is left, whatever is held."""
        for limit in limits.each:
            if (spent := self.total(limit.period)) >= limit.micros:
                return Over(limit, spent, 0, 0)
        return None

    def no_room(self, limits: Limits, wanted: int, *, request: str = "") -> Over | None:
        """The first limit that has no room for this request's `wanted`; what it holds already is a part of that."""
        held = self.holding(but=request)
        for limit in limits.each:
            spent = self.total(limit.period)
            if spent + held + wanted > limit.micros:
                return Over(limit, spent, held, wanted)
        return None

    def settle(self, request: str, periods: tuple[str, ...], cost: int) -> None:
        """The request is over, and this is what it really cost."""
        self.held.pop(request, None)
        for period in periods:
            self.spent[period] = self.spent.get(period, 0) + cost

    def learn(self, others: Mapping[str, int], held: int) -> None:
        """What others have spent and hold, as their store says."""
        self.others.update(others)
        self.others_held = held

    def forget(self, now_ms: int) -> None:
        """Periods that are over for two days: nobody settles in them any more."""
        since = day_of(datetime.fromtimestamp(now_ms / 1000, UTC) - timedelta(days=2))
        for sums in (self.spent, self.others):
            for period in [period for period in sums if period < since[: len(period)]]:
                del sums[period]


def dollars(amount: int) -> str:
    """Micro-USD as US dollars, exactly."""
    sign, amount = "-" if amount < 0 else "", abs(amount)
    return f"{sign}{amount // 1_000_000}.{amount % 1_000_000:06}"


def told(over: Over, key: str) -> str:
    """What a client is told: what is spent of what, what it asked for, when that begins anew, and by which setting."""
    limit = over.limit
    whose = f"the budget of key {key!r}" if key else "the budget"
    spent = f"{dollars(over.spent)} of {dollars(limit.micros)} US dollars are spent in {limit.period}"
    if over.wanted:
        held = f", {dollars(over.held)} held for requests under way" if over.held else ""
        spent += f"{held}, and this request may cost {dollars(over.wanted)} (fewer max_tokens cost less)"
        whose += " has no room for this request"
    else:
        whose += " is spent"
    return f"{whose}: {spent}. It begins anew at {limit.resets:%Y-%m-%dT%H:%M:%SZ}; {limit.setting} sets it"
