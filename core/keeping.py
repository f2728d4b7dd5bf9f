"""What one process keeps beyond a request, and shares with others: Redis, sessions, and the guards over both."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from core.cached_answers import CachedAnswers
from core.generation import Generation
from core.guarding import Guard
from core.recording import Recording
from core.redis_events import RedisEvents
from core.state.background import Background
from core.state.cache_redis import RedisAnswers
from core.state.redis import Redis
from core.state.sessions import ChosenSessions
from core.telemetry import Metrics


class Keeping:
    """The parts, put together. Each has a word of its own to say in `use`, `start` and `close`. `folder` is the state
    folder; `say` takes log lines.
    """

    def __init__(self, folder: Path, say: Callable[[dict[str, object], str], None], metrics: Metrics) -> None:
        self.redis = Redis(RedisEvents(metrics, say))
        #: What is written to Redis after an answer.
        self.background = Background()
        metrics.redis_dropped.set_function(lambda: self.background.dropped)
        self.sessions = ChosenSessions(self.redis, self.background)
        self.answers = CachedAnswers(RedisAnswers(self.redis, self.background))
        #: In the order in which they are asked.
        self.guards: tuple[Guard, ...] = ()
        self.recording = Recording(folder, say, metrics.recorded)

    def use(self, generation: Generation) -> None:
        """This configuration from now on."""
        settings, secrets = generation.loaded.settings, generation.loaded.secrets
        self.redis.use(settings.redis, secrets.redis)
        self.sessions.use(settings.sessions)
        self.answers.use(settings.cache, redis=self.redis.configured)
        self.recording.use(settings.records)

    def health(self) -> dict[str, object]:
        """How each part is, for `/health`: none of them is needed to answer."""
        return {"records": self.recording.health(), "redis": self.redis.health}

    async def start(self) -> None:
        """The event loop runs."""
        self.redis.start()

    async def close(self) -> None:
        """Everything is written, and nobody is asked any more."""
        await self.background.close()
        await asyncio.to_thread(self.recording.close)
        await self.redis.close()
