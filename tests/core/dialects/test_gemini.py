import json
from itertools import count
from typing import Any

import msgspec
import pytest
from streams import fed_in_every_way

from core.dialects import PROVIDERS
from core.dialects.gemini import Gemini
from core.dialects.gemini_carried import Carried, read, written
from core.dialects.sealing import seal
from core.errors import UpstreamFailed
from core.exchange import Candidate, Target
from core.grammar import Grammar
from core.messages import Block, BlockStart, Message, MessageDelta, Request, StreamError, StreamEvent, Usage

OLD = "gemini-2.5-flash"


def dialect() -> Gemini:
    ids = count(1)
    return Gemini(lambda: f"new_{next(ids)}")


def sse(*answers: Any) -> bytes:
    return b"".join(b"data: " + msgspec.json.encode(answer) + b"\n\n" for answer in answers)


def said(*parts: Any, finish: str = "", **more: Any) -> dict[str, Any]:
    candidate = {"content": {"role": "model", "parts": list(parts)}} | ({"finishReason": finish} if finish else {})
    return {"candidates": [candidate], "responseId": "r1", "modelVersion": "gm"} | more


def streamed(stream: bytes) -> list[StreamEvent]:
    """The events, shown to be legal and the same however the stream is cut."""

    def run(chunks: list[bytes]) -> list[StreamEvent]:
        decoder, grammar = dialect().stream_decoder(), Grammar()
        events = [event for chunk in chunks for event in decoder.feed(chunk)] + decoder.end()
        for event in events:
            grammar.check(event)
        return events

    return fed_in_every_way(stream, run)


def blocks(stream: bytes) -> list[Block]:
    events = streamed(stream)
    assert isinstance(events[-2], MessageDelta)
    whole = dialect().decode_response(b"[" + stream.replace(b"data: ", b"").strip().replace(b"\n\n", b",") + b"]")
    assert whole.stop_reason == events[-2].stop_reason
    return whole.content


def test_a_signature_of_a_call_goes_with_the_thinking_before_it() -> None:
    thought = {"text": "hm", "thought": True}
    calls = {"functionCall": {"id": "a", "name": "f"}, "thoughtSignature": "S"}, {"functionCall": {"name": "g"}}
    thinking, first, second = blocks(sse(said(thought), said(*calls), said(finish="STOP")))
    assert (thinking.thinking, thinking.signature) == ("hm", "call.a.S")
    assert [(first.id, first.name), (second.id, second.name)] == [("a", "f"), ("new_1", "g")]


def test_a_signature_without_thinking_is_a_block_of_its_own() -> None:
    signed = {"functionCall": {"id": "a", "name": "f"}, "thoughtSignature": "S"}
    redacted, tool = blocks(sse(said({"text": "x"}), said(signed, finish="STOP")))[1:]
    assert (redacted.type, redacted.data, tool.type) == ("redacted_thinking", "call.a.S", "tool_use")


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([{"text": "a"}, {"text": "", "thoughtSignature": "S"}], ["a", "tail.S"]),
        ([{"text": "a", "thoughtSignature": "S"}, {"text": "b"}], ["a", "text.S", "b"]),
        ([{"text": "a"}, {"text": "b", "thoughtSignature": "S"}], ["a", "b", "text.S"]),
    ],
)
def test_a_signature_of_text_follows_it_where_thinking_is_shown(parts: list[Any], expected: list[str]) -> None:
    found = blocks(sse(said({"text": "hm", "thought": True}, *parts, finish="STOP")))
    assert [block.data or block.text for block in found[1:]] == expected
    assert [block.type for block in blocks(sse(said(*parts, finish="STOP")))] == ["text"]


def test_a_thought_s_own_signature_and_one_without_text() -> None:
    own = {"text": "hm", "thought": True, "thoughtSignature": "S"}
    bare = {"thought": True, "thoughtSignature": "T"}
    first, second = blocks(sse(said(own, bare, finish="STOP")))
    assert (first.thinking, first.signature, second.data) == ("hm", "own.S", "own.T")


def test_what_google_s_own_tools_did_is_kept_whole() -> None:
    part = {"toolCall": {"toolType": "GOOGLE_SEARCH", "id": "t", "args": {"q": [1.50]}}, "thoughtSignature": "S"}
    (block,) = blocks(sse(said(part, finish="STOP")))
    carried = read(block.data)
    assert carried is not None
    assert json.loads(carried.value) == part


def test_calls_with_one_id_get_their_own_and_namespaces_are_taken_off() -> None:
    same = [{"functionCall": {"id": "x y", "name": name}} for name in ("default_api:f", "default_api.g")]
    first, second = blocks(sse(said(*same, finish="STOP")))
    assert [(block.id, block.name) for block in (first, second)] == [("x_y", "f"), ("new_1", "g")]


def test_a_name_and_nothing_else_is_a_call_and_arguments_stay_as_they_came() -> None:
    args = {"functionCall": {"name": "f", "args": msgspec.Raw(b'{"n":1.50,"big":123456789012345678901}')}}
    parts: Any = ({"functionCall": {"name": "f", "args": None}}, args, {"functionCall": {"args": {}}})
    bare, exact = blocks(sse(said(*parts, finish="STOP")))
    assert (bytes(bare.input), bytes(exact.input)) == (b"{}", b'{"n":1.50,"big":123456789012345678901}')


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ({"executableCode": {"language": "PYTHON", "code": "1+1"}}, "\n```python\n1+1\n```\n"),
        ({"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "2"}}, "\n```\n2\n```\n"),
        ({"inlineData": {"mimeType": "image/png", "data": "AA=="}}, "[image/png that could not be passed on]"),
    ],
)
def test_what_clients_have_no_block_for_is_told(part: Any, text: str) -> None:
    assert [block.text for block in blocks(sse(said(part, finish="STOP")))] == [text]


@pytest.mark.parametrize(
    ("finish", "reason"),
    [("STOP", "end_turn"), ("MAX_TOKENS", "max_tokens"), ("CONTINUATION", "max_tokens")]
    + [(word, "refusal") for word in ("SAFETY", "RECITATION", "PROHIBITED_CONTENT", "SPII", "BLOCKLIST", "LANGUAGE")],
)
def test_why_it_ended(finish: str, reason: str) -> None:
    events = streamed(sse(said({"text": "a"}), {"candidates": [{"finishReason": finish}]}))
    assert [event.stop_reason for event in events if isinstance(event, MessageDelta)] == [reason]


@pytest.mark.parametrize(
    "finish",
    ["MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "MISSING_THOUGHT_SIGNATURE", "OTHER", "SOMETHING_NEW"],
)
def test_an_end_that_is_none_is_an_error(finish: str) -> None:
    stream = sse(said({"text": "a"}), {"candidates": [{"finishReason": finish, "finishMessage": "why"}]})
    *_, last = streamed(stream)
    assert last == StreamError("api_error", f"the provider ended the answer with finishReason {finish}: why")


@pytest.mark.parametrize("end", [b"", b"data: [DONE]\n\n"])
def test_stop_on_every_event_and_a_call_after_it(end: bytes) -> None:
    """Seen at older models and at gateways; a call must not get lost, and makes the turn wait for it."""
    usage = {"usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 4}}
    stream = sse(said({"text": "a"}, finish="STOP"), said({"functionCall": {"name": "f"}}, finish="STOP"), usage) + end
    events = streamed(stream)
    assert [event.block.type for event in events if isinstance(event, BlockStart)] == ["text", "tool_use"]
    assert events[-2] == MessageDelta("tool_use", None, Usage(input=9, output=4))


@pytest.mark.parametrize(
    ("stream", "error"),
    [
        (b"", ("api_error", "the provider's stream ended before a finishReason")),
        (sse(said({"text": "a"})), ("api_error", "the provider's stream ended before a finishReason")),
        (
            sse(said(finish="FINISH_REASON_UNSPECIFIED")),
            ("api_error", "the provider's stream ended before a finishReason"),
        ),
        (b"data: {oops\n\n", ("api_error", "the provider sent an event that is not readable")),
        (
            sse(said({"text": "a"}), [], said({"text": "c"}, finish="STOP")),  # where words were due
            ("api_error", "the provider sent an event that is not readable"),
        ),
        (
            b'data: {"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{"a":"\xff"}}}]}}]}\n\n',
            ("api_error", "the provider sent an event that is not readable"),
        ),
        (
            sse({"error": {"code": 429, "message": "slow", "status": "RESOURCE_EXHAUSTED"}}),
            ("rate_limit_error", "slow"),
        ),
        (b'data: [{"error": {"code": 400, "message": "bad"}}]\n\n', ("invalid_request_error", "bad")),
        (sse(said({"text": "a"}, finish="STOP"), {"error": {"message": "x"}}), ("api_error", "x")),
        (b"event: error\ndata: {}\n\n", ("api_error", "the provider reported an error")),
    ],
)
def test_a_stream_that_is_no_whole_answer_is_an_error(stream: bytes, error: tuple[str, str]) -> None:
    assert streamed(stream)[-1] == StreamError(*error)


def test_a_blocked_prompt_is_a_refusal() -> None:
    blocked = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {"promptTokenCount": 7}}
    events = streamed(sse(blocked))
    assert events[-2] == MessageDelta("refusal", None, Usage(input=7))
    assert dialect().decode_response(msgspec.json.encode(blocked)).stop_reason == "refusal"


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"promptTokenCount": 20, "cachedContentTokenCount": 15}, Usage(input=5, cache_read=15)),
        ({"promptTokenCount": 5, "toolUsePromptTokenCount": 7}, Usage(input=12)),
        ({"candidatesTokenCount": 4, "thoughtsTokenCount": 6}, Usage(output=10, reasoning=6)),
        ({"promptTokenCount": "many", "candidatesTokenCount": -4}, Usage()),
        ({"promptTokenCount": 3.0, "candidatesTokenCount": None}, Usage(input=3)),
        ([], Usage()),
    ],
)
def test_usage(usage: Any, expected: Usage) -> None:
    body = said({"text": "a"}, finish="STOP", usageMetadata=usage)
    assert dialect().decode_response(msgspec.json.encode(body)).usage == expected


def test_the_last_count_of_each_kind_counts() -> None:
    first = said({"text": "a"}, usageMetadata={"promptTokenCount": 9, "thoughtsTokenCount": 5})
    last = said(finish="STOP", usageMetadata={"candidatesTokenCount": 2, "thoughtsTokenCount": 6})
    events = streamed(sse(first, last))
    assert events[-2] == MessageDelta("end_turn", None, Usage(input=9, output=8, reasoning=6))
    again = said(finish="STOP", usageMetadata={"promptTokenCount": 10, "candidatesTokenCount": 2})
    more = said(finish="STOP", usageMetadata={"thoughtsTokenCount": 7})
    events = streamed(sse(first, again, more))
    assert events[-2] == MessageDelta("end_turn", None, Usage(input=10, output=9, reasoning=7))


def test_an_error_behind_the_end_takes_it_back() -> None:
    decoder = dialect().stream_decoder()
    decoder.feed(sse(said({"text": "a"}, finish="STOP")))
    assert decoder.complete
    decoder.feed(sse({"error": {"message": "x"}}))
    assert not decoder.complete


@pytest.mark.parametrize(
    ("body", "status", "type"),
    [
        (b"", 502, "api_error"),
        (b"{}", 502, "api_error"),
        (b"[]", 502, "api_error"),
        (b'"x"', 502, "api_error"),
        (b'{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}', 502, "api_error"),
        (b'{"candidates":[{"finishReason":"MALFORMED_FUNCTION_CALL"}]}', 500, "api_error"),
        (b'{"error":{"message":"x","code":429}}', 429, "rate_limit_error"),
        (b'[{"error":{"message":"x","code":403}}]', 403, "permission_error"),
    ],
)
def test_what_is_no_whole_answer_is_a_failure(body: bytes, status: int, type: str) -> None:
    with pytest.raises(UpstreamFailed) as failed:
        dialect().decode_response(body)
    assert (failed.value.status, failed.value.type, failed.value.stage) == (status, type, "answered")


def test_the_address_and_the_key() -> None:
    request = Request(dialect="openai", raw=b"", model="m", messages=[])
    paths = {
        dialect().path(msgspec.structs.replace(request, stream=stream), Candidate(Target("p", model)))
        for stream, model in ((False, "models/a"), (True, "a"), (False, "../x?y#z"))
    }
    assert paths == {
        "/models/a:generateContent",
        "/models/a:streamGenerateContent?alt=sse",
        "/models/..%2Fx%3Fy%23z:generateContent",
    }
    assert dialect().auth_headers("k", "https://x") == {"x-goog-api-key": "k"}
    assert dialect().auth_headers("", "https://x") == {}
    assert PROVIDERS["gemini"].name == "gemini"


THOUGHT = {"text": "hm", "thought": True, "thoughtSignature": "T"}


@pytest.mark.parametrize(
    "parts",
    [
        [THOUGHT, {"text": "a"}, {"text": "", "thoughtSignature": "S"}],
        [THOUGHT, {"text": "a", "thoughtSignature": "S"}, {"text": "b"}],
        [THOUGHT, {"text": "b"}],
        [{"text": "a"}, {"functionCall": {"id": "c", "name": "f", "args": {}}, "thoughtSignature": "S"}],
        [
            {"toolCall": {"id": "t", "toolType": "GOOGLE_SEARCH"}, "thoughtSignature": "S"},
            {"toolResponse": {"id": "t", "response": {"x": [1]}}},
            {"functionCall": {"id": "c", "name": "f", "args": {}}, "thoughtSignature": "U"},
            {"functionCall": {"id": "d", "name": "f", "args": {}}},
        ],
    ],
)
def test_a_turn_goes_back_as_it_came(parts: list[Any]) -> None:
    answer = dialect().decode_response(msgspec.json.encode(said(*parts, finish="STOP")))
    for block in answer.content:
        block.data = seal("p", block.data) if block.data else ""
        block.signature = seal("p", block.signature) if block.signature else block.signature
    results = [Block(type="tool_result", tool_use_id=b.id, content="r") for b in answer.content if b.type == "tool_use"]
    user = [Message(role="user", content=[Block(type="text", text="go")])]
    turns = [*user, Message(role="assistant", content=answer.content), Message(role="user", content=results)]
    request = Request(dialect="openai", raw=b"", model="m", messages=turns)
    wire = json.loads(dialect().encode_request(request, Candidate(Target("p", OLD))))
    assert wire["contents"][1]["parts"] == parts


@pytest.mark.parametrize(
    "carried", [Carried("own", "a.b"), Carried("call", "a.b=", "id-1"), Carried("part", '{"a":"."}')]
)
def test_what_is_carried_is_read_as_it_was_written(carried: Carried) -> None:
    assert read(written(carried)) == carried
