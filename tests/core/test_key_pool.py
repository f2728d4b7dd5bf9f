"""Which key is used, over a time that the tests tell."""

from hypothesis import given
from hypothesis import strategies as st

from core.exchange import ProviderKey, Target
from core.key_pool import NO_KEY, KeyPool
from core.standing import Standing

ONE, OTHER, ELSEWHERE = Target("p", "one"), Target("p", "other"), Target("q", "one")
RING = tuple(ProviderKey(position, f"sk-{position}") for position in (1, 2, 3))
NOBODY: frozenset[int] = frozenset()


def chosen(pool: KeyPool, session: str = "", *, tried: frozenset[int] = NOBODY, now: float = 0) -> int:
    return pool.choose(ONE, RING, session, tried, now).position


def test_without_a_pool_there_is_nothing_to_choose() -> None:
    assert KeyPool().choose(ONE, (), "", NOBODY, 0) is NO_KEY
    assert KeyPool().choose(ONE, RING[:1], "s", frozenset({1}), 0) is RING[0]


def test_requests_without_a_session_take_turns() -> None:
    pool = KeyPool()
    assert [chosen(pool) for _ in range(6)] == [1, 2, 3, 1, 2, 3]


@given(st.text(min_size=1))
def test_a_session_stays_on_its_key(session: str) -> None:
    pool = KeyPool()
    assert len({chosen(pool, session) for _ in range(4)}) == 1
    assert chosen(KeyPool(), session) == chosen(pool, session)


def test_sessions_are_spread_over_the_keys() -> None:
    pool = KeyPool()
    assert {chosen(pool, f"session {number}") for number in range(50)} == {1, 2, 3}


def test_a_session_leaves_its_key_only_while_that_rests() -> None:
    pool = KeyPool()
    first = chosen(pool, "s")
    key = RING[first - 1]
    assert pool.lay_off(ONE, key, 10, "rate_limited", now=0)
    second = chosen(pool, "s", now=9.9)
    assert second == first % 3 + 1
    assert chosen(pool, "s", now=10) == first
    assert pool.choose(OTHER, RING, "s", NOBODY, 0).position == first


def test_a_tried_key_comes_last_and_of_resting_ones_the_soonest() -> None:
    pool = KeyPool()
    pool.lay_off(ONE, RING[0], 30, "rate_limited", now=0)
    pool.lay_off(ONE, RING[1], 20, "rate_limited", now=0)
    pool.lay_off(ONE, RING[2], 10, "rate_limited", now=0)
    assert chosen(pool) == 3
    assert chosen(pool, tried=frozenset({3})) == 2
    assert chosen(pool, tried=frozenset({1, 2, 3})) == 3


def test_a_refused_key_rests_for_its_provider_and_no_other() -> None:
    pool = KeyPool()
    pool.lay_off("p", RING[0], 10, "key_refused", now=0)
    for target in (ONE, OTHER):
        rest = pool.rest(target, RING[0], 4)
        assert rest is not None
        assert (rest.why, rest.wait_s) == ("key_refused", 6)
    assert pool.rest(ELSEWHERE, RING[0], 4) is None
    assert pool.rest(ONE, RING[1], 4) is None


def test_a_target_is_closed_when_all_its_keys_rest() -> None:
    pool = KeyPool()
    pool.lay_off(ONE, RING[0], 30, "rate_limited", now=0)
    assert pool.closed(ONE, RING, 0) is None
    assert pool.closed(ONE, RING[:1], 0) is not None
    pool.lay_off("p", RING[1], 20, "key_refused", now=0)
    pool.lay_off(ONE, RING[2], 25, "rate_limited", now=0)
    closed = pool.closed(ONE, RING, 5)
    assert closed is not None
    assert (closed.why, closed.wait_s) == ("key_refused", 15)
    assert pool.closed(ONE, RING, 20) is None
    pool.lay_off(ONE, NO_KEY, 30, "rate_limited", now=0)
    assert pool.closed(ONE, (), 0) is not None


def test_a_rest_is_news_once_is_never_cut_short_and_ends_with_an_answer() -> None:
    pool = KeyPool()
    assert pool.lay_off(ONE, RING[0], 30, "rate_limited", now=0)
    assert not pool.lay_off(ONE, RING[0], 5, "rate_limited", now=1)
    rest = pool.rest(ONE, RING[0], 1)
    assert rest is not None
    assert rest.wait_s == 29
    pool.served(ONE, RING[0])
    assert pool.rest(ONE, RING[0], 1) is None
    assert pool.lay_off(ONE, RING[0], 30, "rate_limited", now=40)
    pool.lay_off("p", RING[1], 30, "key_refused", now=40)
    pool.served(OTHER, RING[1])
    assert pool.rest(ONE, RING[1], 41) is None
    assert pool.rest(ONE, RING[0], 41) is not None


def test_a_rest_of_no_time_is_no_news() -> None:
    pool = KeyPool()
    assert not pool.lay_off(ONE, RING[0], 0, "rate_limited", now=5)
    assert pool.rest(ONE, RING[0], 5) is None


def test_what_is_over_is_forgotten() -> None:
    pool = KeyPool()
    pool.lay_off(ONE, RING[0], 10, "rate_limited", now=0)
    pool.lay_off("p", RING[1], 30, "key_refused", now=0)
    pool.forget(20, {"p"})
    assert list(pool._rests) == [("p", "sk-2")]


def test_turns_of_a_provider_that_is_gone_are_forgotten() -> None:
    pool = KeyPool()
    for target in (ONE, ELSEWHERE):
        assert [pool.choose(target, RING, "", frozenset(), 0).position for _ in "12"] == [1, 2]
    pool.forget(0, {"p"})
    assert list(pool._turns) == ["p"]


def test_whose_turn_it_is_stays_as_long_as_a_target_of_the_provider() -> None:
    book = Standing()
    seen = list[int]()
    for targets in ((ONE, ELSEWHERE), (ONE,), (ELSEWHERE,), (ONE,)):
        book.keep(dict.fromkeys(targets, "http://p"))
        seen.append(book.keys.choose(ONE, RING, "", frozenset(), 0).position)
    assert seen == [1, 2, 1, 2]
