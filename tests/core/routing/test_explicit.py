import pytest
from facts import snapshot

from core.exchange import Refusal, Target
from core.routing.explicit import parse

SHOT = snapshot()


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("openai,gpt-5", Target("openai", "gpt-5")),
        (" OpenAI , GPT-5 ", Target("openai", "gpt-5")),
        ("openai:gpt-5", Target("openai", "gpt-5")),
        ("ollama,qwen3:8b", Target("ollama", "qwen3:8b")),
        ("ollama:qwen3:8b", Target("ollama", "qwen3:8b")),
        ("ollama:Llama4:70b", Target("ollama", "Llama4:70b")),
        ("openrouter,x/y:free", Target("openrouter", "x/y:free")),
    ],
)
def test_a_named_target(name: str, target: Target) -> None:
    assert parse(SHOT, name) == target


@pytest.mark.parametrize("name", ["auto", "gpt-5", "qwen3:8b", "us.anthropic.claude-v2:0", ""])
def test_a_plain_name_names_no_target(name: str) -> None:
    assert parse(SHOT, name) is None


@pytest.mark.parametrize("name", ["nobody,x", "openai,", ",gpt-5", "openai:", "openrouter,", ","])
def test_an_explicit_name_of_nothing_is_refused(name: str) -> None:
    found = parse(SHOT, name)
    assert isinstance(found, Refusal)
    assert found.status == 404
