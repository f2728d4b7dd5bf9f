"""What is said of each phase: what it looked at, found and said, or why it was not reached."""

from typing import Any

import msgspec
import pytest
from facts import decided, features, settings, snapshot

from core.exchange import Decision, Inputs, SessionState, Warm
from core.explain import phases
from core.routing.snapshot import Snapshot

CONCEPTS = {
    "a/frugal.md": "# Frugal\nroute:: deepseek, deepseek-chat\nsynonyms:: on the cheap\n",
    "a/fine.md": "# Fine\nroute:: groq, llama-3.3-70b-versatile\nsynonyms:: with great care\npriority:: 60\n",
}
HOME = SessionState(
    turns=3, last_target="anthropic,claude-opus-4-5", home="anthropic,claude-opus-4-5", output_tokens=200,
    warm=(Warm("anthropic,claude-opus-4-5", 50_000, 1_000),),
)  # fmt: skip


def shown(shot: Snapshot | None = None, session: SessionState | None = None, **facts: Any) -> dict[str, dict[str, Any]]:
    shot, session = shot or snapshot(concepts=CONCEPTS), session or SessionState()
    decision = decided(shot, session=session, **facts)
    return by_name(phases.of_decision(decision, Inputs(features(**facts), session), shot))


def by_name(entries: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {entry["phase"]: entry for entry in entries}


def outcomes(entries: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {name: entry["outcome"] for name, entry in entries.items()}


def test_phases_stand_in_their_order_and_those_behind_are_said_not_to_be_reached() -> None:
    found = shown(last_user="do it on the cheap")
    assert list(found) == ["explicit", "runtime", "custom", "pattern", "default", "sticky", "fallback"]
    assert outcomes(found) == {
        "explicit": "passed", "runtime": "passed", "custom": "passed", "pattern": "decided", "default": "not reached",
        "sticky": "not weighed", "fallback": found["fallback"]["outcome"],
    }  # fmt: skip
    assert found["default"]["why"] == "the pattern phase decided"
    turned = snapshot(settings(order=["default", "pattern", "custom", "runtime"]), CONCEPTS)
    assert list(shown(turned))[1:5] == ["default", "pattern", "custom", "runtime"]
    assert shown(turned)["pattern"]["outcome"] == "not reached"
    assert shown(turned)["pattern"]["matches"] is None


def test_matches_have_their_spans_and_words_in_order_of_rank() -> None:
    text = "do it on the cheap, but with great care"
    first, second = shown(last_user=text)["pattern"]["matches"]
    assert (first["concept"], first["priority"], second["concept"]) == ("fine", 60, "frugal")
    assert second["spans"] == [{"start": 6, "end": 18, "pattern": "on the cheap", "words": "on the cheap"}]
    assert text[first["spans"][0]["start"] : first["spans"][0]["end"]] == "with great care"


def test_a_record_without_words_has_positions_only() -> None:
    shot = snapshot(concepts=CONCEPTS)
    decision = decided(shot, last_user="on the cheap")
    bare = tuple(msgspec.structs.replace(each, spans=((0, 12, ""),)) for each in decision.matches or ())
    decision = msgspec.structs.replace(decision, matches=bare)
    entries = by_name(phases.of_decision(decision, Inputs(features(last_user="")), shot))
    assert entries["pattern"]["matches"][0]["spans"] == [{"start": 0, "end": 12}]


def test_the_gates_lines_stand_with_the_phase_that_asked_it() -> None:
    shot = snapshot(
        settings(
            runtime={"image": "groq,llama-3.3-70b-versatile"}, default="groq,llama-3.3-70b-versatile",
            fallback=["anthropic,claude-opus-4-5", "deepseek,deepseek-chat"],
        )
    )  # fmt: skip
    found = shown(shot, images=1, image_in_last_turn=True)
    removed = {
        name: [step["detail"]["target"] for step in entry["steps"] if step["outcome"] == "removed"]
        for name, entry in found.items()
    }
    assert removed == {
        "explicit": [], "runtime": ["groq,llama-3.3-70b-versatile"], "custom": [], "pattern": [],
        "default": ["groq,llama-3.3-70b-versatile"], "sticky": [], "fallback": ["deepseek,deepseek-chat"],
    }  # fmt: skip


def test_runtime_says_which_scenarios_hold_and_who_has_their_routes() -> None:
    shot = snapshot(settings(runtime={"long_context": "gemini,gemini-2.5-flash"}))
    looked = shown(shot, token_count=70_000, background=True)["runtime"]["looked_at"]
    assert (looked["token_count"], looked["long_context_threshold"]) == (70_000, 60_000)
    held = {each["scenario"]: each["holds"] for each in looked["scenarios"]}
    assert held == {
        "image": False, "web_search": False, "long_context": True, "thinking": False, "background": True,
    }  # fmt: skip
    routes = {each["scenario"]: each["route"] for each in looked["scenarios"]}
    assert routes == shot.settings.routing.runtime.model_dump() | {"long_context": "gemini,gemini-2.5-flash"}


@pytest.mark.parametrize(
    ("changes", "facts", "session", "why"),
    [
        ({}, {}, SessionState(), "the session is at home nowhere yet"),
        ({}, {"background": True}, HOME, "what the runtime phase decides is not weighed"),
        ({"default": "anthropic,claude-opus-4-5"}, {}, HOME, "the session is there already"),
        ({}, {"model": "nobody,model"}, HOME, "nobody is asked"),
    ],
)
def test_why_staying_was_not_weighed(
    changes: dict[str, Any], facts: dict[str, Any], session: SessionState, why: str
) -> None:
    shot = snapshot(settings(runtime={"background": "ollama,qwen3:8b"}, **changes))
    found = shown(shot, session, **facts)["sticky"]
    assert (found["outcome"], found["why"]) == ("not weighed", why)


def test_staying_has_its_figures() -> None:
    found = shown(None, HOME, token_count=52_000, now_ms=31_000, last_user="do it on the cheap")["sticky"]
    assert found["outcome"] in {"stayed", "left"}
    assert found["steps"][-1]["detail"]["cached_tokens"] == 50_000
    assert found["looked_at"]["caches"] == [{"target": "anthropic,claude-opus-4-5", "tokens": 50_000, "age_s": 30}]


def test_a_refusal_ends_it() -> None:
    found = shown(model="nobody,model")
    assert found["explicit"]["outcome"] == "refused"
    assert {name for name, entry in found.items() if entry["outcome"] == "not reached"} == {
        "runtime", "custom", "pattern", "default", "fallback",
    }  # fmt: skip
    assert found["runtime"]["why"] == "the explicit phase refused"


def test_without_a_snapshot_only_what_the_trace_names() -> None:
    decision: Decision = decided(snapshot(concepts=CONCEPTS), last_user="do it on the cheap")
    entries = by_name(phases.of_decision(decision, Inputs(features()), None))
    assert list(entries)[:4] == ["explicit", "runtime", "custom", "pattern"]
    assert "scenarios" not in entries["runtime"]["looked_at"]
    assert entries["pattern"]["outcome"] == "decided"
