import json
from itertools import count
from typing import Any

import pytest

from core.dialects import CLIENTS
from core.dialects.base import Origin
from core.dialects.openai_responses import OpenAIResponses
from core.dialects.relay import make_relay
from core.dialects.sealing import sealed_response
from core.dialects.stop_strings import CutAtStop
from core.errors import BadRequest, UpstreamFailed
from core.exchange import Candidate, Target
from core.messages import Block, BlockDelta, Request, Response, Source, ToolChoice, Usage

IDS = count(1)
DIALECT = OpenAIResponses(lambda: 1_700_000_000.9, lambda: f"new_{next(IDS)}")
CANDIDATE = Candidate(Target("p", "gpt-5.1"))


def decode(*items: Any, **fields: Any) -> Request:
    body = {"model": "m", "input": list(items) or "x", **fields}
    return DIALECT.decode_request(json.dumps(body).encode())


def test_a_conversation_becomes_blocks() -> None:
    request = decode(
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "be brief"}]},
        {
            "role": "user",
            "content": [{"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "low"}],
        },
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "hm"}],
            "encrypted_content": "E",
        },
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "so", "annotations": []}]},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": '{"a": 1.50}'},
        {"type": "function_call", "call_id": "d", "name": "spawn", "namespace": "agents", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "r"},
        {"type": "function_call_output", "call_id": "d", "output": [{"type": "input_text", "text": "s"}]},
        {"role": "system", "content": "later"},
        instructions="first",
    )
    assert [block.text for block in request.system] == ["first", "be brief"]
    assert [message.role for message in request.messages] == ["user", "assistant", "user", "system"]
    image, assistant, results = (message.content for message in request.messages[:3])
    assert image[0].source == Source(type="base64", media_type="image/png", data="AA==")
    assert [block.type for block in assistant] == ["thinking", "text", "tool_use", "tool_use"]
    assert (assistant[0].thinking, assistant[0].signature) == ("hm", "E")
    assert (assistant[2].id, assistant[2].name, bytes(assistant[2].input)) == ("c", "f", b'{"a": 1.50}')
    assert assistant[3].name == "agents__spawn"
    assert [(block.tool_use_id, block.content) for block in results] == [
        ("c", [Block(type="text", text="r")]),
        ("d", [Block(type="text", text="s")]),
    ]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, None),
        ({"parallel_tool_calls": False}, ToolChoice(type="auto", disable_parallel=True)),
        ({"tool_choice": "auto"}, ToolChoice(type="auto")),
        ({"tool_choice": "none"}, ToolChoice(type="none")),
        ({"tool_choice": "required"}, ToolChoice(type="any")),
        ({"tool_choice": {"type": "function", "name": "f"}}, ToolChoice(type="tool", name="f")),
        ({"tool_choice": {"type": "custom", "name": "f"}}, ToolChoice(type="tool", name="f")),
        ({"tool_choice": {"type": "web_search"}}, ToolChoice(type="tool", name="web_search")),
    ],
)
def test_tool_choice(fields: dict[str, Any], expected: ToolChoice | None) -> None:
    assert decode(**fields).tool_choice == expected


def test_allowed_tools_leave_the_others_out() -> None:
    tools: list[Any] = [{"type": "function", "name": name, "parameters": {}, "strict": False} for name in ("f", "g")]
    choice = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "g"}]}
    request = decode(tools=tools, tool_choice=choice)
    assert [tool.name for tool in request.tools] == ["g"]
    assert request.tool_choice == ToolChoice(type="any")


def test_what_the_client_says_beside_its_input() -> None:
    request = decode(
        reasoning={"effort": "high", "summary": "auto"},
        text={"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": True}},
        max_output_tokens=50,
        temperature=0.5,
        top_p=0.9,
        prompt_cache_key="k",
        user="u",
        client_metadata={"a": 1},
        stream=True,
    )
    assert (request.thinking.effort, request.max_tokens, request.stream) == ("high", 50, True)
    assert (bytes(request.answer_schema), request.answer_schema_name) == (b'{"type": "object"}', "n")
    assert (request.temperature, request.top_p, request.prompt_cache_key, request.user) == (0.5, 0.9, "k", "u")
    assert "client_metadata" in request.fields


SPAWN = {"type": "function", "name": "spawn", "parameters": {"type": "object"}, "strict": False}
GRAMMAR = {"type": "grammar", "syntax": "lark", "definition": "start: X"}
PATCH = {"type": "custom", "name": "apply_patch", "description": "Edit files.", "format": GRAMMAR}
CODEX = [{"type": "namespace", "name": "agents", "description": "", "tools": [SPAWN]}, PATCH, {"type": "web_search"}]


def test_tools_that_other_dialects_do_not_have_are_offered_as_functions() -> None:
    spawn, patch, search = decode(tools=CODEX).tools
    assert (spawn.name, spawn.type) == ("agents__spawn", "")
    assert (patch.name, patch.type, json.loads(bytes(patch.input_schema))["required"]) == ("apply_patch", "", ["input"])
    assert patch.description == "Edit files.\n\n`input` must match this lark grammar:\nstart: X"
    assert (search.name, search.type) == ("web_search", "web_search")


def test_and_their_calls_are_turned_back() -> None:
    request = decode(tools=CODEX)
    content = [
        Block(type="tool_use", id="a", name="agents__spawn", input=b'{"x":1}'),  # type: ignore[arg-type]
        Block(type="tool_use", id="b", name="apply_patch", input=b'{"input":"*** Begin\\n\xe2\x98\x83"}'),  # type: ignore[arg-type]
        Block(type="tool_use", id="c", name="apply_patch", input=b"not what was asked for"),  # type: ignore[arg-type]
    ]
    answer = Response(id="m", model="x", content=content, stop_reason="tool_use")
    spawn, patch, bare = json.loads(DIALECT.encode_response(answer, request))["output"]
    assert (spawn["type"], spawn["namespace"], spawn["name"], spawn["arguments"]) == (
        "function_call",
        "agents",
        "spawn",
        '{"x":1}',
    )
    assert (patch["type"], patch["name"], patch["input"]) == ("custom_tool_call", "apply_patch", "*** Begin\n☃")
    assert bare["input"] == "not what was asked for"


def test_tools_that_the_conversation_brought_along_are_on_offer() -> None:
    found = {
        "type": "tool_search_output",
        "call_id": "c",
        "tools": [SPAWN],
        "status": "completed",
        "execution": "client",
    }
    assert [tool.name for tool in decode(found, {"role": "user", "content": "go"}).tools] == ["spawn"]


@pytest.mark.parametrize("field", ["previous_response_id", "conversation", "prompt"])
def test_what_refers_to_something_stored_is_refused_by_name(field: str) -> None:
    assert decode(**{field: None}).messages
    with pytest.raises(BadRequest, match=rf"^{field}: .* (kept|send) "):
        decode(**{field: "x"})


def test_an_error_names_its_parameter() -> None:
    with pytest.raises(BadRequest) as refused:
        decode({"role": "user", "content": [{"type": "input_text", "text": 1}]})
    error = refused.value
    body = json.loads(DIALECT.error_body(400, error.type, error.message, "req", error.details))
    assert body["error"] == {
        "message": "input.0.content.0.text: Expected str | null, got int",
        "type": "invalid_request_error",
        "param": "input.0.content.0.text",
        "code": None,
    }


@pytest.mark.parametrize(
    ("said", "status", "type"),
    [
        ('"status":"failed","error":{"code":"rate_limit_exceeded","message":"m"}', 429, "rate_limit_error"),
        ('"status":"failed","error":{"code":"server_error","message":"m"}', 500, "api_error"),
        ('"status":"failed","error":{"code":"context_length_exceeded","message":"m"}', 400, "invalid_request_error"),
    ],
)
def test_a_failed_answer_is_an_error(said: str, status: int, type: str) -> None:
    with pytest.raises(UpstreamFailed) as failed:
        DIALECT.decode_response(b'{"object":"response","output":[],%s}' % said.encode())
    assert (failed.value.status, failed.value.type, failed.value.message) == (status, type, "m")


def event(name: str, **fields: Any) -> bytes:
    return f"event: {name}\ndata: {json.dumps({'type': name, **fields})}\n\n".encode()


def test_items_that_are_filled_at_the_same_time_come_one_after_the_other() -> None:
    def call(at: int) -> dict[str, Any]:
        return {"type": "function_call", "id": f"fc_{at}", "call_id": f"c{at}", "name": "f", "arguments": ""}

    stream = [
        event("response.created", response={"id": "resp_1", "model": "m"}),
        *(event("response.output_item.added", output_index=at, item=call(at)) for at in (0, 1)),
        event("response.function_call_arguments.delta", output_index=1, delta='{"b"'),
        event("response.function_call_arguments.delta", output_index=0, delta='{"a"'),
        event("response.function_call_arguments.delta", output_index=1, delta=":2}"),
        event("response.output_item.done", output_index=1, item=call(1) | {"arguments": '{"b":2}'}),
        event("response.function_call_arguments.delta", output_index=0, delta=":1}"),
        event("response.output_item.done", output_index=0, item=call(0) | {"arguments": '{"a":1}'}),
        event("response.completed", response={"status": "completed"}),
    ]
    for client in (DIALECT, CLIENTS["anthropic"]):
        relay = make_relay(Origin(DIALECT, "p"), client, decode(stream=True))
        frames = [frame for piece in stream for frame in relay.feed(piece)] + relay.end()
        assert (frames[-1].kind, relay.stop_reason, relay.complete) == ("terminal", "tool_use", True)
    said = b"".join(frame.data for frame in frames)
    pieces = [json.loads(line[6:]) for line in said.split(b"\n") if line.startswith(b"data: ")]
    arguments = ["", ""]
    for piece in pieces:
        if piece["type"] == "content_block_delta":
            arguments[piece["index"]] += piece["delta"]["partial_json"]
    assert arguments == ['{"a":1}', '{"b":2}']


def test_reasoning_goes_back_to_who_gave_it_and_to_nobody_else() -> None:
    item = {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "hm"}],
        "encrypted_content": "E",
    }
    opaque = {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "F"}
    call = {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": "{}"}
    whole = {"object": "response", "id": "resp_1", "status": "completed", "output": [item, opaque, call]}
    answer = DIALECT.decode_response(json.dumps(whole).encode())
    content = sealed_response(answer, "p").content
    turn = decode({"role": "user", "content": "go"})
    turn.messages[0].role = "assistant"
    turn.messages[0].content = content
    for provider, expected in (("p", [("rs_1", "E"), ("rs_2", "F")]), ("q", [])):
        body = json.loads(DIALECT.encode_request(turn, Candidate(Target(provider, "gpt-5.1"))))
        found = [(each["id"], each["encrypted_content"]) for each in body["input"] if each["type"] == "reasoning"]
        assert found == expected
    assert body["store"] is False
    assert body["include"] == ["reasoning.encrypted_content"]


def test_usage_is_counted_once() -> None:
    usage = {"input_tokens": 20, "output_tokens": 5, "input_tokens_details": {"cached_tokens": 12}}
    body = {"object": "response", "status": "completed", "output": [], "usage": usage}
    assert DIALECT.decode_response(json.dumps(body).encode()).usage == Usage(input=8, cache_read=12, output=5)


CREATED = event("response.created", response={"id": "resp_1", "model": "m", "status": "in_progress"})
MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
SAID = [{"type": "output_text", "text": "hi", "annotations": []}]
GOOD = (
    CREATED
    + event("response.output_item.added", output_index=0, item=MESSAGE)
    + event("response.output_text.delta", item_id="msg_1", output_index=0, content_index=0, delta="hi")
    + event("response.output_item.done", output_index=0, item=MESSAGE | {"content": SAID, "status": "completed"})
    + event("response.completed", response={"id": "resp_1", "status": "completed", "output": []})
)
SUCCESS = {"anthropic": b"event: message_stop", "openai": b'"finish_reason":"stop"'}


@pytest.mark.parametrize("client", CLIENTS)
def test_no_cut_of_a_good_stream_is_a_success(client: str) -> None:
    for at in range(len(GOOD) + 1):
        for chunks in ([GOOD[:at]], [GOOD[here : here + 1] for here in range(at)]):
            relay = make_relay(Origin(DIALECT, "p"), CLIENTS[client], decode(stream=True))
            frames = [frame for piece in chunks for frame in relay.feed(piece)] + relay.end()
            whole = at == len(GOOD)
            assert (frames[-1].kind, relay.complete) == ("terminal" if whole else "error", whole), at
            shown = b"".join(frame.data for frame in frames)
            assert (b"response.completed" in shown if client == DIALECT.name else SUCCESS[client] in shown) is whole, at


def test_errors_go_on_counting() -> None:
    """Whoever finds the fault, the last event's number is the next; also where a delta like the last was not parsed."""
    delta = event("response.output_text.delta", item_id="msg_1", output_index=0, content_index=0, delta="hi")
    opening = [CREATED, event("response.output_item.added", output_index=0, item=MESSAGE), delta, delta, delta]
    numbered = [piece.replace(b'{"type"', b'{"sequence_number": %d, "type"' % at) for at, piece in enumerate(opening)]
    relay = make_relay(Origin(DIALECT, "p"), DIALECT, decode(stream=True))
    frames = [frame for piece in numbered for frame in relay.feed(piece)]
    assert b"".join(frame.data for frame in frames) == b"".join(numbered)
    last = json.loads(relay.fail("timeout_error", "too slow").partition(b"data: ")[2])
    assert (last["type"], last["sequence_number"]) == ("response.failed", 5)
    assert (last["response"]["id"], last["response"]["status"], last["error"]["message"]) == (
        "resp_1",
        "failed",
        "too slow",
    )


def test_a_change_leaves_reasoning_to_its_own_provider() -> None:
    """With a change between them even a stream of the same dialect is read and written anew: ids and all survive."""
    items: list[dict[str, Any]] = [
        {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "E"},
        {
            "id": "rs_2",
            "type": "reasoning",
            "summary": [{"type": "summary_text", "text": "hm"}],
            "encrypted_content": "F",
        },
    ]
    stream = CREATED
    for at, item in enumerate(items):
        stream += event("response.output_item.added", output_index=at, item=item | {"summary": []})
        stream += event("response.output_item.done", output_index=at, item=item)
    stream += event("response.completed", response={"id": "resp_1", "status": "completed", "output": []})
    relay = make_relay(Origin(DIALECT, "p", (CutAtStop(["never"]),)), DIALECT, decode(stream=True))
    data = b"".join(frame.data for frame in relay.feed(stream))
    assert json.loads(data.rstrip().rpartition(b"data: ")[2])["response"]["output"] == items


def test_reasoning_that_comes_as_a_summary_and_as_text_is_told_once() -> None:
    item: dict[str, Any] = {"id": "rs_1", "type": "reasoning", "summary": [], "content": []}
    stream = CREATED + event("response.output_item.added", output_index=0, item=item)
    stream += event("response.reasoning_summary_text.delta", output_index=0, summary_index=0, delta="short")
    stream += event("response.reasoning_text.delta", output_index=0, content_index=0, delta="a long text")
    stream += event("response.output_item.done", output_index=0, item=item)
    decoder = DIALECT.stream_decoder()
    said = [each.data for each in decoder.feed(stream) if isinstance(each, BlockDelta)]
    assert said == ["short"]
