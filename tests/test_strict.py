"""The validators see what they must, and take what real clients send."""

import copy
from typing import Any

import pytest
from upstream_wire import signature

from strict import Json, anthropic, openai, openai_responses
from strict.judging import judge

KEY = {"anthropic-version": "2023-06-01", "x-api-key": "k", "authorization": "Bearer k"}
PNG = "iVBORw0KGgo="
OPEN = {"type": "object", "properties": {"a": {"type": "string"}}}


def messages_body() -> Json:
    """A turn of a tool loop, with everything that a body may have."""
    return {
        "model": "claude-sonnet-4-5",
        "max_tokens": 4000,
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": "x"},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "hm", "signature": signature("hm")},
                    {"type": "text", "text": "y"},
                    {"type": "tool_use", "id": "t1", "name": "f", "input": {}},
                    {"type": "tool_use", "id": "t2", "name": "f", "input": {}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "t1",
                        "content": [{"type": "image", "source": image(PNG)}],
                    },
                    {"type": "tool_result", "tool_use_id": "t2", "content": "no", "is_error": True},
                    {"type": "text", "text": "go on"},
                ],
            },
        ],
        "tools": [{"name": "f", "input_schema": {"type": "object"}}],
    }


def image(data: str, type: str = "image/png") -> Json:
    return {"type": "base64", "media_type": type, "data": data}


def chat_body() -> Json:
    call = {"type": "function", "function": {"name": "f", "arguments": "{}"}}
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
    return {
        "model": "gpt-5.1",
        "max_completion_tokens": 9,
        "reasoning_effort": "low",
        "stream": True,
        "stream_options": {"include_usage": True},
        "messages": [
            {"role": "system", "content": "s"},
            {"role": "user", "content": [{"type": "text", "text": "x"}, picture]},
            {"role": "assistant", "content": None, "tool_calls": [call | {"id": "t1"}, call | {"id": "t2"}]},
            {"role": "tool", "tool_call_id": "t1", "content": "r"},
            {"role": "tool", "tool_call_id": "t2", "content": "r"},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}],
    }


def responses_body() -> Json:
    picture = {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "auto"}
    call = {"type": "function_call", "name": "f", "arguments": "{}"}
    output = {"type": "function_call_output", "output": "r"}
    summary = [{"type": "summary_text", "text": "hm"}]
    return {
        "model": "gpt-5.1",
        "instructions": "s",
        "max_output_tokens": 16,
        "reasoning": {"effort": "low", "summary": "auto"},
        "include": ["reasoning.encrypted_content"],
        "store": False,
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "x"}, picture]},
            {"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": signature("hm")},
            call | {"call_id": "t1", "id": "fc_1"},
            call | {"call_id": "t2"},
            output | {"call_id": "t1", "output": [picture]},
            output | {"call_id": "t2"},
        ],
        "tools": [{"type": "function", "name": "f", "parameters": OPEN, "strict": False}],
    }


def changed(body: Json, path: str, value: Any) -> Json:
    """The body with another value at a path; `...` takes it away."""
    *parents, last = [int(key) if key.lstrip("-").isdigit() else key for key in path.split(".")]
    body = copy.deepcopy(body)
    inner: Any = body
    for key in parents:
        inner = inner[key]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return body


def test_what_is_sound_is_taken() -> None:
    assert anthropic.problems("/v1/messages?beta=true", KEY, messages_body()) == []
    assert openai.problems("/v1/chat/completions", KEY, chat_body()) == []
    assert openai_responses.problems("/v1/responses", KEY, responses_body()) == []
    assert judge("/v1/messages", KEY, messages_body()) == judge("/x/chat/completions", KEY, chat_body()) == []


@pytest.mark.parametrize(
    ("path", "value", "why"),
    [
        ("max_tokens", ..., "max_tokens"),
        ("max_tokens", 1024, "must be greater than"),
        ("thinking.budget_tokens", 1023, "greater than or equal to 1024"),
        ("temperature", 0.5, "may only be set to 1"),
        ("top_k", 3, "top_k"),
        ("stream_options", {}, "Extra inputs"),
        ("tool_choice", {"type": "any"}, "forces tool use"),
        ("tool_choice", {"type": "tool", "name": "g"}, "not found"),
        ("tools.0.name", "a.b", "pattern"),
        ("tools.0.input_schema", {}, "input_schema.type"),
        ("stop_sequences", ["\n"], "non-whitespace"),
        ("system.0.text", "", "non-empty"),
        ("messages", [], "at least one message"),
        ("messages.0.role", "system", "'user' or 'assistant'"),
        ("messages.0", {"role": "assistant", "content": "a"}, "first message"),
        ("messages.0.content", "", "non-empty content"),
        ("messages.1.content.1.text", " ", "non-whitespace"),
        ("messages.1.content.0.signature", "tp1.p.x", "Invalid `signature`"),
        ("messages.1.content.0", {"type": "redacted_thinking", "data": "tp1.p.x"}, "redacted_thinking"),
        ("messages.1.content.0", {"type": "text", "text": "a"}, "Expected `thinking`"),
        ("messages.1.content.2.id", "functions.f:0", "pattern"),
        ("messages.1.content.2.input", "{}", "valid dictionary"),
        ("messages.1.content.2.id", "t2", "must be unique"),
        ("messages.1.content.2.index", 0, "Extra inputs"),
        ("messages.1.content.3", ..., "unexpected `tool_use_id`"),
        ("messages.2.content.1", ..., "without `tool_result` blocks"),
        ("messages.2.content.0", {"type": "text", "text": "first"}, "without `tool_result` blocks"),
        ("messages.2", ..., "without `tool_result` blocks"),
        ("messages.2.content.0.content.0.source", image("?"), "base64"),
        ("messages.2.content.0.content.0.source", image(PNG, "image/bmp"), "media_type"),
        ("messages.2.content.0.content.0.source", {"type": "url", "url": "http://x"}, "HTTPS"),
        ("messages.2.content.2.type", "input_text", "expected tags"),
        ("output_config", {"format": {"type": "json_schema", "schema": {"type": "object"}}}, "additionalProperties"),
    ],
)
def test_what_anthropic_refuses(path: str, value: Any, why: str) -> None:
    found = anthropic.problems("/v1/messages", KEY, changed(messages_body(), path, value))
    assert any(why in each for each in found), found


@pytest.mark.parametrize(
    ("path", "value", "why"),
    [
        ("max_tokens", 5, "max_completion_tokens"),
        ("temperature", 0.5, "does not support"),
        ("stop", ["x"], "not supported"),
        ("reasoning_effort", "max", "Invalid value"),
        ("thinking", {}, "Unrecognized"),
        ("stream", False, "stream_options"),
        ("stop", ["1", "2", "3", "4", "5"], "maximum length 4"),
        ("user", "u" * 65, "maximum length 64"),
        ("tools", [], "empty array"),
        ("tool_choice", "any", "Supported values"),
        ("tool_choice", {"type": "function", "function": {"name": "g"}}, "not found"),
        ("tools.0.function.name", "n" * 65, "64"),
        ("tools.0.function.parameters", {"type": "object"}, "missing properties"),
        ("tools.0.cache_control", {}, "Unknown parameter"),
        ("messages", [], "empty array"),
        ("messages.0.role", "function_result", "Supported values"),
        ("messages.1.content", None, "got null"),
        ("messages.1.content", [], "empty array"),
        ("messages.1.content.1.image_url.url", "data:image/png;base64,?", "data URL"),
        ("messages.2.reasoning_details", [], "Unknown parameter"),
        ("messages.2.tool_calls", [], "empty array"),
        ("messages.2.tool_calls.0.id", "t" * 41, "maximum length 40"),
        ("messages.2.tool_calls.0.function.arguments", {}, "string of JSON"),
        ("messages.2.tool_calls.0.function.arguments", "{", "string of JSON"),
        ("messages.3.tool_call_id", "t9", "must be a response"),
        ("messages.3", ..., "did not have response"),
        ("messages.3", {"role": "user", "content": "u"}, "did not have response"),
        ("messages.3.content", [{"type": "image_url", "image_url": {"url": "https://x"}}], "role 'user'"),
    ],
)
def test_what_openai_refuses(path: str, value: Any, why: str) -> None:
    found = openai.problems("/v1/chat/completions", KEY, changed(chat_body(), path, value))
    assert any(why in each for each in found), found


@pytest.mark.parametrize(
    ("path", "value", "why"),
    [
        ("input", [], "'input'"),
        ("model", ..., "'model'"),
        ("max_tokens", 9, "Unknown parameter"),
        ("stop", ["x"], "Unknown parameter"),
        ("max_output_tokens", 15, ">= 16"),
        ("temperature", 0.5, "not supported"),
        ("reasoning.effort", "max", "Invalid value"),
        ("user", "u" * 65, "maximum length 64"),
        ("tools.0.name", "a.b", "pattern"),
        ("tools.0.parameters", {"type": "object"}, "missing properties"),
        ("tools.0.strict", True, "additionalProperties"),
        ("tools.0.function", {}, "Unknown parameter"),
        ("tool_choice", {"type": "function", "name": "g"}, "not found"),
        ("text", {"format": {"type": "json_schema", "schema": OPEN}}, "text.format.name"),
        ("input.0.role", "tool", "Supported values"),
        ("input.0.content.0.type", "text", "Supported values"),
        ("input.0.content.1.image_url", "data:image/png;base64,?", "data URL"),
        ("input.0.name", "n", "Unknown parameter"),
        ("input.1.encrypted_content", "tp1.other.x", "could not be verified"),
        ("input.1.encrypted_content", ..., "not persisted"),
        ("input.1.summary", ..., "'input[1].summary'"),
        ("input.1.id", "msg_1", "begins with 'rs'"),
        ("input.2", {"role": "user", "content": "u"}, "required following item"),
        ("input.2.arguments", "{", "string of JSON"),
        ("input.2.id", "call_1", "begins with 'fc'"),
        ("input.3.call_id", "t1", "Duplicate"),
        ("input.3", ..., "No tool call found"),
        ("input.5", ..., "No tool output found"),
        ("input.5.output", None, "'input[5].output'"),
    ],
)
def test_what_openai_s_responses_refuse(path: str, value: Any, why: str) -> None:
    found = openai_responses.problems("/v1/responses", KEY, changed(responses_body(), path, value))
    assert any(why in each for each in found), found


def test_a_key_is_asked_for() -> None:
    assert "x-api-key" in anthropic.problems("/v1/messages", {"anthropic-version": "x"}, messages_body())[0]
    assert "anthropic-version" in anthropic.problems("/v1/messages", {"x-api-key": "k"}, messages_body())[0]
    assert "API key" in openai.problems("/v1/chat/completions", {}, chat_body())[0]
