"""The official SDKs put together what our encoders write. No network: the transport answers from memory."""

import json
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from hypothesis import given, settings
from neutral import streams
from openai.types.chat import ChatCompletion
from openai.types.responses import Response

from core.dialects import CLIENTS
from core.messages import (
    Block,
    BlockDelta,
    BlockStart,
    BlockStop,
    MessageDelta,
    MessageStart,
    MessageStop,
    Ping,
    Request,
    StreamError,
    StreamEvent,
    Usage,
)

REQUEST = Request(dialect="any", raw=b"{}", model="m", messages=[])
USAGE = Usage(input=5, output=7, cache_read=15, cache_write=1)
STREAM: list[StreamEvent] = [
    Ping(),
    MessageStart("msg_1", "model-x", Usage(input=5)),
    BlockStart(0, Block(type="thinking", signature="")),
    BlockDelta(0, "thinking", "hm"),
    BlockStop(0),
    BlockStart(1, Block(type="text")),
    Ping(),
    BlockDelta(1, "text", "a\u2028b "),
    BlockDelta(1, "text", "☃"),
    BlockStop(1),
    BlockStart(2, Block(type="tool_use", id="t1", name="f")),
    BlockDelta(2, "input_json", '{"a":'),
    BlockDelta(2, "input_json", '"x\\"y"}'),
    BlockStop(2),
    BlockStart(3, Block(type="tool_use", id="t2", name="g")),
    BlockStop(3),
    MessageDelta("tool_use", None, USAGE),
    MessageStop(),
]


def answering(dialect: str, events: list[StreamEvent]) -> httpx2.Client:
    encoder = CLIENTS[dialect].stream_encoder(REQUEST)
    headers = {"content-type": CLIENTS[dialect].stream_type}
    answer = httpx2.Response(200, headers=headers, content=b"".join(map(encoder.encode, events)))
    return httpx2.Client(transport=httpx2.MockTransport(lambda _: answer))


def read_by_anthropic(events: list[StreamEvent]) -> dict[str, Any]:
    http = answering("anthropic", events)
    client = anthropic.Anthropic(api_key="k", base_url="http://proxy", http_client=http, max_retries=0)
    with client.messages.stream(model="m", max_tokens=9, messages=[{"role": "user", "content": "x"}]) as stream:
        return stream.get_final_message().to_dict()


def read_by_openai(events: list[StreamEvent]) -> ChatCompletion:
    http = answering("openai", events)
    client = openai.OpenAI(api_key="k", base_url="http://proxy", http_client=http, max_retries=0)
    with client.chat.completions.stream(model="m", messages=[{"role": "user", "content": "x"}]) as stream:
        return stream.get_final_completion()


def read_by_responses(events: list[StreamEvent]) -> Any:
    http = answering("openai-responses", events)
    client = openai.OpenAI(api_key="k", base_url="http://proxy", http_client=http, max_retries=0)
    with client.responses.stream(model="m", input="x") as stream:
        return stream.get_final_response()


def test_anthropic_s_sdk_puts_the_message_together() -> None:
    message = read_by_anthropic(STREAM)
    assert message["content"] == [
        {"type": "thinking", "thinking": "hm", "signature": ""},
        {"type": "text", "text": "a\u2028b ☃"},
        {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 'x"y'}},
        {"type": "tool_use", "id": "t2", "name": "g", "input": {}},
    ]
    assert message["stop_reason"] == "tool_use"
    assert message["usage"] == {
        "input_tokens": 5,
        "output_tokens": 7,
        "cache_read_input_tokens": 15,
        "cache_creation_input_tokens": 1,
    }


def test_openai_s_sdk_puts_the_completion_together() -> None:
    completion = read_by_openai(STREAM)
    choice = completion.choices[0]
    assert choice.message.content == "a\u2028b ☃"
    assert choice.finish_reason == "tool_calls"
    calls = choice.message.tool_calls or []
    functions: list[Any] = [call.function for call in calls if call.type == "function"]
    assert [(f.name, json.loads(f.arguments)) for f in functions] == [("f", {"a": 'x"y'}), ("g", {})]
    assert completion.usage is not None
    assert (completion.usage.prompt_tokens, completion.usage.total_tokens) == (21, 28)


def test_openai_s_sdk_puts_the_response_together() -> None:
    response = read_by_responses(STREAM)
    assert [item.type for item in response.output] == ["reasoning", "message", "function_call", "function_call"]
    assert (response.output[0].summary[0].text, response.output_text) == ("hm", "a\u2028b ☃")
    calls = [(item.name, item.call_id, json.loads(item.arguments)) for item in response.output[2:]]
    assert calls == [("f", "t1", {"a": 'x"y'}), ("g", "t2", {})]
    assert (response.status, response.usage.input_tokens, response.usage.total_tokens) == ("completed", 21, 28)


@given(events=streams(reasons=("end_turn",)))  # OpenAI's helper raises on length and content_filter
@settings(max_examples=15, deadline=None)
def test_all_read_any_stream_alike(events: list[StreamEvent]) -> None:
    text = "".join(event.data for event in events if isinstance(event, BlockDelta) and event.kind == "text")
    message = read_by_anthropic(events)
    assert "".join(block["text"] for block in message["content"] if block["type"] == "text") == text
    assert (read_by_openai(events).choices[0].message.content or "") == text
    assert read_by_responses(events).output_text == text


@pytest.mark.parametrize("at", [2, 5, len(STREAM) - 2])
def test_an_error_in_the_middle_is_raised_by_all(at: int) -> None:
    events = [*STREAM[:at], StreamError("overloaded_error", "no room")]
    with pytest.raises(anthropic.APIStatusError, match="no room"):
        read_by_anthropic(events)
    with pytest.raises(openai.APIError, match="no room"):
        read_by_openai(events)
    with pytest.raises(openai.APIError, match="no room"):
        read_by_responses(events)


def test_a_whole_answer_is_valid_for_all() -> None:
    body = CLIENTS["anthropic"].encode_response(
        CLIENTS["openai"].decode_response(
            b'{"id":"c","model":"m","choices":[{"message":{"content":"a","reasoning_content":"b"},"finish_reason":"stop"}]}'
        ),
        REQUEST,
    )
    message = anthropic.types.Message.model_validate_json(body, strict=True)
    assert [block.type for block in message.content] == ["thinking", "text"]
    completion = CLIENTS["openai"].encode_response(CLIENTS["anthropic"].decode_response(body), REQUEST)
    assert ChatCompletion.model_validate_json(completion, strict=True).choices[0].message.content == "a"
    answer = CLIENTS["openai-responses"].encode_response(CLIENTS["anthropic"].decode_response(body), REQUEST)
    read = Response.model_validate_json(answer, strict=True)
    assert ([item.type for item in read.output], read.output_text) == (["reasoning", "message"], "a")
