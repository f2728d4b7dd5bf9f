from core.exchange import SessionState
from core.state.memory import MemorySessions


def test_a_new_session_is_empty_and_a_known_one_is_remembered_by_client_and_id() -> None:
    sessions = MemorySessions()
    sessions.write("laptop", "a", SessionState(turns=2))
    assert sessions.read("laptop", "a").turns == 2
    assert sessions.read("ci", "a").turns == 0
    assert sessions.read("laptop", "b").turns == 0


def test_the_least_recently_used_goes_first() -> None:
    sessions = MemorySessions(limit=2)
    sessions.write("", "a", SessionState(turns=1))
    sessions.write("", "b", SessionState(turns=1))
    sessions.read("", "a")
    sessions.write("", "c", SessionState(turns=1))
    assert [sessions.read("", name).turns for name in "abc"] == [1, 0, 1]
    assert len(sessions) == 2


def test_a_request_without_a_session_leaves_nothing_behind() -> None:
    sessions = MemorySessions()
    sessions.write("", "", SessionState(turns=1))
    assert len(sessions) == 0
