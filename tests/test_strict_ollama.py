"""The validator of Ollama sees what it must, and takes a whole tool loop."""

import copy
from typing import Any

import pytest

from strict import Json, ollama

PNG = "iVBORw0KGgo="


def body() -> Json:
    call = {"function": {"index": 0, "name": "f", "arguments": {"a": 1}}}
    return {
        "model": "qwen3:8b",
        "stream": True,
        "truncate": False,
        "think": True,
        "format": {"type": "object"},
        "options": {"num_ctx": 8192, "num_predict": 9, "stop": ["x"], "temperature": 1, "top_p": 0.5},
        "messages": [
            {"role": "system", "content": "s"},
            {"role": "user", "content": "u", "images": [PNG]},
            {
                "role": "assistant",
                "content": "",
                "thinking": "hm",
                "tool_calls": [call | {"id": "1"}, call | {"id": "2"}],
            },
            {"role": "tool", "content": "r", "tool_call_id": "2", "tool_name": "f"},
            {"role": "tool", "content": "r", "tool_call_id": "1", "tool_name": "f", "images": [PNG]},
            {"role": "user", "content": "go on"},
        ],
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": "f",
                    "description": "d",
                    "parameters": {"type": "object", "properties": {"a": {"type": ["integer", "null"]}}},
                },
            }
        ],
    }


def changed(path: str, value: Any) -> Json:
    """The body with something else at `path`; `...` removes it."""
    found: Any = copy.deepcopy(body())
    whole = found
    *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    for part in way:
        found = found[part]
    if value is ...:
        del found[last]
    else:
        found[last] = value
    return dict(whole)


def test_a_tool_loop_is_taken() -> None:
    assert ollama.problems("/api/chat", {}, body()) == []


@pytest.mark.parametrize(
    ("path", "value", "why"),
    [
        ("model", "", "model is required"),
        ("tool_choice", "any", "dropped in silence"),
        ("stream", ..., "true by default"),
        ("think", "xhigh", "invalid think value"),
        ("format", "yaml", "invalid format"),
        ("options.max_tokens", 5, "invalid option"),
        ("options.num_ctx", "8192", "another type"),
        ("options.stop", [1], "array of strings"),
        ("options.num_ctx", 1, None),
        ("messages", [], "only loaded"),
        ("messages.0.role", "developer", "no template"),
        ("messages.1.content", [{"type": "text"}], "cannot unmarshal"),
        ("messages.1.images", ["data:image/png;base64,aaaa"], "illegal base64"),
        ("messages.1.image", PNG, "dropped in silence"),
        ("messages.2.tool_calls.0.function.arguments", "{}", "cannot unmarshal"),
        ("messages.2.tool_calls.0.type", "function", "dropped in silence"),
        ("messages.2.tool_calls.0.id", "2", "the same id"),
        ("messages.2.tool_calls.0.function.name", "", "a call of nothing"),
        ("messages.3.tool_call_id", "9", "not called just before"),
        ("messages.3.tool_name", "g", "not called just before"),
        ("messages.4", ..., "without results"),
        ("tools.0.type", "custom", "no function"),
        ("tools.0.function.strict", True, "dropped in silence"),
        ("tools.0.function.parameters.type", ["object"], "cannot unmarshal"),
        ("tools.0.function.parameters.properties", ..., "null in the prompt"),
        ("tools.0.function.parameters.required", "a", "cannot unmarshal"),
        ("tools.0.function.parameters.properties.a", True, "cannot unmarshal"),
        ("tools.0.function.parameters.properties.a.enum", "x", "cannot unmarshal"),
        ("tools.0.function.parameters.properties.a.$ref", "#/a", "dropped in silence"),
        ("tools.0.function.parameters.properties.a.anyOf", [True], "cannot unmarshal"),
    ],
)
def test_what_ollama_refuses_or_mangles(path: str, value: Any, why: str | None) -> None:
    found = ollama.problems("/api/chat", {}, changed(path, value))
    assert any(why in each for each in found) if why else found == [], found


def test_a_conversation_over_the_context_is_seen() -> None:
    long = changed("messages.1.content", "word " * 20_000)
    assert any("num_ctx is too small" in each for each in ollama.problems("/api/chat", {}, long))
    assert ollama.problems("/v1/api/chats", {}, body()) == ["404 page not found"]
