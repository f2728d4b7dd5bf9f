"""What one process keeps beyond a request, and shares with others: Redis, sessions, and the guards over both."""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import Final

from core.budgeting import Budgeting
from core.budgets import has_budgets
from core.cached_answers import CachedAnswers
from core.generation import Generation
from core.group.member import Member
from core.group.stores import GroupAnswers, GroupBudgets, GroupLimits, GroupSessions, GroupStanding
from core.guarding import Guard
from core.limiting import Limiting
from core.metrics import Metrics
from core.recording import Recording
from core.redis_events import RedisEvents
from core.standing import Standing
from core.state.background import Background
from core.state.budgets_redis import LEASE_MS, RedisBudgets
from core.state.cache_redis import RedisAnswers
from core.state.redis import Redis
from core.state.sessions import ChosenSessions
from core.state.standing_redis import SharedStanding

#: Seconds between two times that what this process holds in Redis is confirmed.
RENEW_S: Final = LEASE_MS / 3000


class Keeping:
    """The parts, put together. Each has a word of its own to say in `use`, `start` and `close`. `folder` is the state
    folder; `say` takes log lines.
    """

    def __init__(
        self,
        folder: Path,
        say: Callable[[dict[str, object], str], None],
        metrics: Metrics,
        standing: Standing,
        member: Member | None = None,
    ) -> None:
        """`member`: the place among several workers, which share what a single process keeps in its memory."""
        self.redis = Redis(RedisEvents(metrics, say))
        #: What is written to Redis after an answer.
        self.background = Background()
        metrics.redis_dropped.set_function(lambda: self.background.dropped)
        self._standing = standing
        self.sessions = ChosenSessions(
            self.redis, self.background, *([partial(GroupSessions, member)] if member else [])
        )
        metrics.watch_sessions(self.sessions)
        self.standing = SharedStanding(self.redis, standing)
        self._among = GroupStanding(member, standing) if member else None
        self.answers = CachedAnswers(
            RedisAnswers(self.redis, self.background), GroupAnswers(member) if member else None
        )
        self._books = GroupBudgets(member) if member else None
        self.budgeting = Budgeting(RedisBudgets(self.redis, token_hex(8)), self.background, say, group=self._books)
        metrics.watch_budgets(lambda: self.budgeting.spending(time.time_ns() // 1_000_000))
        #: In the order in which they are asked.
        limits = GroupLimits(member) if member else None
        self.limiting = Limiting(self.redis, self.background, metrics.limited, group=limits)
        self.guards: tuple[Guard, ...] = (self.limiting, self.budgeting)
        metrics.reservations.set_function(lambda: self.limiting.open)
        self.recording = Recording(folder, say, metrics.recorded, metrics.decision_recorded)
        #: What keys had spent before this process began, once it is needed.
        self._spent_before: dict[str, dict[str, int]] | None = None
        self._restored = False
        self._renewing: asyncio.Task[None] | None = None

    def prepare(self, generation: Generation) -> None:
        """Called off the event loop, before this configuration is used."""
        if not self._restored and has_budgets(generation.loaded.settings):
            self._spent_before = self.recording.spent(generation.loaded.settings.records, time.time_ns() // 1_000_000)

    def use(self, generation: Generation) -> None:
        """This configuration from now on."""
        settings, secrets = generation.loaded.settings, generation.loaded.secrets
        self.redis.use(settings.redis, secrets.redis)
        self.sessions.use(settings.sessions, shared="sessions" in settings.shared)
        shared = "resilience" in settings.shared
        self.standing.use(generation.snapshot.addresses, secrets.providers, shared=shared)
        if self._among is not None:
            self._among.know(generation.snapshot.addresses, secrets.providers)
            self._standing.others = self.standing if shared else self._among
        self.answers.use(settings.cache, redis=self.redis.configured)
        self.recording.use(settings.records)
        self.budgeting.use(settings)
        if self._spent_before is not None and not self._restored:
            self._restored = True
            self.budgeting.restore(self._spent_before)
            if self._books is not None:
                self._books.begin(self._spent_before)
        self.limiting.use(settings)

    def health(self) -> dict[str, object]:
        """How each part is, for `/health`: none of them is needed to answer."""
        recording = self.recording
        return {"records": recording.health(), "decisions": recording.decisions.health(), "redis": self.redis.health}

    async def start(self) -> None:
        """The event loop runs."""
        self.redis.start()
        self.standing.start()
        self.limiting.start()
        self._renewing = asyncio.create_task(self._renew())

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            self.budgeting.renew()

    async def close(self) -> None:
        """Everything is written, and nobody is asked any more."""
        if self._renewing is not None:
            self._renewing.cancel()
        await self.standing.close()
        await self.limiting.close()
        await self.background.close()
        await asyncio.to_thread(self.recording.close)
        await self.redis.close()
