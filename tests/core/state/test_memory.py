import asyncio

from core.exchange import SessionState
from core.state.memory import MemorySessions


def turns(sessions: MemorySessions, client_key: str, session_id: str) -> int:
    return asyncio.run(sessions.read(client_key, session_id)).turns


def test_a_new_session_is_empty_and_a_known_one_is_remembered_by_client_and_id() -> None:
    sessions = MemorySessions()
    sessions.write("laptop", "a", SessionState(turns=2))
    assert turns(sessions, "laptop", "a") == 2
    assert turns(sessions, "ci", "a") == 0
    assert turns(sessions, "laptop", "b") == 0


def test_the_least_recently_used_goes_first() -> None:
    sessions = MemorySessions(limit=2)
    sessions.write("", "a", SessionState(turns=1))
    sessions.write("", "b", SessionState(turns=1))
    turns(sessions, "", "a")
    sessions.write("", "c", SessionState(turns=1))
    assert [turns(sessions, "", name) for name in "abc"] == [1, 0, 1]
    assert len(sessions) == 2


def test_a_request_without_a_session_leaves_nothing_behind() -> None:
    sessions = MemorySessions()
    sessions.write("", "", SessionState(turns=1))
    assert len(sessions) == 0
