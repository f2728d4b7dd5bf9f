"""Session state in memory: the last answers' facts by (client key, session), least recently used out first."""

from collections import OrderedDict

from core.exchange import SessionState

EMPTY = SessionState()


class MemorySessions:
    """At most `limit` sessions of this process."""

    def __init__(self, limit: int = 10_000) -> None:
        self._limit = limit
        self._sessions: OrderedDict[tuple[str, str], SessionState] = OrderedDict()

    async def read(self, client_key: str, session_id: str) -> SessionState:
        """The state of a session; empty for a new one."""
        found = self._sessions.get((client_key, session_id))
        if found is None:
            return EMPTY
        self._sessions.move_to_end((client_key, session_id))
        return found

    def write(self, client_key: str, session_id: str, state: SessionState) -> None:
        """Remember the state after an answer."""
        if not session_id:
            return
        self._sessions[(client_key, session_id)] = state
        self._sessions.move_to_end((client_key, session_id))
        while len(self._sessions) > self._limit:
            self._sessions.popitem(last=False)

    def __len__(self) -> int:
        return len(self._sessions)
