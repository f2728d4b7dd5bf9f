"""The table of what follows a failure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import UpstreamFailed
from core.resilience import (
    FIRST_WAIT_S,
    MAX_DOUBTS,
    RETRY_FLOOR,
    RETRY_SHARE,
    TABLE,
    UNWELL,
    Action,
    Budget,
    Situation,
    after,
    kind,
    only_the_operator,
    unwell,
    wait_s,
)

KINDS = [
    (400, "answered", "final", False),
    (413, "answered", "final", False),
    (422, "answered", "final", False),
    (401, "answered", "bad_key", False),
    (402, "answered", "bad_key", False),
    (403, "answered", "bad_key", False),
    (404, "answered", "not_here", False),
    (405, "answered", "not_here", False),
    (415, "answered", "not_here", False),
    (451, "answered", "not_here", False),
    (429, "answered", "later", False),
    (408, "answered", "server", False),
    (409, "answered", "server", False),
    (425, "answered", "server", False),
    (500, "answered", "server", True),
    (503, "answered", "server", True),
    (504, "answered", "server", True),
    (529, "answered", "server", True),
    (599, "answered", "server", True),
    (502, "not_sent", "unsent", True),
    (504, "not_sent", "silent", True),
    (502, "unknown", "lost", True),
    (502, "cut", "lost", True),
    (504, "unknown", "silent", True),
    (504, "cut", "silent", True),
    (504, "stalled", "silent", True),
    (502, "stalled", "silent", True),
]


@pytest.mark.parametrize(("status", "stage", "row", "counts"), KINDS)
def test_each_failure_is_of_one_kind_and_counts_for_the_breaker_or_does_not(
    status: int, stage: str, row: str, counts: bool
) -> None:
    failure = UpstreamFailed(status, "x", stage=stage)
    assert (kind(failure), unwell(failure)) == (row, counts)


def test_what_does_not_pass_by_itself_is_not_tried_again() -> None:
    failure = UpstreamFailed(502, "its address is refused", stage="not_sent", lasting=True)
    assert (kind(failure), unwell(failure), only_the_operator(failure)) == ("not_here", False, True)
    assert not only_the_operator(UpstreamFailed(502, "refused", stage="not_sent"))


def test_every_kind_is_a_row_and_every_row_a_kind() -> None:
    assert {row for _, _, row, _ in KINDS} == set(TABLE)
    assert set(TABLE) >= UNWELL


ALL = {"more_keys": True, "more_targets": True}


@pytest.mark.parametrize(
    ("row", "facts", "action"),
    [
        ("final", ALL, Action.STOP),
        ("bad_key", ALL, Action.KEY),
        ("bad_key", {"more_targets": True}, Action.NEXT),
        ("bad_key", {}, Action.STOP),
        ("not_here", ALL, Action.NEXT),
        ("not_here", {"more_keys": True}, Action.STOP),
        ("later", ALL, Action.KEY),
        ("later", {"more_targets": True, "said_s": 1.0}, Action.NEXT),
        ("later", {"said_s": 1.0}, Action.WAIT),
        ("later", {"said_s": 5.0}, Action.WAIT),
        ("later", {"said_s": 5.1}, Action.STOP),
        ("later", {"said_s": 1.0, "tries": 2}, Action.STOP),
        ("later", {"said_s": 1.0, "again": False}, Action.STOP),
        ("later", {"said_s": 1.0, "max_wait_s": 0.0}, Action.STOP),
        ("later", {"said_s": 0.0, "max_wait_s": 0.0}, Action.WAIT),
        ("later", {}, Action.STOP),
        ("server", ALL, Action.NEXT),
        ("server", {}, Action.RETRY),
        ("server", {"said_s": 4.0}, Action.RETRY),
        ("server", {"said_s": 6.0}, Action.STOP),
        ("server", {"tries": 2}, Action.STOP),
        ("server", {"tries": 2, "attempts": 3}, Action.RETRY),
        ("server", {"attempts": 1}, Action.STOP),
        ("server", {"again": False}, Action.STOP),
        ("unsent", ALL, Action.RETRY),
        ("unsent", {"tries": 2, "more_targets": True}, Action.NEXT),
        ("unsent", {"again": False, "more_targets": True}, Action.NEXT),
        ("unsent", {"tries": 2}, Action.STOP),
        ("silent", ALL, Action.NEXT),
        ("silent", {}, Action.STOP),
        ("lost", {**ALL, "doubts": 1}, Action.RETRY),
        ("lost", {**ALL, "doubts": 2}, Action.STOP),
        ("lost", {"doubts": 1, "tries": 2, "more_targets": True}, Action.NEXT),
        ("silent", {**ALL, "doubts": 2}, Action.STOP),
        ("server", {**ALL, "doubts": 2}, Action.STOP),
    ],
)
def test_the_next_move(row: str, facts: dict[str, float], action: Action) -> None:
    assert after(row, Situation(**facts)) is action  # type: ignore[arg-type]


def test_every_row_ends_in_telling_the_client() -> None:
    assert all(actions[-1] is Action.STOP for actions in TABLE.values())


SITUATIONS = st.builds(
    Situation,
    tries=st.integers(1, 12),
    attempts=st.integers(1, 10),
    more_keys=st.booleans(),
    more_targets=st.booleans(),
    again=st.booleans(),
    doubts=st.integers(0, 3),
    said_s=st.none() | st.floats(0, 60),
    max_wait_s=st.floats(0, 60),
)


@given(st.sampled_from(sorted(TABLE)), SITUATIONS)
def test_no_action_is_taken_that_is_not_possible(row: str, now: Situation) -> None:
    action = after(row, now)
    assert action in TABLE[row]
    if now.doubts > MAX_DOUBTS:
        assert action is Action.STOP
    if action in {Action.RETRY, Action.WAIT}:
        assert now.again
        assert now.tries < now.attempts
        assert (now.said_s or 0) <= now.max_wait_s
    assert action is not Action.KEY or now.more_keys
    assert action is not Action.NEXT or now.more_targets
    assert action is not Action.WAIT or now.said_s is not None


@given(st.integers(1, 10_000), st.none() | st.floats(0, 60), st.floats(0, 60), st.floats(0, 1))
def test_a_wait_is_what_was_asked_for_and_jitter_below_its_ceiling(
    tries: int, said_s: float | None, max_wait_s: float, chance: float
) -> None:
    asked = said_s or 0.0
    assert asked <= wait_s(tries, said_s, max_wait_s, chance) <= asked + max_wait_s
    assert wait_s(tries, said_s, max_wait_s, 0) == asked


def test_the_ceiling_doubles() -> None:
    assert [wait_s(tries, None, 60, 1) for tries in (1, 2, 3)] == [FIRST_WAIT_S, 2 * FIRST_WAIT_S, 4 * FIRST_WAIT_S]
    assert wait_s(9, None, 5, 1) == 5


@pytest.mark.parametrize(
    ("waiting", "granted"), [(0, RETRY_FLOOR), (1, RETRY_FLOOR), (15, RETRY_FLOOR), (50, 10), (100, 20)]
)
def test_retries_are_a_share_of_what_waits_with_a_floor(waiting: int, granted: int) -> None:
    budget = Budget()
    budget.waiting = waiting
    assert sum(budget.take() for _ in range(waiting + 10)) == granted
    budget.give_back()
    assert [budget.take(), budget.take()] == [True, False]


@given(st.lists(st.sampled_from(["begin", "end", "take", "give"])))
def test_the_budget_never_grants_more_than_its_share(moves: list[str]) -> None:
    budget = Budget()
    for move in moves:
        if move == "begin":
            budget.waiting += 1
        elif move == "end" and budget.waiting:
            budget.waiting -= 1
        elif move == "take" and budget.take():
            assert budget.retries <= max(RETRY_FLOOR, RETRY_SHARE * budget.waiting + 1)
        elif move == "give" and budget.retries:
            budget.give_back()
