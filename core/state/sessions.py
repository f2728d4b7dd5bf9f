"""Where sessions are remembered: the port of `memory` and `redis_sessions`."""

from typing import Protocol

from core.exchange import SessionState


class Sessions(Protocol):
    """Facts of the last answers by (client key, session)."""

    async def read(self, client_key: str, session_id: str) -> SessionState:
        """The state of a session; empty for a new one, and while the store cannot be reached."""

    def write(self, client_key: str, session_id: str, state: SessionState) -> None:
        """Remember the state after an answer; the store may take it a little later."""
