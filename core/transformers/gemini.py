"""`gemini`: Gemini's OpenAI-compatible side. Its own API is a dialect, which needs nothing of this.

It takes no more of JSON Schema than its own API does.
"""

from typing import Any

import msgspec
from msgspec import Raw

from core.dialects.gemini_schema import answer, parameters
from core.dialects.splice import Edit
from core.transformers.base import GEMINI, OPENAI, Facts, Options, Transformer
from core.transformers.body import Body

_EMPTY = b'{"type":"object","properties":{}}'


def _request(body: Body, _: Options, facts: Facts) -> None:
    if facts.dialect != OPENAI:
        return
    edits: dict[str | int, Edit] = {
        number: {"function": {"parameters": _cleaned}}
        for number, tool in body.each("tools")
        if b'"parameters"' in bytes(tool.get("function", b""))
    }
    body.edit("tools", edits)
    if body.get("response_format", "json_schema", "schema"):
        body.edit("response_format", {"json_schema": {"schema": lambda raw: _lower(bytes(answer(Raw(raw))))}})


def _cleaned(schema: bytes) -> bytes:
    cleaned = parameters(Raw(schema))
    return _EMPTY if cleaned is None else _lower(bytes(cleaned))


def _lower(schema: bytes) -> bytes:
    """As JSON Schema writes it: the API's own words for types are in capitals, and it orders properties."""
    return msgspec.json.encode(_with_lower_types(msgspec.json.decode(schema)))


def _with_lower_types(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_with_lower_types(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    named = {name: _with_lower_types(each) for name, each in schema.get("properties", {}).items()}
    schema = {key: value for key, value in schema.items() if key != "propertyOrdering"}
    rest = {key: _with_lower_types(value) for key, value in schema.items() if key in {"items", "anyOf"}}
    lower = {"type": schema["type"].lower()} if isinstance(schema.get("type"), str) else {}
    return schema | lower | rest | ({"properties": named} if named else {})


TRANSFORMER = Transformer(
    "gemini", "Cleans tool schemas for Gemini's OpenAI-compatible side.", (OPENAI, GEMINI), request=_request
)
