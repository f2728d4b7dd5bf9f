"""Answers given again: the pipeline's side of the cache, of which nothing runs for targets not in `cache.targets`.

    place = answers.place(call, body)             # None: this target's answers are not kept
    if place and (found := await place.find()):
        return place.again(found)
    …ask…
    return place.keeping(answer) if place else answer

Identical requests at the same time each ask: the first is not waited for.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Protocol

from core.answer_cache import Kept, Wish, chosen, key_of, wish, worth_keeping
from core.call import Answer, Call
from core.schema_state import CacheSettings
from core.state.cache_memory import MemoryAnswers

MIB, KIB = 1024 * 1024, 1024


class Answers(Protocol):
    """Where answers are kept."""

    async def read(self, key: str) -> Kept | None:
        """The answer; None if there is none, and while the store cannot be reached."""

    def write(self, key: str, kept: Kept, ttl_s: float) -> None:
        """Keep it for so many seconds; the store may take it a little later."""


class Bounded(Answers, Protocol):
    """Where answers are kept that all workers of a proxy give."""

    size: int

    def bound(self, room: int) -> None:
        """At most so many bytes from now on."""


class CachedAnswers:
    """The cache of one process. `shared` is where answers are kept that several proxies give, `group` that several
    workers of one do.
    """

    def __init__(self, shared: Answers | None = None, group: Bounded | None = None) -> None:
        self._memory = MemoryAnswers(CacheSettings().max_mb * MIB)
        self._store: Answers = self._memory
        self._shared, self._group = shared, group
        #: Called for each answer that is kept.
        self.on_kept: Callable[[], None] = lambda: None

    def use(self, settings: CacheSettings, *, redis: bool) -> None:
        """These settings from now on; `redis`: there is a server to share answers by."""
        shared = self._shared if settings.store == "redis" or (settings.store == "auto" and redis) else None
        own: Bounded = self._group or self._memory
        self._store = shared or own
        own.bound(settings.max_mb * MIB if settings.targets and shared is None else 0)

    @property
    def size(self) -> int:
        """Bytes of answers in this proxy's memory."""
        return self._memory.size if self._group is None else self._group.size

    def place(self, call: Call, body: bytes) -> "Place | None":
        """Where this request's answer is or will be; None unless its decided target's answers are kept."""
        settings = call.snapshot.settings.cache
        if not settings.targets:
            return None
        decision = call.exchange.decision
        if decision is None or decision.target is None or not chosen(decision.target, settings.targets):
            return None
        wanted = wish(call.headers, call.request, call.features)
        call.exchange.cache = "miss" if wanted.read else "bypass"
        key = key_of(call.exchange, decision.target, call.query, call.headers, body) if wanted.write else ""
        return Place(self._store, settings, call, key, wanted, self.on_kept)


class Place:
    """One request's place in the cache."""

    def __init__(
        self, store: Answers, settings: CacheSettings, call: Call, key: str, wanted: Wish, on_kept: Callable[[], None]
    ) -> None:
        self._store, self._settings, self._call = store, settings, call
        self._key, self._wanted, self._on_kept = key, wanted, on_kept

    async def find(self) -> Kept | None:
        """The answer that was kept, unless the client wants a new one."""
        return await self._store.read(self._key) if self._wanted.read else None

    def again(self, kept: Kept) -> Answer:
        """The answer once more; the request has used nothing."""
        exchange = self._call.exchange
        exchange.cache = "hit"
        exchange.answered_by = exchange.decision.target if exchange.decision else None
        if not self._call.request.stream:
            return Answer(200, {}, kept.body)
        return Answer(200, {"content-type": self._call.client.stream_type}, self._once_more(kept.body))

    async def _once_more(self, body: bytes) -> AsyncGenerator[bytes, None]:
        yield body
        self._call.exchange.whole = True  # only whole ones are kept

    def keeping(self, answer: Answer) -> Answer:
        """The same answer, which is kept if it turns out to be worth it."""
        if not self._wanted.write:
            return answer
        if isinstance(answer.body, bytes):
            self._keep(answer.body)
        else:
            answer.body = self._collected(answer.body)
        return answer

    async def _collected(self, pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        parts: list[bytes] | None = []
        left = self._settings.max_answer_kb * KIB
        try:
            async with aclosing(pieces):
                async for piece in pieces:
                    left -= len(piece)
                    if left < 0:
                        parts = None
                    if parts is not None:
                        parts.append(piece)
                    yield piece
        finally:  # a client that has got all may leave before the transport's end
            if parts is not None and self._call.exchange.whole:
                self._keep(b"".join(parts))

    def _keep(self, body: bytes) -> None:
        exchange = self._call.exchange
        if len(body) <= self._settings.max_answer_kb * KIB and worth_keeping(exchange):
            self._store.write(self._key, Kept(body, exchange.usage), self._settings.ttl_s)
            self._on_kept()
