"""What one process keeps beyond a request, and shares with others: Redis, sessions, and the guards over both."""

from core.cached_answers import CachedAnswers
from core.generation import Generation
from core.guarding import Guard
from core.state.background import Background
from core.state.cache_redis import RedisAnswers
from core.state.memory import MemorySessions
from core.state.redis import Redis
from core.state.sessions import Sessions


class Keeping:
    """The parts, put together. Each has a word of its own to say in `use`, `start` and `close`."""

    def __init__(self) -> None:
        self.redis = Redis()
        #: What is written to Redis after an answer.
        self.background = Background()
        self.sessions: Sessions = MemorySessions()
        self.answers = CachedAnswers(RedisAnswers(self.redis, self.background))
        #: In the order in which they are asked.
        self.guards: tuple[Guard, ...] = ()

    def use(self, generation: Generation) -> None:
        """This configuration from now on."""
        settings, secrets = generation.loaded.settings, generation.loaded.secrets
        self.redis.use(settings.redis, secrets.redis)
        self.answers.use(settings.cache, redis=self.redis.configured)

    async def start(self) -> None:
        """The event loop runs."""

    async def close(self) -> None:
        """Everything is written, and nobody is asked any more."""
        await self.background.close()
        await self.redis.close()
