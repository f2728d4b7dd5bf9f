"""What an answer says of its conversation."""

from typing import Any

import msgspec
import pytest
from facts import features

from core import identity
from core.exchange import Candidate, Decision, SessionState, Target, Warm
from core.messages import Usage
from core.schema import Price
from core.session import CACHES, after, key_of, mark_of

MAIN, EYES = Target("one", "main"), Target("one", "eyes")
TOLD = Price(input=3, output=15, cache_read=0.3, cache_write=3.75)
ALWAYS = Price(input=1.25, output=10, cache_read=0.125)
NEVER = Price(input=1, output=1)
USAGE = Usage(input=100, output=40, cache_read=6000, cache_write=2000)


def decision(phase: str = "default", reason: str = "", target: Target = MAIN) -> Decision:
    return Decision(phase, reason or phase, (Candidate(target),), "s")


def state_after(
    state: SessionState | None = None,
    decided: Decision | None = None,
    answered_by: Target = MAIN,
    usage: Usage = USAGE,
    price: Price | None = TOLD,
    **facts: Any,
) -> SessionState:
    found = after(
        state or SessionState(), features(**{"now_ms": 5, **facts}), decided or decision(), answered_by, usage, price
    )
    assert found is not None
    return found


def test_a_mark_tells_sessions_apart_and_survives_that_it_stands_for_one() -> None:
    one = features(session_id="s-1", client_key="laptop")
    marks = {
        mark_of(facts)
        for facts in (one, features(session_id="s-2", client_key="laptop"), features(session_id="s-1", client_key="ci"))
    }
    assert len(marks) == 3
    assert all(len(mark) == 17 and not identity._PLAIN_ID.fullmatch(mark) for mark in marks)
    assert mark_of(msgspec.structs.replace(one, thread="agent:7")) == mark_of(one)
    assert mark_of(msgspec.structs.replace(one, session_id=mark_of(one), client_key="")) == mark_of(one)


def test_without_a_session_each_request_stands_for_itself() -> None:
    nameless = [features(session_id="", seed=seed) for seed in (1, 2, 1)]
    assert len({mark_of(facts) for facts in nameless}) == 2


def test_the_facts_of_the_contract() -> None:
    found = state_after(SessionState(turns=4))
    assert (found.turns, found.last_target) == (5, "one,main")
    assert (found.last_input_tokens, found.cached_prefix_tokens) == (8100, 8000)


def test_without_a_report_the_input_is_what_we_counted_and_the_caches_stay_as_they_were() -> None:
    before = SessionState(warm=(Warm("one,main", 5000, 1),))
    found = state_after(before, usage=Usage(), token_count=777)
    assert (found.last_input_tokens, found.cached_prefix_tokens, found.warm) == (777, 0, before.warm)


@pytest.mark.parametrize("phase", ["pattern", "default"])
def test_pattern_and_default_decisions_settle(phase: str) -> None:
    assert state_after(decided=decision(phase)).home == "one,main"


@pytest.mark.parametrize(
    ("decided", "answered_by", "facts"),
    [
        (decision("runtime", "image", EYES), EYES, {}),
        (decision("custom", "rule:r", EYES), EYES, {}),
        (decision("explicit", "explicit", EYES), EYES, {}),
        (decision("default", "default"), EYES, {}),  # it stood in
        (decision("default", "sticky:default", EYES), EYES, {}),  # it stayed for the rest of a tool loop
        (decision("default", "default", EYES), EYES, {"thread": "side"}),
    ],
)
def test_what_is_for_one_request_does_not_settle(decided: Decision, answered_by: Target, facts: dict[str, Any]) -> None:
    found = state_after(SessionState(home="one,main"), decided, answered_by, **facts)
    assert (found.home, found.last_target) == ("one,main", "one,eyes")
    assert [warm.target for warm in found.warm] == ["one,eyes"]


@pytest.mark.parametrize(
    ("price", "tokens"),
    [
        (TOLD, 8000),  # what it was told to cache
        (ALWAYS, 6100),  # all that it was sent
        (NEVER, 8000),  # nobody says that it does, and it does
    ],
)
def test_what_the_cache_holds(price: Price, tokens: int) -> None:
    assert state_after(price=price).warm == (Warm("one,main", tokens, 5),)


def test_a_short_prompt_is_not_cached_and_a_cache_that_held_more_is_gone() -> None:
    before = SessionState(warm=(Warm("one,main", 5000, 1), Warm("one,eyes", 5000, 1)))
    found = state_after(before, usage=Usage(input=1023), price=ALWAYS)
    assert [warm.target for warm in found.warm] == ["one,eyes"]
    assert state_after(before, usage=Usage(input=1024), price=ALWAYS).warm[-1] == Warm("one,main", 1024, 5)


def test_a_played_answer_fills_no_cache() -> None:
    assert state_after(price=None).warm == ()


def test_the_caches_of_some_targets_are_remembered_the_latest_last() -> None:
    state = SessionState()
    for number in range(CACHES + 2):
        state = state_after(state, answered_by=Target("p", str(number)), now_ms=number)
    assert [warm.target for warm in state.warm] == [f"p,{number}" for number in range(2, CACHES + 2)]
    state = state_after(state, answered_by=Target("p", "3"))
    assert [warm.target for warm in state.warm] == ["p,2", "p,4", "p,5", "p,3"]


def test_the_length_of_answers_is_a_running_mean() -> None:
    state = SessionState()
    found = []
    for output in (400, 0, 400):
        state = state_after(state, usage=Usage(input=9, output=output))
        found.append(state.output_tokens)
    assert found == [400, 300, 325]


def test_a_compaction_is_no_turn() -> None:
    compaction = features(request_class="compaction", background=True)
    assert after(SessionState(turns=9), compaction, decision(), MAIN, USAGE, TOLD) is None


def test_each_conversation_of_a_session_has_a_place_of_its_own() -> None:
    assert key_of(features(session_id="s")) == "s"
    assert key_of(features(session_id="s", thread="agent:a1")) == "s/agent:a1"
    assert key_of(features(session_id="s", thread="side")) == "s/side"
