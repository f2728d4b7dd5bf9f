"""Session state in memory: the last answers' facts by (client key, conversation), least recently used out first."""

import time
from collections import OrderedDict
from collections.abc import Callable

import msgspec

from core.exchange import SessionState

EMPTY = SessionState()


class MemorySessions:
    """At most `limit` conversations of this process, each for `ttl_s` seconds after its last answer, by `clock`."""

    def __init__(
        self, limit: int = 10_000, ttl_s: float = 3600.0, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit, self.ttl_s, self._clock = limit, ttl_s, clock
        self._sessions: OrderedDict[tuple[str, str], tuple[float, SessionState]] = OrderedDict()

    def use(self, limit: int, ttl_s: float) -> None:
        """These bounds from now on, also for what is remembered already."""
        self._limit, self.ttl_s = limit, ttl_s
        self._trim()

    async def read(self, client_key: str, session_id: str) -> SessionState:
        """The state of a conversation; empty for a new one."""
        return self.find(client_key, session_id) or EMPTY

    def find(self, client_key: str, session_id: str) -> SessionState | None:
        """What is remembered, if it still counts."""
        name = (client_key, session_id)
        found = self._sessions.get(name)
        if found is None:
            return None
        if self._clock() - found[0] >= self.ttl_s:
            del self._sessions[name]
            return None
        self._sessions.move_to_end(name)
        return found[1]

    def write(self, client_key: str, session_id: str, state: SessionState) -> None:
        """Remember the state after an answer. Of requests at the same time each counts as a turn."""
        if not session_id:
            return
        known = self.find(client_key, session_id)
        if known is not None and known.turns >= state.turns:
            state = msgspec.structs.replace(state, turns=known.turns + 1)
        self._sessions[(client_key, session_id)] = (self._clock(), state)
        self._sessions.move_to_end((client_key, session_id))
        self._trim()

    def _trim(self) -> None:
        while len(self._sessions) > self._limit:
            self._sessions.popitem(last=False)

    def __len__(self) -> int:
        return len(self._sessions)
