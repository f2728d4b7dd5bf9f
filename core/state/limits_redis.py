"""Rate limits that several proxies share: the arithmetic of `core.limits` as scripts that Redis runs as one step each.

The clock is Redis' own (`TIME`), but only as far as it can be believed: somebody may set it. Kept beside the buckets is
the time that has surely passed (`@now`). It goes on by what `TIME` went on since the last call, unless that is negative
or more than `GAP_MS`; and it is never behind what a proxy knows by its own monotonic clock since it was last told. So a
step of a day, forward or back, grants nothing, and no proxy's own wall clock is asked. It is never ahead of what has
passed, not even by a rounding, which would add up: each proxy hears of the others'. Nothing here expires by Redis'
clock either: buckets that were idle for a minute are removed by later calls.
"""

import math
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from core.limits import UNIT, WINDOW_MS, Ask, Level, Said, Taken
from core.state.limits_memory import BUSY_MS
from core.state.redis import Redis, Script

#: Less than this (ms) is what may lie between two calls; a longer silence is believed only to who was there.
GAP_MS: Final = 1000
#: A request is taken for gone when nobody has said for so long (ms) that it is still there.
LEASE_MS: Final = 30_000

# KEYS: buckets, their idle ends, then sets of leases. ARGV: surely now (µs), lease; then what each script says. What is
# kept of `wall` is the end of its microsecond, so that what lies between two of them is never more than it was.
_CLOCK: Final = f"""
local time = {{TIME}}
local wall = time[1] * 1000000 + time[2]
local seen = redis.call('HMGET', KEYS[1], '@wall', '@now')
local sure = tonumber(seen[2] or '') or 0
local gap = wall - (tonumber(seen[1] or '') or wall)
if gap > 0 and gap <= {GAP_MS * 1000} then sure = sure + gap end
sure = math.max(sure, tonumber(ARGV[1]))
redis.call('HSET', KEYS[1], '@wall', string.format('%.0f', wall + 1), '@now', string.format('%.0f', sure))
local now = math.floor(sure / 1000)
local function level(name, refill, limit)
  local at, ticks, returned = string.match(redis.call('HGET', KEYS[1], name) or '', '^(%d+) (-?%d+) (%d+)$')
  if not at then return -{WINDOW_MS} * refill, 0, false end
  ticks = math.min(tonumber(ticks), limit * {UNIT}) - math.max(0, now - tonumber(at)) * refill
  return math.max(ticks, -{WINDOW_MS} * refill), tonumber(returned), true
end
local function keep(name, refill, ticks, returned)
  redis.call('HSET', KEYS[1], name, string.format('%.0f %.0f %.0f', now, ticks, returned))
  redis.call('ZADD', KEYS[2], now + math.ceil(ticks / refill) + {WINDOW_MS}, name)
end
"""
# Each ask: name, limit, burst, refill, units; a burst of 0 marks requests at once, whose sets are the further KEYS.
_TAKE: Final = f"""
for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, 16)) do
  redis.call('HDEL', KEYS[1], name)
  redis.call('ZREM', KEYS[2], name)
end
local rows, refused, set = {{}}, false, 3
for i = 3, #ARGV, 5 do
  local row = {{name = ARGV[i]}}
  local limit, burst, refill = tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3])
  local units = tonumber(ARGV[i + 4])
  row.limit, row.refill, row.units = limit, refill, units
  if burst == 0 then
    row.set, set = KEYS[set], set + 1
    redis.call('ZREMRANGEBYSCORE', row.set, '-inf', now)
    row.held = redis.call('ZCARD', row.set)
    row.wait = row.held < limit and 0 or {BUSY_MS}
  else
    row.ticks, row.returned = level(row.name, refill, limit)
    local stands = units > burst and row.ticks or math.max(row.ticks, 0)
    row.wait = math.max(0, math.ceil((stands + (units - burst) * {UNIT}) / refill))
    if units > limit then row.wait = -1 end
  end
  refused = refused or row.wait ~= 0
  rows[#rows + 1] = row
end
local answer = {{sure}}
for _, row in ipairs(rows) do
  if not refused then
    if row.set then
      redis.call('ZADD', row.set, now + {LEASE_MS}, ARGV[2])
      row.held = row.held + 1
    else
      row.ticks = math.max(row.ticks, 0) + row.units * {UNIT}
      keep(row.name, row.refill, row.ticks, row.returned)
    end
  end
  local set = row.set ~= nil
  for _, number in ipairs({{row.wait, set and row.limit - row.held or row.ticks, set and 0 or row.returned}}) do
    answer[#answer + 1] = number
  end
end
return answer
"""
# Each: name, limit, refill, ticks to give back (less than none: used beyond the reservation), and the mark.
_SETTLE: Final = f"""
for set = 3, #KEYS do redis.call('ZREM', KEYS[set], ARGV[2]) end
for i = 3, #ARGV, 7 do
  local limit, refill, back = tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3])
  local ticks, returned, known = level(ARGV[i], refill, limit)
  if back < 0 then
    keep(ARGV[i], refill, math.min(math.max(ticks, 0) - back, limit * {UNIT}), returned)
  elseif known and returned >= tonumber(ARGV[i + 6]) then
    local since = returned - tonumber(ARGV[i + 6])
    local standing = tonumber(ARGV[i + 5]) - (now - tonumber(ARGV[i + 4])) * refill - since
    back = math.max(0, math.min(back, standing, ticks))
    keep(ARGV[i], refill, ticks - back, returned + back)
  end
end
return {{sure}}
"""
# ARGV from 3 on: the lease of each further key.
_HOLD: Final = f"""
for set = 3, #KEYS do redis.call('ZADD', KEYS[set], now + {LEASE_MS}, ARGV[set]) end
return {{sure}}
"""


# Each: name, limit, refill; a refill of 0 marks requests at once. Nothing but the clock is written.
_LOOK: Final = """
local answer, set = {sure}, 3
for i = 3, #ARGV, 3 do
  local limit, refill, ticks, returned = tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2]), 0, 0
  if refill == 0 then
    ticks, set = limit - redis.call('ZCOUNT', KEYS[set], '(' .. string.format('%.0f', now), '+inf'), set + 1
  else
    ticks, returned = level(ARGV[i], refill, limit)
  end
  answer[#answer + 1] = ticks
  answer[#answer + 1] = returned
end
return answer
"""


class Scripts(NamedTuple):
    """What Redis runs."""

    take: Script
    settle: Script
    hold: Script
    look: Script


def scripts(time: str = "redis.call('TIME')") -> Scripts:
    """The scripts by a clock: an expression that gives seconds and microseconds."""
    return Scripts(*(Script(_CLOCK.replace("{TIME}", time) + body) for body in (_TAKE, _SETTLE, _HOLD, _LOOK)))


SCRIPTS: Final = scripts()
#: Leases that are said to be there in one step.
_AT_ONCE: Final = 500


class RedisLimits:
    """The buckets of all proxies of one Redis. Everything raises StoreDown while it cannot be reached.

    `mono` gives seconds of a clock that no one can set.
    """

    def __init__(self, redis: Redis, mono: Callable[[], float] = time.monotonic, *, scripts: Scripts = SCRIPTS) -> None:
        self._redis = redis
        self._scripts = scripts
        self._mono = mono
        #: What Redis' sure time is ahead of `mono`, at least (µs); None: nothing was told yet.
        self._ahead: float | None = None
        #: Leases that are held, and the sets that they are in.
        self._held: dict[str, list[str]] = {}

    async def take(self, asks: Sequence[Ask], lease: str) -> Taken:
        """Take all of this, or nothing. `lease` names the request, uniquely."""
        args: list[str | int] = []
        for ask in asks:
            once = ask.kind == "concurrent"
            args += [ask.name, ask.limit, 0 if once else ask.rate.burst, ask.rate.refill, ask.units]
        answer = await self._run(self._scripts.take, self._sets(asks), lease, args)
        now, rows = answer[0] // 1000, zip(answer[1::3], answer[2::3], answer[3::3], strict=True)
        said = tuple(_said(ask, now, *row) for ask, row in zip(asks, rows, strict=True))
        one = Taken(tuple(asks), said, lease, shared=True)
        if not one.refused and (sets := self._sets(asks)):
            self._held[lease] = sets
        return one

    async def look(self, asks: Sequence[Ask]) -> list[Said]:
        """What is left of each. It takes nothing."""
        args: list[str | int] = []
        for ask in asks:
            args += [ask.name, ask.limit, 0 if ask.kind == "concurrent" else ask.rate.refill]
        answer = await self._run(self._scripts.look, self._sets(asks), "", args)
        now, rows = answer[0] // 1000, zip(answer[1::2], answer[2::2], strict=True)
        return [_said(ask, now, 0, *row) for ask, row in zip(asks, rows, strict=True)]

    async def settle(self, one: Taken, used: Sequence[int]) -> None:
        """It is over, and used so many units of each."""
        args: list[str | int] = []
        for ask, each, units in zip(one.asks, one.said, used, strict=True):
            if each.mark is not None and units != ask.units:
                args += [ask.name, ask.limit, ask.rate.refill, (ask.units - units) * UNIT]
                args += [each.mark.at, each.mark.ticks, each.mark.returned]
        if args or self._sets(one.asks):
            await self._run(self._scripts.settle, self._sets(one.asks), one.lease, args)

    def gone(self, one: Taken) -> None:
        """This request is no longer there; without a `settle` others learn it when its lease ends."""
        self._held.pop(one.lease, None)

    async def abandon(self, asks: Sequence[Ask], lease: str) -> None:
        """Nobody heard the answer to this `take`: should it have been let in, it is not there."""
        if sets := self._sets(asks):
            await self._run(self._scripts.settle, sets, lease, ())

    async def hold(self) -> None:
        """Say which requests are still there, and that this proxy is."""
        pairs = [(one, lease) for lease, sets in self._held.items() for one in sets]
        for at in range(0, max(1, len(pairs)), _AT_ONCE):
            some = pairs[at : at + _AT_ONCE]
            await self._run(self._scripts.hold, [key for key, _ in some], "", [lease for _, lease in some])

    def forget(self) -> None:
        """This is another Redis."""
        self._ahead = None
        self._held.clear()

    def _sets(self, asks: Sequence[Ask]) -> list[str]:
        return [self._redis.key("limits", ask.name) for ask in asks if ask.kind == "concurrent"]

    async def _run(self, script: Script, sets: list[str], lease: str, args: Sequence[str | int]) -> Any:
        """What the script says; its first number is the sure time, at some moment before this returns."""
        surely = 0 if self._ahead is None else max(0, math.floor(self._mono() * 1_000_000 + self._ahead))
        keys = [self._redis.key("limits"), self._redis.key("limits", "@idle"), *sets]
        answer = await self._redis.run(script, keys, [surely, lease, *args])
        ahead = answer[0] - self._mono() * 1_000_000
        self._ahead = ahead if self._ahead is None else max(self._ahead, ahead)
        return answer


def _said(ask: Ask, now: int, wait: int, level: int, returned: int) -> Said:
    if ask.kind == "concurrent":
        return Said(wait, max(0, level), 0)
    left = max(0, ask.limit - -(-max(level, 0) // UNIT))
    return Said(wait, left, -(-max(level, 0) // ask.rate.refill), Level(now, level, returned))
