"""Staying with a warm prompt cache, or leaving it: pure, over snapshot, features and session."""

from typing import Any

import msgspec
import pytest
from facts import decided, features, run, settings, snapshot
from hypothesis import given
from hypothesis import strategies as st

from core.exchange import Decision, SessionState, TargetState, Warm
from core.messages import Usage
from core.routing.decide import decide
from core.routing.snapshot import Snapshot
from core.routing.sticky import MOST_REQUESTS, expected
from core.schema import Settings
from core.schema_state import SessionSettings

NOW = 1_763_800_000_000
HOME, CHEAP, DEAR = "anthropic,claude-sonnet-4-6", "deepseek,deepseek-chat", "anthropic,claude-opus-4-8"
NAMES = (HOME, CHEAP, DEAR, "openai,gpt-5", "gemini,gemini-2.5-flash")
CONCEPTS = {
    "a/frugal.md": "# Frugal\nroute:: deepseek, deepseek-chat\nroute:: openai, gpt-5\nsynonyms:: on the cheap\n",
    "a/strong.md": "# Strong\nroute:: anthropic, claude-opus-4-8\nsynonyms:: think very hard\n",
    "a/quick.md": "# Quick\nroute:: gemini, gemini-2.5-flash\nsynonyms:: be quick\n",
}


def configured(**sessions: Any) -> Settings:
    return settings().model_copy(update={"sessions": SessionSettings(**sessions)})


SHOT = snapshot(concepts=CONCEPTS)
OFF = snapshot(configured(sticky=False), CONCEPTS)


def session(target: str = HOME, cached: int = 50_000, **more: Any) -> SessionState:
    """A conversation that is at home at a target whose cache holds so much."""
    facts: dict[str, Any] = {
        "turns": 10, "last_target": target, "last_input_tokens": cached, "cached_prefix_tokens": cached,
        "home": target, "output_tokens": 500, "warm": (Warm(target, cached, NOW - 1000),),
    }  # fmt: skip
    return SessionState(**{**facts, **more})


def asked(
    text: str,
    state: SessionState | None = None,
    shot: Snapshot = SHOT,
    states: dict[str, TargetState] | None = None,
    **facts: Any,
) -> Decision:
    known = {"token_count": 52_000, "now_ms": NOW, "last_user": text, **facts}
    return run(decide(shot, features(**known), state or session(), states), [])[0]


def line(decision: Decision) -> dict[str, Any]:
    """The trace's line about staying."""
    [step] = [step for step in decision.trace if step.phase == "sticky"]
    return {"outcome": step.outcome, **step.detail}


def test_a_dearer_concept_does_not_take_a_session_away() -> None:
    decision = asked("think very hard")
    assert (str(decision.target), decision.phase, decision.reason) == (HOME, "pattern", "sticky:strong")
    assert str(decision.candidates[1].target) == DEAR
    found = line(decision)
    assert (found["outcome"], found["why"], found["target"], found["proposed"]) == (
        "stayed", "cheaper to stay", HOME, DEAR,
    )  # fmt: skip
    assert found["stay_micro_usd"] < found["leave_micro_usd"]
    assert (found["cached_tokens"], found["requests"]) == (50_000, 10)


def test_the_default_does_not_call_a_session_back_from_a_cheaper_concept() -> None:
    decision = asked("go on", session(CHEAP))
    assert (str(decision.target), decision.phase, decision.reason) == (CHEAP, "default", "sticky:default")
    assert str(decision.candidates[1].target) == HOME


def test_a_session_leaves_where_that_pays_and_stays_where_few_requests_are_left_to_pay_it() -> None:
    assert asked("on the cheap").reason == "concept:frugal"
    # One request: 50 000 tokens read for 0.30 $/M here, written for 0.30 $/M there, and an answer.
    decision = asked("be quick", session(turns=1, output_tokens=100, last_input_tokens=52_000), token_count=50_000)
    assert line(decision) == {
        "outcome": "left", "target": HOME, "proposed": "gemini,gemini-2.5-flash", "why": "cheaper to leave",
        "cached_tokens": 50_000, "requests": 1,
        "stay_micro_usd": 15_000 + 1500, "leave_micro_usd": 15_000 + 250,
    }  # fmt: skip
    decision = asked("be quick", session(turns=1, output_tokens=0, last_input_tokens=52_000), token_count=50_000)
    assert (decision.reason, line(decision)["why"]) == ("sticky:quick", "cheaper to stay")  # the same: nothing is won


def test_the_figures_by_hand() -> None:
    """Three requests: 10 000 tokens, 8000 of them cached, 1000 more each, answers of 200."""
    usage = expected(10_000, 8_000, 1_000, 200, 3)
    assert usage == Usage(cache_read=8_000 + 10_000 + 11_000, cache_write=2_000 + 1_000 + 1_000, output=600)
    figures = line(
        asked(
            "think very hard",
            session(turns=3, last_input_tokens=9_000, output_tokens=200, warm=(Warm(HOME, 8_000, NOW),)),
            token_count=10_000,
        )
    )
    assert figures["stay_micro_usd"] == 8_700 + 15_000 + 9_000  # 0.30, 3.75 and 15 US dollars a million
    assert figures["leave_micro_usd"] == 21_000 // 2 + 12_000 * 25 // 4 + 600 * 25  # 0.50, 6.25 and 25
    assert expected(10_000, 8_000, 1_000, 200, 1) == Usage(cache_read=8_000, cache_write=2_000, output=200)


def test_what_the_other_cache_still_holds_counts() -> None:
    both = (Warm(HOME, 50_000, NOW), Warm("openai,gpt-5", 50_000, NOW))
    shot = snapshot(concepts={"q.md": "# Q\nroute:: openai, gpt-5\nsynonyms:: be quick\n"})
    short: dict[str, Any] = {"turns": 1, "output_tokens": 10}
    assert asked("be quick", session(**short), shot).reason == "sticky:q"
    assert asked("be quick", session(**short, warm=both), shot).reason == "concept:q"


def test_a_session_is_expected_to_go_on_as_long_as_it_did_within_bounds() -> None:
    found = [line(asked("think very hard", session(turns=turns)))["requests"] for turns in (0, 1, 7, 500)]
    assert found == [1, 1, 7, MOST_REQUESTS]


@pytest.mark.parametrize(
    ("state", "why"),
    [
        (session(warm=()), "nothing cached"),
        (session(warm=(Warm(HOME, 50_000, NOW - 300_001),)), "nothing cached"),
        (session(warm=(Warm(HOME, 50_000, NOW + 86_400_000),)), "nothing cached"),  # the clock went back a day
        (session(warm=(Warm(CHEAP, 50_000, NOW),)), "nothing cached"),
        (session("anthropic,gone"), "not configured"),
        (session("nonsense"), "not configured"),
    ],
)
def test_what_is_not_there_holds_nobody(state: SessionState, why: str) -> None:
    decision = asked("think very hard", state)
    assert (str(decision.target), decision.reason) == (DEAR, "concept:strong")
    assert (line(decision)["outcome"], line(decision)["why"]) == ("left", why)


def test_a_cache_counts_as_long_as_it_is_said_to_be_kept() -> None:
    old = session(warm=(Warm(HOME, 50_000, NOW - 300_000),))
    assert asked("think very hard", old).reason == "sticky:strong"
    longer = snapshot(configured(prompt_cache_s=3600), CONCEPTS)
    older = session(warm=(Warm(HOME, 50_000, NOW - 3_600_000),))
    assert asked("think very hard", older, longer).reason == "sticky:strong"


def test_a_target_that_is_not_well_holds_nobody_not_even_in_a_tool_loop() -> None:
    for loop in (False, True):
        decision = asked("think very hard", states={HOME: TargetState(healthy=False)}, tool_loop=loop)
        assert (decision.reason, line(decision)["why"]) == ("concept:strong", "not well")
    assert asked("think very hard", states={HOME: TargetState(p50_ms=9)}).reason == "sticky:strong"


def test_a_target_that_cannot_serve_holds_nobody_not_even_in_a_tool_loop() -> None:
    for loop in (False, True):
        decision = asked("think very hard", session(CHEAP), images=1, tool_loop=loop)
        assert (decision.reason, line(decision)["why"]) == ("concept:strong", "cannot serve")
        assert "gate" in [step.phase for step in decision.trace]


def test_unknown_prices_are_no_reason_to_stay_outside_a_tool_loop() -> None:
    local = "ollama,qwen3:8b"
    assert local in SHOT.target_names
    decision = asked("think very hard", session(local))
    assert (decision.reason, line(decision)["why"], line(decision)["stay_micro_usd"]) == (
        "concept:strong", "price unknown", None,
    )  # fmt: skip
    assert asked("think very hard", session(local), tool_loop=True, token_count=900).reason == "sticky:strong"


def test_in_a_tool_loop_whoever_called_the_tools_gets_their_results() -> None:
    """Even if it was asked for one image only, nothing is cached, and it is dear."""
    eyes = session(last_target=DEAR, warm=())
    decision = asked("go on", eyes, tool_loop=True)
    assert (str(decision.target), decision.reason, line(decision)["why"]) == (DEAR, "sticky:default", "tool loop")
    assert str(asked("go on", eyes).target) == HOME


ORDER = {"a/strong.md": "# Strong\npriority:: 80\nroute:: anthropic, claude-opus-4-8\nsynonyms:: think very hard\n"}


def test_a_concept_of_high_priority_is_an_order_that_only_a_tool_loop_delays() -> None:
    shot = snapshot(concepts=ORDER)
    decision = asked("think very hard", shot=shot)
    assert (decision.reason, line(decision)["why"]) == ("concept:strong", "an order")
    assert asked("think very hard", shot=shot, tool_loop=True).reason == "sticky:strong"
    assert asked("think very hard", shot=snapshot(configured(follow_priority=81), ORDER)).reason == "sticky:strong"
    assert asked("think very hard", shot=snapshot(configured(follow_priority=50), CONCEPTS)).reason == "concept:strong"
    # The default is nobody's order.
    assert asked("go on", session(CHEAP), snapshot(configured(follow_priority=0))).reason == "sticky:default"


@pytest.mark.parametrize(
    ("facts", "phase"),
    [
        ({"model": DEAR}, "explicit"),
        ({"subagent_target": DEAR}, "explicit"),
        ({"background": True}, "runtime"),
        ({"effort": "high"}, "runtime"),
        ({"image_in_last_turn": True, "images": 1}, "runtime"),
        ({"token_count": 70_000}, "runtime"),
    ],
)
def test_what_somebody_said_of_this_request_is_not_weighed(facts: dict[str, Any], phase: str) -> None:
    for loop in (False, True):
        decision = asked("hello", tool_loop=loop, **facts)
        assert decision.phase == phase
        assert not any(step.phase == "sticky" for step in decision.trace)
        plain = asked("hello", shot=OFF, tool_loop=loop, **facts)
        assert decision == msgspec.structs.replace(plain, snapshot=SHOT.id)


def test_the_setting_is_part_of_the_snapshot() -> None:
    assert OFF.id != SHOT.id
    assert snapshot(configured(ttl_s=5, max=7)).digest == snapshot().digest


def test_at_home_nothing_is_weighed() -> None:
    decision = asked("hello")
    assert (str(decision.target), decision.reason) == (HOME, "default")
    assert not any(step.phase == "sticky" for step in decision.trace)


SESSIONS = st.builds(
    SessionState,
    turns=st.integers(0, 2**53 - 1),
    last_target=st.sampled_from(("", "x", "no,body", *NAMES)),
    last_input_tokens=st.integers(0, 60_000),
    home=st.sampled_from(("", "x", "no,body", *NAMES)),
    output_tokens=st.integers(0, 100_000),
    warm=st.lists(
        st.builds(Warm, st.sampled_from(NAMES), st.integers(0, 200_000), st.integers(NOW - 600_000, NOW + 600_000)),
        max_size=4,
    ).map(tuple),
)
FACTS = st.fixed_dictionaries(
    {
        "last_user": st.sampled_from(["hello", "on the cheap", "think very hard", "be quick"]),
        "token_count": st.integers(0, 60_000),
        "images": st.integers(0, 1),
        "tools": st.sampled_from([(), ("Bash",)]),
        "tool_loop": st.booleans(),
    }
)
UNWELL = st.dictionaries(st.sampled_from(NAMES), st.builds(TargetState, healthy=st.booleans()), max_size=3)


@given(SESSIONS, FACTS, UNWELL)
def test_whatever_was_remembered_the_decision_is_sound(
    state: SessionState, facts: dict[str, Any], states: dict[str, TargetState]
) -> None:
    text, more = facts["last_user"], {name: fact for name, fact in facts.items() if name != "last_user"}
    decision, plain = asked(text, state, SHOT, states, **more), asked(text, state, OFF, states, **more)
    assert plain.reason == decided(OFF, **{**facts, "now_ms": NOW}).reason  # off: as if nothing were remembered
    assert msgspec.json.encode(decision) == msgspec.json.encode(asked(text, state, SHOT, states, **more))
    proposed = plain.target
    anchor = state.last_target if facts["tool_loop"] else state.home
    stayed = decision.reason.startswith("sticky:")
    serves = anchor in SHOT.target_names and decided(SHOT, model=anchor, **facts).refusal is None
    well = states.get(anchor, TargetState()).healthy
    if stayed:
        assert str(decision.target) == anchor != str(proposed)
        assert well
        assert serves  # hard needs win
        assert {candidate.target for candidate in plain.candidates} <= {c.target for c in decision.candidates}
    else:
        assert (decision.target, decision.reason) == (proposed, plain.reason)
        if facts["tool_loop"] and serves and well:
            assert anchor == str(proposed)  # never a switch within a tool loop
