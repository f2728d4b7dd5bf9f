"""The shipped taxonomy: large enough, without a mistake, true to its own sentences, silent on ordinary prompts."""

from collections import Counter
from pathlib import Path

import pytest

from core import presets
from core.exchange import Target
from core.rolegraph import Matcher, build_taxonomy, examples, lint_report, load_taxonomy
from core.rolegraph.load import read_files
from core.routing.snapshot import build
from wasm_host.rule import RuleSet

ROOT = Path(__file__).parent.parent
TAXONOMY = load_taxonomy(ROOT / "taxonomy")
FOLDERS = {"routing_scenarios", "providers", "transformers", "configuration", "operations", "technical"}
PROMPTS = (ROOT / "tests" / "data" / "ordinary_prompts.txt").read_text(encoding="utf-8").strip().split("\n----\n")


def test_size() -> None:
    assert {concept.path.split("/")[0] for concept in TAXONOMY.concepts} == FOLDERS
    assert len(TAXONOMY.concepts) >= 52
    assert len({pattern.text for concept in TAXONOMY.concepts for pattern in concept.patterns}) >= 333


def test_no_problems_and_no_findings_against_the_embedded_default() -> None:
    settings = presets.embedded(set(), {})
    named = {str(Target(name, model)) for name, provider in settings.providers.items() for model in provider.models}
    assert TAXONOMY.problems == ()
    assert lint_report(TAXONOMY, named) == []


def test_every_sentence_holds() -> None:
    report = examples.test_report(TAXONOMY)
    assert report.failures == ()
    assert report.checked >= 100


def test_routing_files_have_several_sentences_of_both_kinds() -> None:
    routing = [concept for concept in TAXONOMY.concepts if concept.routes]
    assert routing
    assert [c.path for c in routing if min(len(c.examples), len(c.counter_examples)) < 2] == []
    assert {concept.path.split("/")[0] for concept in routing} == {"routing_scenarios"}


@pytest.mark.parametrize(
    ("query", "target", "score"),
    [
        ("I want to go to plan mode", "deepseek,deepseek-reasoner", 0.337),
        ("extended context window", "openrouter,google/gemini-2.5-flash", 0.696),
        ("visual analysis", "openrouter,anthropic/claude-sonnet-4.5", 1.0),
    ],
)
def test_golden_routes_with_legacy_scores(query: str, target: str, score: float) -> None:
    match = Matcher(TAXONOMY, scoring="legacy").routing(query)[0]
    assert match.routes[0].target == target
    assert round(match.score, 3) == score
    assert Matcher(TAXONOMY).routing(query)[0].routes == match.routes


@pytest.mark.parametrize(
    ("wish", "target"),
    [
        ("Use gemini to compare these two files.", "gemini,gemini-2.5-pro"),
        ("could you\n  ASK   DeepSeek about it", "deepseek,deepseek-chat"),
        ("switch to opus", "anthropic,claude-opus-4-5"),
        ("Once more with GPT-5 please", "openai,gpt-5"),
        ("use gpt-5-mini for this", "openai,gpt-5-mini"),
        ("Ask claude-opus-4-5, not the small one", "anthropic,claude-opus-4-5"),
        ("I want you to think step by step", "deepseek,deepseek-reasoner"),
        ("请一步一步思考这个问题", "deepseek,deepseek-reasoner"),
        ("search the web for the release date", "anthropic,claude-sonnet-4-6"),
        ("use a local model and search the web", "ollama,qwen3:8b"),
        ("I need a fast answer", "groq,llama-3.3-70b-versatile"),
        ("keep it cheap", "deepseek,deepseek-chat"),
        ("do an in-depth code review", "anthropic,claude-opus-4-5"),
    ],
)
def test_wishes_route(wish: str, target: str) -> None:
    assert Matcher(TAXONOMY).routing(wish)[0].routes[0].target == target


@pytest.mark.parametrize(
    "mention",
    [
        "openrouter",
        "Don't use Gemini for this.",
        "how to use deepseek with a proxy",
        "we switched to opus",
        "use opusenc",
    ],
)
def test_mentions_do_not(mention: str) -> None:
    assert Matcher(TAXONOMY).routing(mention) == []


def test_ordinary_prompts_are_left_alone() -> None:
    """At most 0.5 % of them for any one pattern, and 1 % for all together."""
    matcher = Matcher(TAXONOMY)
    fired = [matcher.routing(prompt) for prompt in PROMPTS]
    by_pattern = Counter(pattern for matches in fired for match in matches for pattern in match.patterns)
    assert len(PROMPTS) == len(set(PROMPTS)) >= 200
    assert {pattern: count for pattern, count in by_pattern.items() if count > 0.005 * len(PROMPTS)} == {}
    assert sum(map(bool, fired)) <= 0.01 * len(PROMPTS)


def test_triggers_would_leave_ordinary_prompts_alone_too() -> None:
    matcher = Matcher(TAXONOMY, triggers=True)
    fired = [prompt for prompt in PROMPTS if any(match.how == "trigger" for match in matcher.routing(prompt))]
    assert len(fired) <= 0.02 * len(PROMPTS), fired


def test_the_snapshot_does_not_depend_on_the_order_of_files() -> None:
    files, _ = read_files(ROOT / "taxonomy")
    digests = {
        build(presets.embedded(set(), {}), build_taxonomy(order), RuleSet()).digest for order in (files, files[::-1])
    }
    assert len(digests) == 1
