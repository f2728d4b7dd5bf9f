import json
from typing import Any

import pytest

from core.dialects import CLIENTS
from core.dialects.openai_chat import OpenAIChat
from core.dialects.openai_encode import is_reasoning, is_strict
from core.errors import BadRequest, UpstreamFailed
from core.messages import Block, Request, Source, ToolChoice, Usage

DIALECT = OpenAIChat(lambda: 1_700_000_000.9, lambda: "new")


def decode(*messages: Any, **fields: Any) -> Request:
    body = {"model": "m", "messages": list(messages) or [{"role": "user", "content": "x"}], **fields}
    return DIALECT.decode_request(json.dumps(body).encode())


def test_a_conversation_becomes_blocks() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a": 1.50}'}}
    request = decode(
        {"role": "developer", "content": "be brief"},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]},
        {"role": "assistant", "content": None, "tool_calls": [call], "reasoning_content": "hm"},
        {"role": "tool", "tool_call_id": "c", "content": "r"},
        {"role": "system", "content": "later"},
    )
    assert request.system == [Block(type="text", text="be brief")]
    assert [message.role for message in request.messages] == ["user", "assistant", "user", "system"]
    image, (thinking, tool), result = (message.content for message in request.messages[:3])
    assert image[0].source == Source(type="base64", media_type="image/png", data="AA==")
    assert (thinking.thinking, thinking.signature) == ("hm", "")
    assert (tool.id, tool.name, bytes(tool.input)) == ("c", "f", b'{"a": 1.50}')
    assert (result[0].type, result[0].tool_use_id) == ("tool_result", "c")


def test_unknown_roles_parts_and_fields() -> None:
    request = decode({"role": "user", "content": [{"type": "future", "x": 1}], "y": 2}, seed=1, store=True)
    assert request.messages[0].content[0].type == "future"
    assert {"seed", "store"} <= request.fields


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, None),
        ({"parallel_tool_calls": False}, ToolChoice(type="auto", disable_parallel=True)),
        ({"tool_choice": "auto"}, ToolChoice(type="auto")),
        ({"tool_choice": "none"}, ToolChoice(type="none")),
        ({"tool_choice": "required"}, ToolChoice(type="any")),
        ({"tool_choice": {"type": "function", "function": {"name": "f"}}}, ToolChoice(type="tool", name="f")),
    ],
)
def test_tool_choice(fields: dict[str, Any], expected: ToolChoice | None) -> None:
    assert decode(**fields).tool_choice == expected


@pytest.mark.parametrize(("sent", "limit"), [({}, None), ({"max_tokens": 5}, 5), ({"max_completion_tokens": 7}, 7)])
def test_both_names_of_the_limit(sent: dict[str, int], limit: int | None) -> None:
    assert decode(**sent).max_tokens == limit


def test_usage_is_hidden_from_who_did_not_ask() -> None:
    assert not decode(stream=True).include_usage
    assert decode(stream=True, stream_options={"include_usage": True}).include_usage


def test_an_error_names_its_parameter() -> None:
    with pytest.raises(BadRequest) as refused:
        decode({"role": "user", "content": [{"type": "text", "text": 1}]})
    error = refused.value
    body = json.loads(DIALECT.error_body(400, error.type, error.message, "req", error.details))
    assert body["error"] == {
        "message": "messages.0.content.0.text: Expected str, got int",
        "type": "invalid_request_error",
        "param": "messages.0.content.0.text",
        "code": None,
    }


@pytest.mark.parametrize(
    ("body", "status", "type"),
    [
        (b"", 502, "api_error"),
        (b"{}", 502, "api_error"),
        (b'{"choices":[]}', 502, "api_error"),
        (b'{"choices":[{"message":{"content":"a"}}]}', 502, "api_error"),
        (b'{"error":{"message":"x","code":429}}', 429, "rate_limit_error"),
        (b'{"error":{"message":"x","type":"overloaded_error"}}', 529, "overloaded_error"),
        (b'{"choices":[{"message":{},"finish_reason":"error"}]}', 500, "api_error"),
    ],
)
def test_what_is_no_whole_completion_is_a_failure(body: bytes, status: int, type: str) -> None:
    with pytest.raises(UpstreamFailed) as failed:
        DIALECT.decode_response(body)
    assert (failed.value.status, failed.value.type, failed.value.stage) == (status, type, "answered")


def test_cached_tokens_are_taken_out_of_input() -> None:
    usage = {"prompt_tokens": 20, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 15}}
    body = {"choices": [{"message": {"content": "a"}, "finish_reason": "stop"}], "usage": usage}
    assert DIALECT.decode_response(json.dumps(body).encode()).usage == Usage(input=5, output=5, cache_read=15)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("gpt-5", True),
        ("openai/gpt-5-mini", True),
        ("gpt-5.1-codex", True),
        ("o3", True),
        ("o4-mini", True),
        ("o1-preview", True),
        ("gpt-5-chat-latest", False),
        ("gpt-4o", False),
        ("o3x", False),
        ("deepseek/deepseek-r1", False),
        ("foo1-bar", False),
    ],
)
def test_models_that_take_max_completion_tokens(model: str, expected: bool) -> None:
    assert is_reasoning(model) is expected


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "object", "properties": {"a": {}}, "required": ["a"], "additionalProperties": False}, True),
        ({"type": "object", "properties": {"a": {}}, "required": [], "additionalProperties": False}, False),
        ({"type": "object", "properties": {"a": {}}, "required": ["a"]}, False),
        ({"type": "array", "items": {"type": "object"}}, False),
        ({"type": "string"}, True),
    ],
)
def test_a_schema_is_strict_only_if_openai_would_take_it(schema: Any, expected: bool) -> None:
    assert is_strict(schema) is expected


def test_the_bearer_token_and_the_registry() -> None:
    assert DIALECT.auth_headers("k", "https://x") == {"authorization": "Bearer k"}
    assert DIALECT.auth_headers("", "https://x") == {}
    assert CLIENTS["openai"].name == "openai"
