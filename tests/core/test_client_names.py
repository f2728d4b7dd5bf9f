"""What a client calls a model, a tool or a session, before anybody else sees it."""

from typing import Any

import pytest
from facts import decided, features, snapshot

from core.client_names import named
from core.errors import BadRequest
from core.exchange import Features
from core.names import is_name, mark
from core.redaction import NOTHING, Redactor

WORDS = "my grandmother's recipe for plum cake"
SECRET = "sk-ant-0123456789abcdefghij"  # noqa: S105 - a made-up one
SHOT = snapshot()


def cleaned(**facts: Any) -> Features:
    return named(features(**facts), SHOT, NOTHING)


@pytest.mark.parametrize(
    "facts",
    [
        {"model": "claude-sonnet-4-5", "tools": ("Bash", "mcp__a__b"), "subagent_target": "openai,gpt-5-mini"},
        {"model": "openrouter, vendor/model"},
        {"model": "anthropic:claude-sonnet-4-5", "provider_tools": ("computer_20250124",)},
        {},
    ],
)
def test_names_are_left_as_they_are(facts: dict[str, Any]) -> None:
    assert cleaned(**facts) == features(**facts)


@pytest.mark.parametrize("name", [WORDS, f"openai,{WORDS}", f"openrouter,{WORDS}", f"{WORDS},x", f"openai:{WORDS}"])
def test_words_are_no_model(name: str) -> None:
    for key in ("model", "subagent_target"):
        facts: dict[str, Any] = {key: name}
        found = getattr(cleaned(**facts), key)
        assert found.startswith(mark(name))
        assert "plum" not in found
        decision = decided(SHOT, **{**facts, key: found})
        assert (decision.refusal is not None) == ("," in name or ":" in name)
        assert "plum" not in repr(decided(SHOT, **facts).refusal)


def test_words_are_no_tool() -> None:
    found = cleaned(tools=("Bash", WORDS, "x" * 300), provider_tools=(f"computer_{WORDS}",))
    assert found.tools == ("Bash", mark(WORDS), mark("x" * 300))
    assert all(map(is_name, found.provider_tools))


def test_keys_are_no_names() -> None:
    known = Redactor([SECRET])
    with pytest.raises(BadRequest, match="a key stands here"):
        named(features(model=f"openai,{SECRET}"), SHOT, known)
    found = named(features(model=SECRET, session_id=SECRET, thread=f"agent:{SECRET}"), SHOT, known)
    assert SECRET not in repr(found)
    assert len({found.model, found.session_id, found.thread}) == 3
