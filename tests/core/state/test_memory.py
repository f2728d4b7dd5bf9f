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


def test_a_session_is_forgotten_so_long_after_its_last_answer() -> None:
    now = 0.0
    sessions = MemorySessions(ttl_s=10, clock=lambda: now)
    sessions.write("", "a", SessionState(turns=1))
    now = 9.0
    assert turns(sessions, "", "a") == 1
    sessions.write("", "a", SessionState(turns=2))
    now = 18.0
    assert turns(sessions, "", "a") == 2
    now = 19.0
    assert turns(sessions, "", "a") == 0
    assert len(sessions) == 0


def test_new_bounds_count_for_what_is_remembered() -> None:
    now = 0.0
    sessions = MemorySessions(clock=lambda: now)
    for name in "abc":
        sessions.write("", name, SessionState(turns=1))
    sessions.use(2, 5)
    assert [turns(sessions, "", name) for name in "abc"] == [0, 1, 1]
    now = 5.0
    assert [turns(sessions, "", name) for name in "bc"] == [0, 0]


def test_of_answers_at_the_same_time_each_is_a_turn_and_the_last_says_the_rest() -> None:
    sessions = MemorySessions()
    sessions.write("", "a", SessionState(turns=5, last_target="p,one"))
    for name in ("p,two", "p,three"):
        sessions.write("", "a", SessionState(turns=3, last_target=name))
    found = asyncio.run(sessions.read("", "a"))
    assert (found.turns, found.last_target) == (7, "p,three")
