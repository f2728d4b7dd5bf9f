import json
from typing import Any

import pytest
from msgspec import Raw

from core.dialects.schema_instance import instance


def made(schema: Any) -> Any:
    return json.loads(instance(Raw(json.dumps(schema).encode())))


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({}, {}),
        ({"type": "string"}, "example"),
        ({"type": "string", "maxLength": 3}, "exa"),
        ({"type": "string", "minLength": 9}, "example.."),
        ({"type": "string", "format": "date"}, "2025-01-01"),
        ({"type": "string", "enum": ["a", "b"]}, "a"),
        ({"const": 5}, 5),
        ({"type": "integer"}, 1),
        ({"type": "integer", "minimum": 7}, 7),
        ({"type": "integer", "exclusiveMinimum": 7}, 8),
        ({"type": "integer", "maximum": -2}, -2),
        ({"type": "integer", "exclusiveMaximum": 1}, 0),
        ({"type": "integer", "minimum": 7, "multipleOf": 5}, 10),
        ({"type": "number", "minimum": 0.5, "maximum": 0.75}, 0.75),
        ({"type": "number", "exclusiveMinimum": 1}, 2),
        ({"type": "number", "exclusiveMinimum": 1, "exclusiveMaximum": 2}, 1.5),
        ({"type": "number", "exclusiveMaximum": 0}, -1),
        ({"type": ["null", "boolean"]}, True),
        ({"type": "null"}, None),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 2}, [1, 1]),
        ({"type": "array", "maxItems": 0, "items": {"type": "integer"}}, []),
        ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, 1),
        ({"allOf": [{"properties": {"a": {"const": 1}}}, {"properties": {"b": {"const": 2}}}]}, {"a": 1, "b": 2}),
        ({"type": "object", "properties": {"a": {"type": "string"}, "b": {}}, "required": ["a"]}, {"a": "example"}),
        ({"$defs": {"x": {"type": "integer"}}, "properties": {"a": {"$ref": "#/$defs/x"}}}, {"a": 1}),
        ({"$ref": "#/nowhere"}, {}),
    ],
)
def test_an_instance_fits_its_schema(schema: Any, expected: Any) -> None:
    assert made(schema) == expected


def test_a_schema_that_refers_to_itself_ends() -> None:
    made({"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"]})


def test_no_schema_gives_an_empty_object() -> None:
    assert instance(Raw()) == b"{}"
