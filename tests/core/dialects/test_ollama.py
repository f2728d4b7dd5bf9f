"""What the golden cases cannot say: limits, and how the context window grows."""

import msgspec
import pytest
from msgspec import Raw

from core.dialects import PROVIDERS
from core.dialects.ollama_encode import MAX_ALLOWANCE, MIN_CONTEXT, context
from core.dialects.ollama_schema import MAX_REFERENCES, parameters
from core.errors import UpstreamFailed
from core.exchange import Candidate, Target
from core.messages import Message, Request

OLLAMA = PROVIDERS["ollama"]
REQUEST = Request(dialect="anthropic", raw=b"{}", model="m", messages=[Message(role="user", content=[])])


def test_where_it_is_asked_and_with_what() -> None:
    assert OLLAMA.path(REQUEST, Candidate(Target("p", "m"))) == "/api/chat"
    assert OLLAMA.auth_headers("", "http://127.0.0.1:11434") == {}
    assert OLLAMA.auth_headers("k", "https://ollama.com") == {"authorization": "Bearer k"}


def test_the_context_holds_the_request_and_its_answer_and_grows_in_few_steps() -> None:
    asked = [context(tokens, 4000, None) for tokens in range(0, 200_000, 500)]
    assert asked == sorted(asked)
    assert asked[0] == MIN_CONTEXT
    assert len(set(asked)) == 11  # to 262 144 tokens: each is a load of the model
    for tokens, window in zip(range(0, 200_000, 500), asked, strict=True):
        assert window >= tokens * 5 // 4 + 4000
        assert window < 2 * (tokens * 5 // 4 + 4000 + 256) or window == MIN_CONTEXT


def test_the_context_is_not_over_the_model_s_nor_filled_with_what_nobody_writes() -> None:
    assert context(30_000, 4000, 32_768) == 32_768
    assert context(1000, 4000, 4096) == 4096
    assert context(1000, 128_000, None) == context(1000, MAX_ALLOWANCE, None) == context(1000, None, None)


def test_a_schema_that_refers_to_itself_ends() -> None:
    schema = {"$defs": {"n": {"properties": {"a": {"$ref": "#/$defs/n"}, "b": {"$ref": "#/$defs/n"}}}}}
    clean = parameters(Raw(msgspec.json.encode(schema | {"properties": {"root": {"$ref": "#/$defs/n"}}})))
    assert bytes(clean).count(b'"a"') < 2 * MAX_REFERENCES
    again = msgspec.json.decode(clean)["properties"]["root"]["properties"]
    assert set(again) == {"a", "b"}


@pytest.mark.parametrize("reference", ["#/$defs/none", "#", "https://example.com/x", "#/$defs/a~1b/~0", 3])
def test_a_reference_that_leads_nowhere_allows_anything(reference: object) -> None:
    schema = Raw(msgspec.json.encode({"type": "object", "properties": {"x": {"$ref": reference, "description": "d"}}}))
    found = msgspec.json.decode(parameters(schema))["properties"]["x"]
    assert found["description"] == "d"
    assert "$ref" not in found


@pytest.mark.parametrize("schema", [b"{}", b"true", b"[]", b'{"type":["object"]}', b'{"type":"string"}'])
def test_parameters_are_always_an_object_of_properties(schema: bytes) -> None:
    found = msgspec.json.decode(parameters(Raw(schema)))
    assert isinstance(found["type"], str)
    assert found["properties"] == {}


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"", 502, "the provider's answer is not readable"),
        (b"<html>", 502, "the provider's answer is not readable"),
        (b"[]", 502, "the provider's answer is not readable"),
        (b'{"done":true}', 502, "no message with done: true"),
        (b'{"message":{"content":"Hi"},"done":false}', 502, "no message with done: true"),
        (b'{"message":{"content":"Hi"}}', 502, "no message with done: true"),
        (b'{"message":{"content":"H\xff"},"done":true}', 502, "the provider's answer is not readable"),
        (b'{"message":{"tool_calls":[{"function":{"name":"a","arguments":{]}}]},"done":true}', 502, "not readable"),
        (b'{"message":{"content":""},"done":true,"done_reason":"load"}', 502, "answered nothing"),
        (b'{"error":"model \\"x\\" not found"}', 502, 'model "x" not found'),
        (b'{"error":{"type":"rate_limit_error","message":"slow down"}}', 429, "slow down"),
    ],
)
def test_a_200_that_is_no_whole_answer_is_an_error(body: bytes, status: int, message: str) -> None:
    with pytest.raises(UpstreamFailed) as failed:
        OLLAMA.decode_response(body)
    assert (failed.value.status, failed.value.stage) == (status, "answered")
    assert message in failed.value.message


def test_no_cut_of_a_whole_answer_is_one() -> None:
    body = b'{"model":"m","message":{"role":"assistant","content":"Hi"},"done":true,"eval_count":2}'
    assert OLLAMA.decode_response(body + b"\n").content[0].text == "Hi"
    for at in range(len(body)):
        with pytest.raises(UpstreamFailed):
            OLLAMA.decode_response(body[:at])


def test_every_answer_and_call_has_an_id_of_its_own() -> None:
    body = b'{"message":{"tool_calls":[{"function":{"name":"a"}},{"function":{"name":"a"}}]},"done":true}'
    answers = [OLLAMA.decode_response(body) for _ in range(2)]
    ids = [answer.id for answer in answers] + [block.id for answer in answers for block in answer.content]
    assert len(set(ids)) == 6


def test_an_error_is_read_with_its_status() -> None:
    assert OLLAMA.decode_error(404, b'{"error":"model \'x\' not found"}') == (
        "not_found_error",
        "model 'x' not found",
    )
