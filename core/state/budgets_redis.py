"""Budgets that several proxies share: what each process has spent and holds, in Redis, and the others' sums back.

Each process writes its own sums, absolute and never less than before, so that a write may be lost, late or done twice
without harm, and what was spent while Redis was away is there with the first write after that (a grow-only counter a
process; Shapiro et al., "Conflict-free Replicated Data Types", 2011). What is held belongs to a process with a lease:
that of a process which has died counts no longer than `LEASE_MS`.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from core.budgets import Account, Limits
from core.state.redis import Redis, Script

LEASE_MS: Final = 60_000
#: Seconds that sums are kept: longer than anybody settles in them.
DAY_S: Final = 4 * 86_400
MONTH_S: Final = 40 * 86_400

#: KEYS: what is held, then a hash a period. ARGV: process, lease, the request ("" for none) and what it wants (-1: it
#: is over), whether what is held is replaced (1), how many pairs of request and amount follow, these; then for each
#: period its time to live, its limit (-1 for none), and what this process has spent.
#: Answers whether there was room, what others hold, and what others have spent in each period.
_SHARE: Final = Script("""
local process, lease, request, wanted = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
local pairs_at, periods_at = 7, 7 + 2 * tonumber(ARGV[6])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local held, alive, theirs, ours = KEYS[1], {}, 0, 0
redis.call('HSET', held, '@' .. process, string.format('%.0f', now + lease))
redis.call('PEXPIRE', held, 2 * lease)
local all = redis.call('HGETALL', held)
for at = 1, #all, 2 do
  if string.sub(all[at], 1, 1) == '@' then alive[string.sub(all[at], 2)] = tonumber(all[at + 1]) >= now end
end
for at = 1, #all, 2 do
  local owner, name = string.match(all[at], '^([^@/]+)/(.*)$')
  if owner == process then
    if ARGV[5] == '1' or (name == request and wanted < 0) then redis.call('HDEL', held, all[at])
    elseif name ~= request then ours = ours + tonumber(all[at + 1]) end
  elseif owner and alive[owner] then theirs = theirs + tonumber(all[at + 1])
  elseif owner or not alive[string.sub(all[at], 2)] then redis.call('HDEL', held, all[at]) end
end
for at = pairs_at, periods_at - 1, 2 do redis.call('HSET', held, process .. '/' .. ARGV[at], ARGV[at + 1]) end
local answer = {1, theirs}
for at = 2, #KEYS do
  local first = periods_at + 3 * (at - 2)
  local limit, own, others = tonumber(ARGV[first + 1]), tonumber(ARGV[first + 2]), 0
  local sums = redis.call('HGETALL', KEYS[at])
  local before = 0
  for field = 1, #sums, 2 do
    if sums[field] == process then before = tonumber(sums[field + 1])
    else others = others + tonumber(sums[field + 1]) end
  end
  if own > before then redis.call('HSET', KEYS[at], process, ARGV[first + 2]) else own = before end
  redis.call('EXPIRE', KEYS[at], ARGV[first])
  if wanted >= 0 and limit >= 0 and others + own + theirs + ours + wanted > limit then answer[1] = 0 end
  answer[#answer + 1] = others
end
if wanted >= 0 and answer[1] == 1 then redis.call('HSET', held, process .. '/' .. request, ARGV[4]) end
return answer
""")


class Shared(NamedTuple):
    """Whether there was room for what was wanted; what others hold, and have spent in each period."""

    room: bool
    held: int
    spent: Mapping[str, int]


class RedisBudgets:
    """The accounts of one process in Redis; `process` names it among the others, and is never used again."""

    def __init__(self, redis: Redis, process: str) -> None:
        self._redis, self._process = redis, process

    @property
    def configured(self) -> bool:
        """Whether there is a Redis."""
        return self._redis.configured

    async def hold(self, key: str, account: Account, limits: Limits, request: str, wanted: int) -> Shared:
        """Hold this for a request, in place of what it held before, if every limit has room. StoreDown."""
        own = {limit.period: limit.micros for limit in limits.each}
        return await self._share(key, account, own, request, wanted)

    async def report(self, key: str, account: Account, periods: tuple[str, ...], request: str = "") -> Shared:
        """What was spent, and that a request is over (or none). StoreDown."""
        return await self._share(key, account, dict.fromkeys(periods, -1), request, -1)

    async def replace(self, key: str, account: Account, periods: tuple[str, ...]) -> Shared:
        """The same, and all that is held: whatever got lost or came late is mended, and the lease is renewed."""
        return await self._share(key, account, dict.fromkeys(periods, -1), "", -1, held=account.held)

    async def _share(
        self,
        key: str,
        account: Account,
        limits: Mapping[str, int],
        request: str,
        wanted: int,
        held: Mapping[str, int] | None = None,
    ) -> Shared:
        names = [self._redis.key("budget", key, name) for name in ("held", *limits)]
        pairs = [part for pair in (held or {}).items() for part in pair]
        args = [self._process, LEASE_MS, request, wanted, int(held is not None), len(pairs) // 2, *pairs]
        for period, limit in limits.items():
            args += [DAY_S if len(period) > len("2026-11") else MONTH_S, limit, account.spent.get(period, 0)]
        room, theirs, *spent = await self._redis.run(_SHARE, names, args)
        return Shared(bool(room), int(theirs), dict(zip(limits, map(int, spent), strict=True)))
