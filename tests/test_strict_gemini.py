"""What we send to Gemini is what Gemini takes; and the judge of that sees what Gemini refuses."""

import json
from copy import deepcopy
from typing import Any

import pytest
from golden_matrix import load, scenarios
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw
from test_any_request import ANTHROPIC, OPENAI
from test_strict import changed

from core.dialects import CLIENTS, PROVIDERS
from core.dialects.gemini_schema import answer, parameters
from core.dialects.sealing import seal
from core.errors import BadRequest
from core.exchange import Candidate, Target
from core.messages import Block, Message, Request
from strict.gemini import problems, schema

MODELS = ("gemini-3-flash", "gemini-3-pro-preview", "gemini-3.1-pro", "gemini-2.5-pro", "gemini-2.5-flash-lite")
GEMINI = PROVIDERS["gemini"]
KEY = {"x-goog-api-key": "k"}


def wrong(request: Request, model: str) -> list[str]:
    """What Gemini would say of the request; nothing if it was refused here."""
    candidate = Candidate(Target("prov", model))
    try:
        body = GEMINI.encode_request(request, candidate)
    except BadRequest:
        return []
    return problems(GEMINI.path(request, candidate), KEY, json.loads(body))


@pytest.mark.parametrize(
    ("client", "scenario"), [(client, scenario) for client in CLIENTS for scenario in scenarios("requests", client)]
)
def test_every_request_of_the_matrix(client: str, scenario: str) -> None:
    request = CLIENTS[client].decode_request(load("requests", client, scenario).given.strip())
    assert {model: found for model in MODELS if (found := wrong(request, model))} == {}


#: The client's own mistakes, which are its provider's to tell it.
ITS_OWN = ("Duplicate function", "Invalid function name", "inlineData", "fileUri and mimeType")


@given(
    body=st.one_of(st.tuples(st.just("anthropic"), ANTHROPIC), st.tuples(st.just("openai"), OPENAI)),
    model=st.sampled_from(MODELS),
)
@settings(max_examples=200)
def test_any_body(body: tuple[str, Any], model: str) -> None:
    client, sent = body
    try:
        request = CLIENTS[client].decode_request(json.dumps(sent).encode())
    except BadRequest:
        return
    assert [each for each in wrong(request, model) if not any(own in each for own in ITS_OWN)] == []


NAMES = st.sampled_from(["a", "b", "$defs", "c"])
SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "x", "y"]) | st.just(2**70)
TYPES = st.sampled_from(["string", "number", "integer", "boolean", "object", "array", "null", "banana", "STRING"])


def keywords(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A schema of any keywords with values that fit, mostly."""
    properties = st.dictionaries(NAMES, inner, max_size=3)
    fitting: dict[str, st.SearchStrategy[Any]] = {
        "type": TYPES | st.lists(TYPES, max_size=3),
        "properties": properties,
        "required": st.lists(NAMES, max_size=3),
        "items": inner | st.lists(inner, max_size=2),
        "prefixItems": st.lists(inner, max_size=2),
        "anyOf": st.lists(inner, max_size=3),
        "oneOf": st.lists(inner, max_size=2),
        "allOf": st.lists(inner, max_size=2),
        "enum": st.lists(SCALARS, max_size=3),
        "const": SCALARS,
        "format": st.sampled_from(["uri", "date-time", "int32", "enum"]),
        "$ref": st.sampled_from(["#", "#/$defs/a", "#/$defs/b", "#/properties/a", "#/nowhere", "x"]),
        "$defs": properties,
        "additionalProperties": st.booleans() | inner,
        "nullable": st.booleans(),
        **dict.fromkeys(("minLength", "maxItems", "minProperties", "minimum", "exclusiveMaximum", "pattern"), SCALARS),
        **dict.fromkeys(("description", "title", "default", "$schema", "not"), SCALARS),
    }
    return st.fixed_dictionaries({}, optional=fitting)


SCHEMAS = st.recursive(SCALARS | keywords(SCALARS), keywords, max_leaves=8)


@given(SCHEMAS)
@settings(max_examples=300)
def test_any_schema(given_schema: Any) -> None:
    raw = Raw(json.dumps(given_schema).encode())
    cleaned = parameters(raw)
    if cleaned is not None:
        assert list(schema("p", json.loads(bytes(cleaned)))) == []
        assert json.loads(bytes(cleaned))["type"] == "OBJECT"
    assert list(schema("p", json.loads(bytes(answer(raw))))) == []


IDS = st.sampled_from(["a", "b", "c"])
SEALS = st.sampled_from(["", "call.a.c2ln", "call.b.c2ln", "own.c2ln", "text.c2ln", "tail.c2ln", "x"])
BLOCKS = st.one_of(
    st.builds(lambda text: Block(type="text", text=text), st.sampled_from(["", "hello"])),
    st.builds(lambda id: Block(type="tool_use", id=id, name=f"f_{id}", input=Raw(b"{}")), IDS),
    st.builds(lambda id: Block(type="tool_result", tool_use_id=id, content="r"), IDS),
    st.builds(lambda value: Block(type="thinking", thinking="hm", signature=seal("prov", value)), SEALS),
    st.builds(lambda value: Block(type="redacted_thinking", data=seal("prov", value)), SEALS),
)
MESSAGES = st.builds(
    lambda role, content: Message(role=role, content=content),
    st.sampled_from(["user", "assistant", "system"]),
    st.lists(BLOCKS, max_size=4),
)


@given(messages=st.lists(MESSAGES, max_size=6), model=st.sampled_from(MODELS))
@settings(max_examples=400)
def test_any_conversation(messages: list[Message], model: str) -> None:
    assert wrong(Request(dialect="openai", raw=b"", model="m", messages=messages), model) == []


# --- the judge itself ------------------------------------------------------------------------------------------------

CALL = {"functionCall": {"id": "c", "name": "f", "args": {}}, "thoughtSignature": "c2ln"}
RESPONSE = {"functionResponse": {"id": "c", "name": "f", "response": {"output": "r"}}}
TEXT = {"text": "go"}
PROPERTIES = {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}}
GOOD = {
    "contents": [
        {"role": "user", "parts": [TEXT]},
        {"role": "model", "parts": [CALL]},
        {"role": "user", "parts": [RESPONSE]},
    ],
    "tools": [{"functionDeclarations": [{"name": "f", "parameters": PROPERTIES}]}],
    "generationConfig": {"maxOutputTokens": 5, "thinkingConfig": {"thinkingLevel": "low"}},
}
PATH = "/models/gemini-3-flash:generateContent"


def said_of(model: str, body: Any) -> str:
    return " ".join(problems(f"/v1beta/models/{model}:generateContent", KEY, body))


FUNCTION, CONFIG = "tools.0.functionDeclarations.0", "generationConfig"


def test_a_good_request_is_taken() -> None:
    assert problems(PATH, KEY, deepcopy(GOOD)) == []
    assert problems("/v1beta/models/gemini-3-flash:streamGenerateContent?alt=sse", KEY, deepcopy(GOOD)) == []
    assert said_of("gemini-3-flash", changed(GOOD, "toolConfig", {"functionCallingConfig": {"mode": "ANY"}})) == ""


@pytest.mark.parametrize(
    ("where", "value", "why"),
    [
        ("contents", [], "contents is not specified"),
        ("model", "m", 'Unknown name "model"'),
        ("contents.0.role", "assistant", "valid role"),
        ("contents.1.role", "user", "alternate"),
        ("contents.0.parts", [], "must not be empty"),
        ("contents.0.parts.0", {"text": ""}, "must not be empty"),
        ("contents.0.parts.0", {"text": "a", "inlineData": {"mimeType": "a/b", "data": "AA=="}}, "oneof"),
        ("contents.0.parts.0", {"thought": True}, "oneof"),
        ("contents.0.parts.0", {"text": "a", "cache_control": {}}, "Unknown name"),
        ("contents.0.parts.0", {"inlineData": {"mimeType": "image/png", "data": "??"}}, "Base64"),
        ("contents.0.parts.0", {"inlineData": {"mimeType": "", "data": "AA=="}}, "mimeType is required"),
        ("contents.0.parts.0", {"fileData": {"fileUri": "x"}}, "are required"),
        ("contents.1.parts.0.functionCall.args", [], "an object"),
        ("contents.1.parts.0.functionCall.arguments", {}, "Unknown name"),
        ("contents.1.parts.0.thoughtSignature", ..., "missing a thought_signature"),
        ("contents.1.parts.0.thoughtSignature", "??", "Base64"),
        ("contents.2.parts.0.functionResponse.name", "", "Name cannot be empty"),
        ("contents.2.parts.0.functionResponse.response", "r", "an object"),
        ("contents.2.parts.0.functionResponse.id", "d", "do not match"),
        ("contents.2.parts.0.functionResponse.name", "g", "do not match"),
        ("contents.2.parts", [TEXT, RESPONSE], "behind other parts"),
        ("contents.2.parts", [RESPONSE, RESPONSE], "number of function response parts"),
        ("contents.2.parts", [TEXT], "number of function response parts"),
        ("contents.1.parts", [TEXT], "immediately after a function call turn"),
        ("contents.2", ..., "end with a user role"),
        ("systemInstruction", {"parts": [{"text": ""}]}, "system_instruction"),
        (f"{FUNCTION}.name", "0f", "Invalid function name"),
        (f"{FUNCTION}.strict", True, "Unknown name"),
        (f"{FUNCTION}.parameters", {"type": "OBJECT"}, "should be non-empty"),
        (f"{FUNCTION}.parameters.additionalProperties", False, "Unknown name"),
        (f"{FUNCTION}.parameters.required", ["b"], "not defined"),
        (f"{FUNCTION}.parameters.properties.a", {"type": ["STRING"]}, "Invalid value"),
        (f"{FUNCTION}.parameters.properties.a", {"type": "string"}, "Invalid value"),
        (f"{FUNCTION}.parameters.properties.a", {}, "must be specified"),
        (f"{FUNCTION}.parameters.properties.a", [], "not repeating"),
        (f"{FUNCTION}.parameters.properties.a", {"type": "ARRAY"}, "items: missing field"),
        (f"{FUNCTION}.parameters.properties.a", {"type": "INTEGER", "enum": ["1"]}, "only allowed for"),
        (f"{FUNCTION}.parameters.properties.a.enum", [""], "cannot be empty"),
        (f"{FUNCTION}.parameters.properties.a.enum", [], "non-empty"),
        (f"{FUNCTION}.parameters.properties.a.format", "uri", "format"),
        (f"{FUNCTION}.parameters.properties.a.minLength", -1, "TYPE_INT64"),
        (f"{FUNCTION}.parameters.properties.a", {"type": "OBJECT", "properties": {}}, "should be non-empty"),
        (f"{FUNCTION}.parameters.properties.a", {"anyOf": [{"type": "x"}]}, "any_of[0]"),
        ("tools.0.functionDeclarations", [{"name": "f"}, {"name": "f"}], "Duplicate"),
        ("tools.0.googleSearch", {}, "include_server_side_tool_invocations"),
        ("toolConfig", {"functionCallingConfig": {"mode": "any"}}, "Invalid value"),
        ("toolConfig", {"functionCallingConfig": {"allowedFunctionNames": ["f"]}}, "only be set when"),
        ("toolConfig", {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["g"]}}, "only be set when"),
        (f"{CONFIG}.max_tokens", 1, "Unknown name"),
        (f"{CONFIG}.stopSequences", list("abcdef"), "stop sequences"),
        (f"{CONFIG}.temperature", 2.5, "temperature"),
        (f"{CONFIG}.maxOutputTokens", 0, "max_output_tokens"),
        (f"{CONFIG}.responseSchema", {"type": "STRING"}, "response_mime_type"),
        (f"{CONFIG}.thinkingConfig", {"thinkingLevel": "low", "thinkingBudget": 1}, "only set one"),
        (f"{CONFIG}.thinkingConfig", {"thinkingLevel": "none"}, "not supported"),
    ],
)
def test_what_is_wrong_is_seen(where: str, value: Any, why: str) -> None:
    assert why in said_of("gemini-3-flash", changed(GOOD, where, value))


@pytest.mark.parametrize(
    ("model", "where", "value", "why"),
    [
        ("gemini-3-pro", CONFIG, {"thinkingConfig": {"thinkingLevel": "minimal"}}, "not supported"),
        ("gemini-3-pro", CONFIG, {"thinkingConfig": {"thinkingLevel": "medium"}}, "not supported"),
        ("gemini-2.5-pro", CONFIG, {"thinkingConfig": {"thinkingBudget": 0}}, "budget"),
        ("gemini-2.5-flash", CONFIG, {"thinkingConfig": {"thinkingBudget": 30_000}}, "budget"),
        ("gemini-2.5-flash", CONFIG, {"thinkingConfig": {"thinkingLevel": "low"}}, "not supported"),
        ("gemini-2.0-flash", CONFIG, {"thinkingConfig": {"thinkingBudget": 1}}, "not enabled"),
        ("gemini-2.5-flash", CONFIG, {"responseMimeType": "application/json"}, "unsupported"),
        ("gemini-2.5-flash", "tools.0.googleSearch", {}, "with function calling is unsupported"),
        ("gemini-2.5-flash", "contents.2.parts.0.functionResponse.parts", [{"inlineData": {}}], "multimodal"),
    ],
)
def test_what_is_wrong_for_a_model_is_seen(model: str, where: str, value: Any, why: str) -> None:
    assert why in said_of(model, changed(GOOD, where, value))


def test_the_address_and_the_key_are_looked_at() -> None:
    assert problems(PATH, {}, deepcopy(GOOD)) == ["403 Method doesn't allow unregistered callers"]
    assert problems("/models/gemini-3-flash:streamGenerateContent", KEY, {})[0].startswith("404")


def test_a_turn_that_is_over_needs_no_signature() -> None:
    body = deepcopy(GOOD)
    del body["contents"][1]["parts"][0]["thoughtSignature"]  # type: ignore[index]
    body["contents"] += [{"role": "model", "parts": [TEXT]}, {"role": "user", "parts": [TEXT]}]  # type: ignore[operator]
    assert problems(PATH, KEY, body) == []
