from typing import Any

import pytest
from facts import decided, features, run, settings, snapshot

from core.exchange import SessionState
from core.routing.decide import LOOKED_AT, decide

DEFAULT = "anthropic,claude-sonnet-4-6"
GEMINI = "openrouter,google/gemini-2.5-flash"


def test_nothing_special_goes_to_the_default() -> None:
    decision = decided()
    assert (str(decision.target), decision.phase, decision.reason) == (DEFAULT, "default", "default")


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"image_in_last_turn": True, "images": 1}, "image"),
        ({"web_search": True}, "web_search"),
        ({"token_count": 60_001}, "long_context"),
        ({"effort": "high"}, "thinking"),
        ({"background": True}, "background"),
    ],
)
def test_each_scenario_has_its_route(facts: dict[str, Any], reason: str) -> None:
    shot = snapshot()
    decision = decided(shot, **facts)
    assert (decision.phase, decision.reason) == ("runtime", reason)
    assert decision.target == shot.runtime_routes[reason]


def test_scenarios_are_asked_in_order() -> None:
    everything: dict[str, Any] = {
        "image_in_last_turn": True,
        "images": 1,
        "web_search": True,
        "token_count": 61_000,
        "effort": "max",
    }
    assert decided(**everything).reason == "image"
    assert decided(**{**everything, "image_in_last_turn": False}).reason == "web_search"


def test_a_scenario_without_a_route_passes_and_says_so() -> None:
    shot = snapshot(settings(runtime={"thinking": None}))
    decision = decided(shot, effort="high")
    assert decision.reason == "default"
    assert any(s.phase == "runtime" and s.detail.get("why") == "no route" for s in decision.trace)


def test_a_long_session_stays_long() -> None:
    was_long = SessionState(last_input_tokens=61_000)
    assert decided(session=was_long, token_count=21_000).reason == "long_context"
    assert decided(session=was_long, token_count=19_000).reason == "default"


def test_an_explicit_target_wins_over_every_phase() -> None:
    decision = decided(model=GEMINI.upper(), effort="max", images=1, image_in_last_turn=True)
    assert (str(decision.target), decision.phase, decision.reason) == (GEMINI, "explicit", "explicit")


def test_a_subagent_tag_names_the_target() -> None:
    decision = decided(subagent_target="deepseek,deepseek-chat")
    assert (str(decision.target), decision.reason) == ("deepseek,deepseek-chat", "subagent")


def test_an_explicit_target_that_cannot_serve_is_named() -> None:
    refusal = decided(model="deepseek,deepseek-chat", images=1).refusal
    assert refusal is not None
    assert refusal.status == 400
    assert refusal.message == "deepseek,deepseek-chat was asked for, but cannot do images."


@pytest.mark.parametrize(
    ("model", "hint"),
    [("antropic,claude-sonnet-4-5", DEFAULT), ("openai,gpt-55", "openai,gpt-5"), ("openai:gpt-55", "openai,gpt-5")],
)
def test_an_unknown_explicit_target_is_a_404_with_the_closest_names(model: str, hint: str) -> None:
    refusal = decided(model=model).refusal
    assert refusal is not None
    assert refusal.status == 404
    assert hint in refusal.message


def test_any_model_of_an_open_provider_may_be_named() -> None:
    assert str(decided(model="openrouter,some/new-model").target) == "openrouter,some/new-model"


@pytest.mark.parametrize("model", ["claude-sonnet-4-5", "gpt-5", "qwen3:8b", "whatever"])
def test_a_plain_name_is_left_to_the_phases(model: str) -> None:
    assert decided(model=model).phase == "default"


CONCEPTS = {
    "a/frugal.md": "# Frugal\nroute:: deepseek, deepseek-chat\nroute:: openai, gpt-5\nsynonyms:: on the cheap\n",
    "b/gone.md": "# Gone\nroute:: nobody, at-home\nsynonyms:: gone fishing\n",
}


def test_a_concept_routes_with_its_other_routes_behind_it() -> None:
    decision = decided(snapshot(concepts=CONCEPTS), last_user="do it on the cheap please")
    assert (decision.phase, decision.reason) == ("pattern", "concept:frugal")
    names = [str(candidate.target) for candidate in decision.candidates]
    assert names[:2] == ["deepseek,deepseek-chat", "openai,gpt-5"]
    assert "openrouter,anthropic/claude-sonnet-4.5" in names[2:]
    assert decision.score is not None


def test_a_concepts_second_route_serves_where_the_first_cannot() -> None:
    decision = decided(snapshot(concepts=CONCEPTS), last_user="on the cheap", images=1)
    assert str(decision.target) == "openai,gpt-5"


def test_a_route_to_an_unconfigured_provider_is_skipped_and_named() -> None:
    decision = decided(snapshot(concepts=CONCEPTS), last_user="we are gone fishing")
    assert decision.reason == "default"
    assert any(s.detail.get("target") == "nobody,at-home" and s.outcome == "skipped" for s in decision.trace)


def test_fallbacks_follow_without_repeats_and_gated() -> None:
    shot = snapshot(settings(fallback=[DEFAULT, "deepseek,deepseek-chat", GEMINI, GEMINI]))
    names = [str(candidate.target) for candidate in decided(shot, images=1).candidates]
    assert names == [DEFAULT, GEMINI]


CHAINS = {
    "openai,gpt-5": ["openai,gpt-5-mini", "deepseek,deepseek-chat"],
    "thinking": ["groq,llama-3.3-70b-versatile", "openai,gpt-5-mini"],
    "background": ["deepseek,deepseek-chat"],
}


@pytest.mark.parametrize(
    ("facts", "names"),
    [
        ({}, [DEFAULT, GEMINI]),
        ({"model": "openai,gpt-5"}, ["openai,gpt-5", "openai,gpt-5-mini", "deepseek,deepseek-chat", GEMINI]),
        (
            {"model": "openai,gpt-5", "effort": "high", "background": True},
            [
                "openai,gpt-5", "openai,gpt-5-mini", "deepseek,deepseek-chat", "groq,llama-3.3-70b-versatile", GEMINI,
            ],
        ),
        ({"effort": "high"}, [DEFAULT, "groq,llama-3.3-70b-versatile", "openai,gpt-5-mini", GEMINI]),
        ({"effort": "high", "images": 1}, [DEFAULT, "openai,gpt-5-mini", GEMINI]),
    ],
)  # fmt: skip
def test_chains_of_the_target_and_of_the_scenarios_come_before_the_last_resort(
    facts: dict[str, Any], names: list[str]
) -> None:
    shot = snapshot(settings(runtime={"thinking": DEFAULT, "background": None}, fallback=[GEMINI], fallbacks=CHAINS))
    decision = decided(shot, **facts)
    assert [str(candidate.target) for candidate in decision.candidates] == names
    chains = [step.detail["of"] for step in decision.trace if (step.phase, step.outcome) == ("fallback", "chain")]
    expected = [
        facts.get("model"),
        "thinking" if "effort" in facts else None,
        "background" if len(facts) == 3 else None,
    ]
    assert chains == [name for name in expected if name]


def test_the_chain_of_the_default_serves_where_the_default_cannot() -> None:
    chain = {"groq,llama-3.3-70b-versatile": ["openai,gpt-5-mini"]}
    shot = snapshot(settings(default="groq,llama-3.3-70b-versatile", fallbacks=chain, runtime={}))
    assert str(decided(shot, images=1).target) == "openai,gpt-5-mini"


def test_chains_are_part_of_the_snapshot_and_name_targets() -> None:
    plain, chained = snapshot(settings()), snapshot(settings(fallbacks={"groq,new": ["openai,newer"]}))
    assert plain.id != chained.id
    assert {"groq,new", "openai,newer"} <= chained.target_names - plain.target_names


def test_no_target_left_is_a_refusal_that_lists_each() -> None:
    shot = snapshot(settings(default="groq,llama-3.3-70b-versatile", fallback=["deepseek,deepseek-chat"], runtime={}))
    refusal = decided(shot, images=1).refusal
    assert refusal is not None
    assert "groq,llama-3.3-70b-versatile: cannot do images" in refusal.message
    assert "deepseek,deepseek-chat: cannot do images" in refusal.message


def test_the_order_is_a_setting() -> None:
    shot = snapshot(settings(order=["pattern", "runtime", "default"]), CONCEPTS)
    assert decided(shot, last_user="on the cheap", effort="max").reason == "concept:frugal"
    assert decided(snapshot(concepts=CONCEPTS), last_user="on the cheap", effort="max").reason == "thinking"


def test_the_same_inputs_give_the_same_bytes() -> None:
    shot = snapshot(concepts=CONCEPTS)
    first, second = (decided(shot, last_user="on the cheap", images=2) for _ in range(2))
    assert first == second


def test_without_rules_nobody_is_asked() -> None:
    _, asked = run(decide(snapshot(), features(), SessionState()), [])
    assert asked == []


@pytest.mark.parametrize(
    "model", ["openrouter," + "x" * 300, "openrouter,a\nb", "nope," + "y" * 1_000_000, "ollama:\0"]
)
def test_an_explicit_name_that_is_no_name_is_refused_before_it_travels(model: str) -> None:
    decision = decided(model=model)
    assert decision.refusal is not None
    assert decision.refusal.status == 404
    assert len(decision.refusal.message) < 200
    assert decision.refusal.message.isprintable()


@pytest.mark.parametrize("where", [0, 100, -100, -30])
def test_of_a_very_long_text_the_ends_are_looked_at(where: int) -> None:
    shot = snapshot(concepts={"frugal.md": "# Frugal\nsynonyms:: use the small one\nroute:: openai, gpt-5-mini\n"})
    filler = "\U0001f600 b" * LOOKED_AT
    at = where % len(filler)
    text = f"{filler[:at]} use the small one {filler[at:]}"
    found = decided(shot, last_user=text)
    assert found.reason == "concept:frugal"
    [[start, end, _]] = next(step.detail["spans"] for step in found.trace if step.phase == "pattern")
    assert text[start:end] == "use the small one"


def test_no_phrase_goes_across_what_is_left_out() -> None:
    shot = snapshot(concepts={"frugal.md": "# Frugal\nsynonyms:: use the small one\nroute:: openai, gpt-5-mini\n"})
    half = LOOKED_AT // 2
    text = "x" * (half - 7) + "use the" + "y" * 10 + "small one" + "z" * (half - 9)
    assert decided(shot, last_user=text).reason == "default"
    assert decided(shot, last_user="x " * LOOKED_AT + "use the small one" + "x " * LOOKED_AT).reason == "default"


# What a client's key may ask

ONLY_GEMINI: dict[str, Any] = {"client_key": "ci", "allowed": ("openrouter,google/*",)}


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"model": DEFAULT}, "explicit"),
        ({"model": "anthropic:claude-sonnet-4-6"}, "explicit"),
        ({"subagent_target": DEFAULT}, "subagent"),
    ],
)
def test_a_named_target_that_the_key_may_not_ask_is_forbidden(facts: dict[str, Any], reason: str) -> None:
    decision = decided(**ONLY_GEMINI, **facts)
    assert decision.refusal is not None
    assert (decision.refusal.status, decision.reason, decision.candidates) == (403, reason, ())
    assert f"key 'ci' may not ask {DEFAULT}" in decision.refusal.message
    assert "openrouter,google/*" in decision.refusal.message


def test_a_named_target_that_the_key_may_ask_is_asked_alone() -> None:
    decision = decided(**ONLY_GEMINI, model=GEMINI)
    assert [str(candidate.target) for candidate in decision.candidates] == [GEMINI]


def test_phases_pass_over_what_the_key_may_not_ask_and_the_trace_says_so() -> None:
    shot = snapshot(settings(fallback=[GEMINI], runtime={"thinking": DEFAULT}))
    decision = decided(shot, **ONLY_GEMINI, effort="high")
    assert (str(decision.target), decision.phase) == (GEMINI, "default")
    removed = [step.detail["target"] for step in decision.trace if step.outcome == "removed"]
    assert removed == [DEFAULT, DEFAULT]
    assert next(step.detail["why"] for step in decision.trace if step.outcome == "removed") == [
        "the client's key may not ask it"
    ]


def test_fallbacks_obey_the_key() -> None:
    shot = snapshot(settings(fallback=[GEMINI, "openai,gpt-5"]))
    decision = decided(shot, client_key="ci", allowed=("anthropic,*", "openai,*"))
    assert [str(candidate.target) for candidate in decision.candidates] == [DEFAULT, "openai,gpt-5"]


def test_with_nothing_left_the_client_is_told_of_its_key_and_else_of_the_need() -> None:
    nothing = decided(snapshot(settings(fallback=[])), client_key="ci", allowed=("openai,*",)).refusal
    assert nothing is not None
    assert (nothing.status, "no target of this request is open to key 'ci'" in nothing.message) == (403, True)
    shot = snapshot(settings(fallback=[GEMINI], runtime={"long_context": None}))
    unable = decided(shot, **ONLY_GEMINI, token_count=100_000_000).refusal
    assert unable is not None
    assert (unable.status, "context window" in unable.message) == (400, True)


def test_the_closest_names_are_those_that_the_key_may_ask() -> None:
    refusal = decided(**ONLY_GEMINI, model="anthropic,claude-sonnet-4").refusal
    assert refusal is not None
    assert (refusal.status, "anthropic,claude" in refusal.message.partition("closest")[2]) == (404, False)


def test_without_globs_nothing_changes() -> None:
    assert decided(client_key="ci") == decided()
