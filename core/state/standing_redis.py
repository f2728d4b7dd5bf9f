"""What each proxy sees of targets, for all that share a Redis: breakers that open and close, and keys that rest.

One task tells Redis what changed here, as soon as it does, and reads what changed elsewhere, once in a while; both are
one script. While Redis is away, each proxy goes by itself.

A hash holds what was said last of each thing, with the moment until which it counts on the server's own clock: clocks
of different machines are never compared.
"""

import asyncio
import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import msgspec

from core.exchange import ProviderKey, Target
from core.standing import Standing
from core.state.redis import Redis, Script, StoreDown
from core.state.standing_shared import Field, Hearing, marked

#: Seconds between two looks.
LOOK_S: Final = 1.0
#: What is new is told after so many seconds.
PAUSE_S: Final = 0.02
#: What is said here counts no longer than this after its end, in milliseconds.
KEEP_MS: Final = 600_000

#: KEYS: the hash. ARGV: field, word, milliseconds, and so on. Returns the server's time and the whole hash.
_TELL: Final = Script(f"""
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for at = 1, #ARGV, 3 do
    redis.call('HSET', KEYS[1], ARGV[at], string.format('%s %.0f', ARGV[at + 1], now + ARGV[at + 2]))
end
local said = redis.call('HGETALL', KEYS[1])
if #ARGV > 0 then
    redis.call('PEXPIRE', KEYS[1], {2 * KEEP_MS})
    for at = 1, #said, 2 do
        local till = tonumber(string.match(said[at + 1], '(%d+)$') or '0')
        if till < now - {KEEP_MS} then redis.call('HDEL', KEYS[1], said[at]) end
    end
end
return {{string.format('%.0f', now), said}}
""")
_SAID: Final = re.compile(rb"([a-z_]{1,32}) (\d{1,15})")


class SharedStanding(Hearing):
    """This proxy among others. `clock` is monotonic seconds."""

    def __init__(self, redis: Redis, standing: Standing, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(standing)
        self._redis, self._clock = redis, clock
        #: What is yet to be told: a word, and until when it counts here.
        self._outbox: dict[bytes, tuple[str, float]] = {}
        #: What Redis said last: only what is new is news.
        self._heard: dict[bytes, bytes] = {}
        self._on = False
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        standing.others = self

    def use(self, addresses: Mapping[Target, str], rings: Mapping[str, Sequence[ProviderKey]], *, shared: bool) -> None:
        """These targets and keys, from now on."""
        self._on = shared
        self.know(addresses, rings)
        self._heard.clear()  # what was said of a target that was not ours is news
        if not shared:
            self._outbox.clear()

    def start(self) -> None:
        """Tell and look, until `close`."""
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def _mark(self, key: ProviderKey) -> str:
        return marked(key, self._redis.key("rest"))

    def _tell(self, field: Field, word: str, seconds: float) -> None:
        if self._on:
            self._outbox[msgspec.json.encode(field)] = word, self._clock() + seconds
            self._news.set()

    async def _run(self) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), LOOK_S)
            await asyncio.sleep(PAUSE_S)  # what comes together is told together
            self._news.clear()
            if self._on and self._redis.configured:
                with suppress(StoreDown):
                    await self.exchange()

    async def exchange(self) -> None:
        """Tell what is new here, and take over what is new elsewhere."""
        telling, now = dict(self._outbox), self._clock()
        args: list[str | bytes | int] = []
        for field, (word, until) in telling.items():
            args += [field, word, max(0, round((until - now) * 1000))]
        answer = await self._redis.run(_TELL, [self._redis.key("standing")], args)
        for field, told in telling.items():
            if self._outbox.get(field) == told:
                del self._outbox[field]
        self._hear(answer, telling.keys() | self._outbox.keys())

    def _hear(self, answer: Any, ours: set[bytes]) -> None:
        """Take over what changed since the last time, but for what we said ourselves."""
        try:
            now_ms, said = int(answer[0]), dict(zip(answer[1][::2], answer[1][1::2], strict=True))
        except (TypeError, ValueError, LookupError):
            return  # another program's
        before, self._heard = self._heard, said
        for field, value in said.items():
            if field not in ours and before.get(field) != value and (parts := _SAID.fullmatch(value)):
                with suppress(msgspec.MsgspecError, ValueError):
                    word, left_s = parts[1].decode(), (int(parts[2]) - now_ms) / 1000
                    self.take_over(msgspec.json.decode(field, type=Field), word, left_s)
