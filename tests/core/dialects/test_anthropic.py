import json
from typing import Any

import pytest

from core.dialects import CLIENTS, decode_count
from core.dialects.anthropic import Anthropic
from core.errors import BadRequest, UpstreamFailed
from core.exchange import Candidate, Target
from core.messages import Block, Request, Thinking, ToolChoice, Usage

DIALECT = Anthropic()
SCHEMA = {"type": "object", "properties": {"t": {"type": "string"}}}


def decode(*messages: Any, **fields: Any) -> Request:
    body = {"model": "m", "max_tokens": 9, "messages": list(messages) or [{"role": "user", "content": "x"}], **fields}
    return DIALECT.decode_request(json.dumps(body).encode())


def claude_code_request() -> Request:
    """FACTS section 6, all of it in one body."""
    return decode(
        {"role": "user", "content": [{"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}]},
        {"role": "system", "content": "Plan mode is active", "output_config": {"effort": "low"}},
        {"role": "system", "content": []},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": ""},
                {"type": "redacted_thinking", "data": "xx"},
                {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "q"}},
                {"type": "web_search_tool_result", "tool_use_id": "s", "content": {"error_code": "unavailable"}},
                {"type": "tool_use", "id": "t", "name": "ToolSearch", "input": {}, "caller": {"type": "direct"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "tool_reference", "tool_name": "X"}]},
                {"type": "search_result", "source": "https://example.com", "title": "T", "content": []},
                {
                    "type": "document",
                    "source": {"type": "text", "media_type": "text/plain", "data": "d"},
                    "title": None,
                },
                {"type": "container_upload", "file_id": "f"},
                {"type": "future", "text": {"not": "text"}, "id": 5},
            ],
        },
        system=[{"type": "text", "text": "x-anthropic-billing-header: cc_version=2; cc_is_subagent=true"}],
        tools=[
            {"name": "X", "input_schema": {"$schema": "s", "propertyNames": {}}, "defer_loading": True},
            {"type": "web_search_20250305", "name": "web_search", "max_uses": 8},
            {"type": "mcp_toolset", "mcp_server_name": "a"},
            {"type": "custom", "name": "Y", "input_schema": {}},
        ],
        thinking={"type": "adaptive", "display": "summarized"},
        output_config={"effort": "xhigh", "format": {"type": "json_schema", "schema": SCHEMA}},
        safeguards=[{"type": "s", "classifier_context": {"permission_mode": "plan"}}],
        metadata={"user_id": '{"session_id":"s"}'},
        context_management={"edits": []},
        mcp_servers=[],
        container={"id": "c"},
        stream=True,
    )


def test_what_claude_code_sends_is_accepted() -> None:
    request = claude_code_request()
    assert [message.role for message in request.messages] == ["user", "system", "system", "assistant", "user"]
    assert [len(message.content) for message in request.messages] == [1, 1, 0, 5, 5]
    result, search, document, upload, future = request.messages[4].content
    assert isinstance(result.content, list)
    assert result.content[0].tool_name == "X"
    assert (search.type, document.source and document.source.data, upload.type) == (
        "search_result",
        "d",
        "container_upload",
    )
    assert (future.type, future.text) == ("future", "")
    assert [(tool.name, tool.type) for tool in request.tools] == [
        ("X", ""),
        ("web_search", "web_search_20250305"),
        ("", "mcp_toolset"),
        ("Y", ""),
    ]
    assert request.thinking == Thinking(type="adaptive", budget=None, effort="xhigh")
    assert json.loads(bytes(request.answer_schema)) == SCHEMA
    assert (request.permission_mode, request.user, request.stream) == ("plan", '{"session_id":"s"}', True)
    assert {"safeguards", "container", "mcp_servers"} <= request.fields


def test_a_string_is_one_text_block() -> None:
    request = decode({"role": "user", "content": "é"}, system="s")
    assert request.messages[0].content == [Block(type="text", text="é")]
    assert request.system == [Block(type="text", text="s")]


def test_tool_schemas_and_inputs_keep_their_bytes() -> None:
    body = b'{"model":"m","max_tokens":1,"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"i",'
    body += b'"name":"n","input":{ "a" : 1.50 }}]}],"tools":[{"name":"n","input_schema":{"x":1e2 }}]}'
    request = DIALECT.decode_request(body)
    assert bytes(request.messages[0].content[0].input) == b'{ "a" : 1.50 }'
    assert bytes(request.tools[0].input_schema) == b'{"x":1e2 }'


@pytest.mark.parametrize("safeguards", [None, [], "x", [{"classifier_context": 5}], [{"classifier_context": None}]])
def test_safeguards_of_another_shape_say_nothing(safeguards: Any) -> None:
    assert decode(safeguards=safeguards).permission_mode == ""


def test_a_thread_is_refused_so_that_the_sdk_sends_the_whole_history() -> None:
    with pytest.raises(BadRequest) as refused:
        decode(thread={"id": "t"})
    details = {"error_code": "thread_unsupported_request", "unsupported": ["thread"]}
    body = json.loads(
        DIALECT.error_body(400, refused.value.type, refused.value.message, "req_1", refused.value.details)
    )
    assert body == {
        "type": "error",
        "error": {"type": "invalid_request_error", "message": refused.value.message, "details": details},
        "request_id": "req_1",
    }


def test_counting_needs_no_max_tokens() -> None:
    body = b'{"model":"m","messages":[{"role":"user","content":"x"}]}'
    assert decode_count(body).max_tokens is None
    with pytest.raises(BadRequest, match="max_tokens: Field required"):
        DIALECT.decode_request(body)


def test_tool_choice_and_parallel_use() -> None:
    choice = decode(tool_choice={"type": "auto", "disable_parallel_tool_use": True}).tool_choice
    assert choice == ToolChoice(type="auto", disable_parallel=True)


@pytest.mark.parametrize(
    ("key", "base_url", "expected"),
    [
        ("sk-ant-api03-x", "https://api.anthropic.com", {"x-api-key": "sk-ant-api03-x"}),
        ("sk-ant-oat01-x", "https://api.anthropic.com", {"authorization": "Bearer sk-ant-oat01-x"}),
        ("k", "https://copy.example/anthropic", {"x-api-key": "k", "authorization": "Bearer k"}),
        ("", "https://api.anthropic.com", {}),
    ],
)
def test_the_credential_goes_where_the_server_reads_it(key: str, base_url: str, expected: dict[str, str]) -> None:
    assert DIALECT.auth_headers(key, base_url) == {"anthropic-version": "2023-06-01", **expected}


@pytest.mark.parametrize(
    ("body", "status", "type"),
    [
        (b"", 502, "api_error"),
        (b"<html>", 502, "api_error"),
        (b"{}", 502, "api_error"),
        (b'{"type":"message","content":[],"stop_reason":null}', 502, "api_error"),
        (b'{"type":"message","content":[{"text":1}],"stop_reason":"end_turn"}', 502, "api_error"),
        (b'{"type":"error","error":{"type":"overloaded_error","message":"x"}}', 529, "overloaded_error"),
    ],
)
def test_what_is_no_whole_message_is_a_failure(body: bytes, status: int, type: str) -> None:
    with pytest.raises(UpstreamFailed) as failed:
        DIALECT.decode_response(body)
    assert (failed.value.status, failed.value.type, failed.value.stage) == (status, type, "answered")


def test_usage_leaves_cached_tokens_out_of_input() -> None:
    body = b'{"type":"message","content":[],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":2,'
    body += b'"cache_read_input_tokens":3,"cache_creation_input_tokens":null,"service_tier":"standard"}}'
    assert DIALECT.decode_response(body).usage == Usage(input=1, output=2, cache_read=3)


def test_the_registry_has_it() -> None:
    assert CLIENTS["anthropic"].name == "anthropic"


@pytest.mark.parametrize(
    ("turns", "thinks"),
    [
        (["signed", "call"], True),
        (["call"], False),
        (["sealed", "call"], False),
        (["sealed", "signed"], False),
        (["signed", "sealed"], True),
        ([], True),
    ],
)
def test_thinking_stays_only_in_a_loop_that_began_with_it(turns: list[str], thinks: bool) -> None:
    """Another provider may have answered the loop's first call; the last one alone says nothing."""
    signature = {"signed": "sig", "sealed": "tp1.other.x"}
    messages: list[Any] = [{"role": "user", "content": "go"}]
    for number, turn in enumerate(turns):
        thought = {"type": "thinking", "thinking": "hm", "signature": signature.get(turn)}
        call = {"type": "tool_use", "id": f"t{number}", "name": "f", "input": {}}
        messages.append({"role": "assistant", "content": [thought, call] if turn != "call" else [call]})
        messages.append({"role": "user", "content": [{"type": "tool_result", "tool_use_id": f"t{number}"}]})
    thinking = {"type": "enabled", "budget_tokens": 1024}
    body = {"model": "m", "max_tokens": 4000, "thinking": thinking, "messages": messages}
    sent = json.loads(
        DIALECT.splice_request(DIALECT.decode_request(json.dumps(body).encode()), Candidate(Target("p", "m")))
    )
    assert ("thinking" in sent) is thinks
