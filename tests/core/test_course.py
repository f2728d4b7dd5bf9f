"""A request's way through its candidates, with clocks and dice that the tests hold."""

from contextlib import suppress

import pytest
from courses import KEYS, A, B, C, World, failure, walk
from hypothesis import given
from hypothesis import strategies as st

from core.course import Course
from core.errors import RateLimited, Unavailable, UpstreamFailed
from core.exchange import Target
from core.guarding import TargetFull
from core.resilience import FIRST_WAIT_S, RETRY_FLOOR
from core.standing import IN_A_ROW


@pytest.mark.parametrize(
    ("failures", "asked"),
    [
        ([], ["a"]),
        ([failure(529)], ["a", "b"]),
        ([failure(529), failure(529)], ["a", "b", "c"]),
        ([failure(529), failure(529), failure(529)], ["a", "b", "c", "c"]),
        ([failure(502, "not_sent")], ["a", "a"]),
        ([failure(502, "not_sent"), failure(502, "not_sent")], ["a", "a", "b"]),
        ([failure(502, "unknown")], ["a", "a"]),
        ([failure(504, "unknown")], ["a", "b"]),
        ([failure(404), failure(401)], ["a", "b", "c"]),
        ([failure(429, retry_after="1")], ["a", "b"]),
    ],
)
def test_who_is_asked(failures: list[UpstreamFailed], asked: list[str]) -> None:
    assert walk(World().on(A, B, C), failures)[::2] == (asked, None)


@pytest.mark.parametrize(
    ("failures", "status", "should_retry"),
    [
        ([failure(400)], 400, None),
        ([failure(401)], 401, "false"),
        ([failure(404)], 404, "false"),
        ([failure(529), failure(529)], 529, "false"),
        ([failure(429)], 429, None),
        ([failure(429, retry_after="1"), failure(429, retry_after="60")], 429, None),
        ([failure(504, "unknown")], 504, None),
        ([failure(502, "unknown"), failure(502, "cut")], 502, "false"),
    ],
)
def test_what_the_client_of_a_lone_target_is_told(
    failures: list[UpstreamFailed], status: int, should_retry: str | None
) -> None:
    asked, _, told = walk(World().on(A), failures)
    assert told is not None
    assert (len(asked), told.status, told.headers.get("x-should-retry")) == (len(failures), status, should_retry)


def test_of_several_failures_the_client_is_told_the_last_that_is_not_ours_to_mend() -> None:
    told = walk(World().on(A, B), [failure(529), failure(401)])[2]
    assert told is not None
    assert (told.status, told.headers["x-should-retry"]) == (529, "false")
    told = walk(World().on(A, B), [failure(401), failure(503), failure(503)])[2]
    assert told is not None
    assert told.status == 503


def test_a_doubtful_request_is_sent_twice_at_most() -> None:
    asked, _, told = walk(World().on(A, B, C), [failure(504, "unknown"), failure(504, "stalled")])
    assert (asked, told and told.status) == (["a", "b"], 504)
    asked, _, told = walk(World().on(A, B, C), [failure(502, "cut"), failure(529), failure(502, "unknown")])
    assert asked == ["a", "a", "b"]


@pytest.mark.parametrize(
    ("header", "waited"),
    [
        ({"retry_after": "2"}, 2.0),
        ({"retry_after_ms": "300"}, 0.3),
        ({"retry_after": "Wed, 21 Oct 2015 07:28:03 GMT"}, 3.0),
        ({"retry_after": "-5"}, 0.0),
        ({"retry_after": "1e9"}, None),
        ({"retry_after": "6"}, None),
        ({"retry_after": "soon"}, None),
        ({}, None),
    ],
)
def test_only_short_waits_are_waited_here(header: dict[str, str], waited: float | None) -> None:
    asked, waits, told = walk(World().on(A), [failure(429, **header)])
    if waited is None:
        assert told is not None
        assert asked == ["a"]
        return
    assert waits[1:] == [waited + FIRST_WAIT_S / 2]


def test_a_long_wait_goes_to_the_client_as_it_can_obey_it() -> None:
    for said, sent in (("600", "600"), ("1e9", "60"), ("-5", "0"), ("soon", None)):
        told = walk(World().on(A, max_wait_s=0, attempts=1), [failure(429, retry_after=said)])[2]
        assert told is not None
        assert told.headers.get("retry-after") == sent


def test_the_rest_that_was_waited_for_is_over_when_it_is_asked_again() -> None:
    world = World()
    with world.on(A, attempts=3) as course:
        course.next()
        course.failed(failure(429, retry_after="2"))
        world.now += course.wait_s
        assert not course.next().permit.in_spite


def test_more_attempts_wait_longer_each_time() -> None:
    _, waits, told = walk(World().on(A, attempts=4), [failure(500)] * 4)
    assert waits == [0, FIRST_WAIT_S / 2, FIRST_WAIT_S, FIRST_WAIT_S * 2]
    assert told is not None


def test_the_next_key_takes_over_and_is_no_attempt_of_the_targets() -> None:
    world = World()
    asked, waits, told = walk(world.on(A, keys=KEYS, attempts=2), [failure(429), failure(401), failure(500)])
    assert sorted(asked[:3]) == ["a1", "a2", "a3"]
    assert asked[3] == asked[2]
    assert told is None
    assert waits[1:3] == [0, 0]
    assert [why for _, _, why in world.seen.rests] == ["rate_limited", "key_refused"]


def test_a_session_keeps_its_key_whatever_other_targets_said() -> None:
    [usual] = {walk(World().on(B, keys={"b": KEYS["a"]}), [])[0][0] for _ in range(4)}
    world = World()
    assert [walk(world.on(B, keys={"b": KEYS["a"]}), [])[0] for _ in range(4)] == [[usual]] * 4
    for key in KEYS["a"]:
        keys = {"a": [key], "b": KEYS["a"]}
        assert walk(World().on(A, B, keys=keys), [failure(429)])[0][-1] == usual


def test_when_every_key_is_told_to_wait_the_next_target_serves() -> None:
    asked, _, told = walk(World().on(A, B, keys=KEYS), [failure(429)] * 3)
    assert (asked[3], told) == ("b", None)


def test_a_402_or_403_is_the_keys_fault_only_if_another_key_serves() -> None:
    world = World()
    walk(world.on(A, keys=KEYS), [failure(403)] * 3)
    assert world.seen.rests == []
    asked, _, _ = walk(world.on(A, keys=KEYS), [failure(403)])
    assert world.seen.rests == [("a", int(asked[0][1:]), "key_refused")]
    world = World()
    walk(world.on(A, B, keys=KEYS), [failure(402)] * 3)
    assert world.seen.rests == []


def test_an_unknown_key_rests_at_once_even_if_it_is_the_only_one() -> None:
    world = World()
    lone = {"a": KEYS["a"][:1]}
    assert walk(world.on(A, B, keys=lone), [failure(401)])[0] == ["a1", "b"]
    course = world.on(A, B, keys=lone)
    assert walk(course, [])[0] == ["b"]
    assert course.passed_over == [(A.target, "key_refused")]
    assert walk(world.on(A, keys=lone), [])[0] == ["a1"]


@pytest.mark.parametrize(("status", "elsewhere"), [(401, True), (402, True), (403, False)])
def test_a_key_without_credit_rests_for_all_targets_one_without_leave_for_this(status: int, elsewhere: bool) -> None:
    world = World()
    other = Target("a", "other")
    world.standing.keep({A.target: "http://x", other: "http://x"})
    asked, _, told = walk(world.on(A, keys=KEYS), [failure(status)])
    assert told is None
    refused = [key for key in KEYS["a"] if f"a{key.position}" == asked[0]]
    assert not world.standing.has_key(A.target, refused)
    assert world.standing.has_key(other, refused) is not elsewhere


def test_an_open_target_is_passed_over_if_another_can_be_asked() -> None:
    world = World()
    world.open(A)
    course = world.on(A, B)
    asked, _, _ = walk(course, [])
    assert asked == ["b"]
    assert course.passed_over == [(A.target, "breaker")]


def test_when_all_are_closed_the_answer_comes_at_once() -> None:
    world = World()
    world.open(A)
    world.now = 3
    world.open(B)
    asked, _, told = walk(world.on(A, B), [])
    assert asked == []
    assert isinstance(told, Unavailable)
    assert (told.status, told.type, told.headers) == (529, "overloaded_error", {"retry-after": "7"})
    assert "a,m (it kept failing" in told.message


def test_when_all_were_told_to_wait_it_is_a_429() -> None:
    world = World()
    walk(world.on(A, B), [failure(429, retry_after="40"), failure(429, retry_after="30")])
    told = walk(world.on(A, B), [])[2]
    assert isinstance(told, RateLimited)
    assert told.headers == {"retry-after": "30"}


def test_a_lone_target_is_asked_in_spite_of_its_breaker_and_without_a_retry() -> None:
    world = World()
    world.open(A)
    asked, _, told = walk(world.on(A), [failure(529)])
    assert asked == ["a"]
    assert told is not None
    assert "x-should-retry" not in told.headers
    assert walk(world.on(A), [])[0] == ["a"]
    assert not world.standing.broken(A.target)


def test_a_fallback_whose_key_is_refused_is_none() -> None:
    world = World()
    world.refuse(B)
    world.open(A)
    course = world.on(A, B)
    assert walk(course, [failure(529)])[0] == ["a"]
    assert walk(world.on(B, A), [failure(529)])[0] == ["a"]


def test_where_every_key_is_refused_the_providers_own_word_is_told() -> None:
    world = World()
    world.refuse(A)
    world.refuse(B)
    asked, _, told = walk(world.on(A, B), [failure(401)])
    assert asked == ["a"]
    assert told is not None
    assert (told.status, told.headers["x-should-retry"]) == (401, "false")


def test_a_target_that_opened_with_this_very_failure_is_not_asked_again() -> None:
    world = World()
    world.open(A, IN_A_ROW - 1)
    assert walk(world.on(A), [failure(500)])[0] == ["a"]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 413])
def test_what_a_client_or_a_key_did_wrong_is_no_fault_of_the_target(status: int) -> None:
    world = World()
    for _ in range(2 * IN_A_ROW):
        walk(world.on(A, attempts=1), [failure(status)])
    assert not world.standing.broken(A.target)


def test_who_asks_in_spite_of_a_rest_asks_once() -> None:
    world = World()
    walk(world.on(A), [failure(429, retry_after="50")])
    assert walk(world.on(A), [failure(500)])[0] == ["a"]


def test_a_429_between_failures_neither_counts_nor_excuses() -> None:
    world = World()
    for status in (*[500] * (IN_A_ROW - 1), 429):
        walk(world.on(A, attempts=1), [failure(status, retry_after="0")])
        assert not world.standing.broken(A.target)
    walk(world.on(A, attempts=1), [failure(500)])
    assert world.standing.broken(A.target)


def test_a_retry_is_chosen_when_the_next_target_is_closed() -> None:
    world = World()
    world.open(B)
    assert walk(world.on(A, B), [failure(500)])[0] == ["a", "a"]


def test_the_budget_bounds_retries_and_not_the_next_target() -> None:
    world = World()
    courses = [world.on(A) for _ in range(10)]
    for course in courses:
        course.__enter__()
        course.next()
    told = []
    for course in courses[:4]:
        try:
            course.failed(failure(502, "not_sent"))
        except UpstreamFailed as exc:
            told.append(exc)
    assert (len(told), world.seen.refused) == (4 - RETRY_FLOOR, 1)
    assert "x-should-retry" not in told[0].headers
    with world.on(B, C) as course:
        course.next()
        course.failed(failure(502, "not_sent"))
        assert course.next().candidate is C
    for course in courses:
        course.__exit__(None, None, None)
    assert (world.budget.waiting, world.budget.retries) == (0, 0)


def leave(course: Course, *failures: UpstreamFailed) -> None:
    """Ask, fail so, and go away."""
    with suppress(KeyboardInterrupt), course:
        course.next()
        for failed in failures:
            course.failed(failed)
        raise KeyboardInterrupt


def test_who_leaves_gives_everything_back() -> None:
    world = World()
    world.open(A)
    world.now = 10
    leave(world.on(A, B))
    leave(world.on(C), failure(502, "not_sent"))
    assert (world.budget.waiting, world.budget.retries) == (0, 0)
    with world.on(A, B) as course:
        assert course.next().permit.probe


def test_moves_are_counted_by_reason() -> None:
    world = World()
    walk(world.on(A, B, keys=KEYS), [failure(429), failure(500), failure(502, "not_sent"), failure(400)])
    assert world.seen.moves == [("later", "key"), ("server", "next"), ("unsent", "retry")]


FAILURES = st.builds(
    failure,
    st.sampled_from([400, 401, 402, 403, 404, 408, 429, 500, 502, 504, 529]),
    st.sampled_from(["answered", "not_sent", "unknown", "cut", "stalled"]),
    retry_after=st.sampled_from(["0", "1", "3", "100", "-1", "soon"]),
)


@given(
    st.lists(FAILURES, min_size=60, max_size=60),
    st.integers(1, 3),
    st.integers(1, 4),
    st.booleans(),
    st.booleans(),
)
def test_whatever_fails_the_request_ends_bounded_and_gives_everything_back(
    failures: list[UpstreamFailed], targets: int, attempts: int, pool: bool, breaker: bool
) -> None:
    world = World()
    world.standing.keep({candidate.target: "http://x" for candidate in (A, B, C)}, breakers=breaker)
    keys = KEYS if pool else None
    asked, waits, told = walk(world.on(*(A, B, C)[:targets], keys=keys, attempts=attempts), failures)
    assert told is not None
    assert len(asked) <= targets * attempts + (2 if pool else 0)
    assert all(wait <= 5 + FIRST_WAIT_S * 8 for wait in waits)
    assert (world.budget.waiting, world.budget.retries) == (0, 0)


def test_a_target_that_has_reached_our_limit_is_passed_over_and_no_attempt() -> None:
    world = World()
    with world.on(A, B) as course:
        assert course.next().candidate is A
        course.full(TargetFull("limit", 7.0))
        assert course.next().candidate is B
        assert course.passed_over == [(A.target, "limit")]
        course.full(TargetFull("limit", 3.2))
        with pytest.raises(RateLimited, match="its limit here is reached") as told:
            course.next()
        assert told.value.headers["retry-after"] == "4"
    assert not world.standing.broken(A.target)
