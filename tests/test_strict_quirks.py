"""The validators of DeepSeek, Groq and OpenRouter see what they must, and take what is right."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
from upstream_wire import signature

from strict.judging import judge

KEY = {"authorization": "Bearer k"}
CALL = {"id": "t", "type": "function", "function": {"name": "f", "arguments": "{}"}}
ENTRY = {"type": "reasoning.text", "text": "hm", "signature": signature("hm"), "format": "x", "index": 0}
GOOD: dict[str, dict[str, Any]] = {
    "deepseek": {
        "model": "deepseek-v4-pro",
        "max_tokens": 10,
        "messages": [
            {"role": "user", "content": "in json"},
            {"role": "assistant", "content": "", "reasoning_content": "hm", "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "t", "content": "A"},
        ],
        "response_format": {"type": "json_object"},
    },
    "groq": {
        "model": "openai/gpt-oss-120b",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
        "reasoning_effort": "low",
    },
    "openrouter": {
        "model": "anthropic/claude-sonnet-4.5",
        "max_tokens": 9000,
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}]},
            {"role": "assistant", "content": None, "reasoning_details": [ENTRY], "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "t", "content": "A"},
        ],
        "reasoning": {"max_tokens": 2000},
    },
}
Break = Callable[[Any], Any]


def judged(name: str, body: Any, headers: dict[str, str] = KEY) -> list[str]:
    return judge(f"/{name}/chat/completions", headers, body)


@pytest.mark.parametrize("name", GOOD)
def test_what_is_right_is_taken(name: str) -> None:
    assert judged(name, GOOD[name]) == []
    assert len(judged(name, GOOD[name], {})) == 1


@pytest.mark.parametrize(
    ("name", "broken", "why"),
    [
        ("deepseek", lambda b: b["messages"][1].pop("reasoning_content"), "must be passed back"),
        ("deepseek", lambda b: b["messages"][1].update(content=None), "must be passed back"),
        ("deepseek", lambda b: b.update(tool_choice="required"), "does not support this tool_choice"),
        ("deepseek", lambda b: b.update(tool_choice={"type": "function"}), "does not support this tool_choice"),
        ("deepseek", lambda b: b.update(response_format={"type": "json_schema"}), "unavailable now"),
        ("deepseek", lambda b: b["messages"][0].update(content="x"), "must contain the word 'json'"),
        ("deepseek", lambda b: b.update(model="deepseek-chat", max_tokens=8193), "valid range of max_tokens"),
        ("deepseek", lambda b: b["messages"][0].update(content=[{"type": "image_url"}]), "unknown variant"),
        ("groq", lambda b: b["messages"].append({"role": "assistant", "reasoning_content": "x"}), "unsupported"),
        ("groq", lambda b: b["messages"][0]["content"][0].update(cache_control={}), "unsupported"),
        ("groq", lambda b: b["tools"][0]["function"]["parameters"].update({"$schema": "x"}), "unsupported"),
        ("groq", lambda b: b["tools"][0].update(cache_control={}), "unsupported"),
        ("groq", lambda b: b.update(logprobs=True), "unsupported"),
        ("groq", lambda b: b.update(model="llama-3.3-70b-versatile"), "not supported with this model"),
        ("openrouter", lambda b: b.update(reasoning_effort="low"), "Only one of"),
        ("openrouter", lambda b: b["reasoning"].update(max_tokens=9000), "must be greater"),
        ("openrouter", lambda b: b["reasoning"].update(max_tokens=1023), "must be greater"),
        ("openrouter", lambda b: b["messages"][1].pop("reasoning_details"), "Expected `thinking`"),
        ("openrouter", lambda b: b["messages"][1]["reasoning_details"][0].update(text="x"), "Invalid `signature`"),
        ("openrouter", lambda b: b["messages"][1]["reasoning_details"][0].update(type="x"), "Invalid input"),
        ("openrouter", lambda b: b.update(model="qwen/qwen3"), "for Claude"),
        ("openrouter", lambda b: b.update(model="claude-x"), "not a valid model ID"),
    ],
)
def test_what_is_wrong_is_seen(name: str, broken: Break, why: str) -> None:
    body = copy.deepcopy(GOOD[name])
    broken(body)
    assert any(why in each for each in judged(name, body)), judged(name, body)


def test_a_model_that_does_not_think_may_be_told_what_to_call() -> None:
    for change in ({"thinking": {"type": "disabled"}}, {"model": "deepseek-chat"}):
        body = copy.deepcopy(GOOD["deepseek"]) | change | {"tool_choice": "required"}
        del body["messages"][1]["reasoning_content"]
        assert judged("deepseek", body) == []
