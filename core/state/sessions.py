"""Where sessions are remembered: the port of `memory` and `redis_sessions`, and which of them it is."""

from collections.abc import Callable
from typing import Protocol

from core.exchange import SessionState
from core.schema_state import SessionSettings
from core.state.background import Background
from core.state.memory import MemorySessions
from core.state.redis import Redis
from core.state.redis_sessions import RedisSessions


class Sessions(Protocol):
    """Facts of the last answers by (client key, conversation)."""

    async def read(self, client_key: str, session_id: str) -> SessionState:
        """The state of a conversation; empty for a new one, and while the store cannot be reached."""

    def write(self, client_key: str, session_id: str, state: SessionState) -> None:
        """Remember the state after an answer; the store may take it a little later."""


class ChosenSessions:
    """The store that the configuration names. One that is left keeps what it holds, until that is too old."""

    def __init__(
        self, redis: Redis, background: Background, among: Callable[[MemorySessions], Sessions] = lambda own: own
    ) -> None:
        """`among` makes of this process's memory one that several workers have."""
        self._memory = MemorySessions()
        self._own, self._shared = among(self._memory), RedisSessions(redis, background)
        self._chosen: Sessions = self._own

    def __len__(self) -> int:
        """How many this process remembers by itself."""
        return len(self._memory)

    def use(self, settings: SessionSettings, *, shared: bool) -> None:
        """This configuration from now on. `shared`: they are in Redis."""
        self._memory.use(settings.max, settings.ttl_s)
        self._shared.use(settings.ttl_s)
        self._chosen = self._shared if shared else self._own

    async def read(self, client_key: str, session_id: str) -> SessionState:
        """See `Sessions`."""
        return await self._chosen.read(client_key, session_id)

    def write(self, client_key: str, session_id: str, state: SessionState) -> None:
        """See `Sessions`."""
        self._chosen.write(client_key, session_id, state)
