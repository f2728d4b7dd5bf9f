"""Kept answers in Redis, for all proxies that share one. A server that is away, or a value that is not ours, is a miss.

How much Redis holds is its own setting (`maxmemory`, with `maxmemory-policy volatile-lru` or the like); every value has
a lifetime.
"""

from core.answer_cache import Kept, packed, unpacked
from core.state.background import Background
from core.state.redis import Redis, StoreDown

#: Answers that wait to be written, in bytes; further ones are not kept.
WAITING = 16 * 1024 * 1024


class RedisAnswers:
    """Answers under `PREFIX:answer:SHA256`."""

    def __init__(self, redis: Redis, background: Background, waiting: int = WAITING) -> None:
        self._redis, self._background = redis, background
        self._room = waiting

    async def read(self, key: str) -> Kept | None:
        """The answer, if it is there and whole."""
        try:
            stored = await self._redis.command("GET", self._name(key))
        except StoreDown:
            return None
        return unpacked(key, stored)

    def write(self, key: str, kept: Kept, ttl_s: float) -> None:
        """Keep the answer for so many seconds, a little later."""
        data = packed(key, kept)
        if len(data) > self._room:
            return
        self._room -= len(data)

        async def put() -> None:
            try:
                await self._redis.command("SET", self._name(key), data, "PX", max(1, round(ttl_s * 1000)))
            finally:
                self._room += len(data)

        if not self._background.soon(put):
            self._room += len(data)

    def _name(self, key: str) -> str:
        return self._redis.key("answer", key)
