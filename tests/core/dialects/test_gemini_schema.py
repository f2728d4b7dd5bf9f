import json
from typing import Any

import pytest
from msgspec import Raw

from core.dialects.gemini_schema import MAX_DEPTH, answer, parameters


def raw(schema: Any) -> Raw:
    return Raw(json.dumps(schema).encode())


def of(schema: Any, **root: Any) -> Any:
    """What becomes of a property."""
    cleaned = parameters(raw({"type": "object", "properties": {"p": schema}} | root))
    assert cleaned is not None
    return json.loads(bytes(cleaned))["properties"]["p"]


ANYTHING = {"anyOf": [{"type": "STRING"}, {"type": "NUMBER"}, {"type": "BOOLEAN"}, {"type": "OBJECT"}]}
NODE = {"type": "object", "properties": {"v": {"type": "string"}, "next": {"$ref": "#/$defs/Node"}}}
TEXT = {"$defs": {"Text": {"type": "string", "description": "a text"}}}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"type": "string"}, {"type": "STRING"}),
        ({"type": "string", "$schema": "x", "const": "w", "exclusiveMinimum": 1}, {"type": "STRING", "enum": ["w"]}),
        ({"type": "object", "additionalProperties": {"type": "string"}, "propertyNames": {}}, {"type": "OBJECT"}),
        # null, and lists of types
        ({"type": ["string", "null"]}, {"type": "STRING", "nullable": True}),
        ({"type": ["string", "integer"]}, {"anyOf": [{"type": "STRING"}, {"type": "INTEGER"}]}),
        (
            {"type": ["object", "array", "null"], "properties": {"a": {"type": "string"}}, "items": {"type": "number"}},
            {
                "anyOf": [
                    {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}},
                    {"type": "ARRAY", "items": {"type": "NUMBER"}},
                ],
                "nullable": True,
            },
        ),
        ({"type": "null"}, {"type": "STRING", "nullable": True}),
        (
            {"anyOf": [{"type": ["string", "null"]}, {"type": "number"}]},
            {"anyOf": [{"type": "STRING"}, {"type": "NUMBER"}], "nullable": True},
        ),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, {"type": "STRING", "nullable": True}),
        ({"oneOf": [{"type": "string"}, {"type": "number"}]}, {"anyOf": [{"type": "STRING"}, {"type": "NUMBER"}]}),
        ({"anyOf": [{"enum": ["a"]}, {"enum": [None]}]}, {"type": "STRING", "enum": ["a"], "nullable": True}),
        ({"type": "string", "anyOf": [{"minLength": 3}, {"minLength": 3}]}, {"type": "STRING", "minLength": 3}),
        # enums: of strings only, none empty, none null
        ({"enum": ["a", "b", "a"]}, {"type": "STRING", "enum": ["a", "b"]}),
        ({"enum": ["a", None]}, {"type": "STRING", "enum": ["a"], "nullable": True}),
        ({"type": "string", "enum": ["", "a"]}, {"type": "STRING", "description": 'One of: "", "a".'}),
        ({"type": "integer", "enum": [1, 2]}, {"type": "INTEGER", "description": "One of: 1, 2."}),
        ({"enum": [1, "a"]}, {"type": "STRING", "description": 'One of: 1, "a".'}),
        ({"const": True}, {"type": "BOOLEAN", "description": "One of: true."}),
        ({"type": "string", "enum": []}, {"type": "STRING"}),
        ({"type": "string", "format": "enum"}, {"type": "STRING"}),
        # formats and bounds
        ({"type": "string", "format": "date-time"}, {"type": "STRING", "format": "date-time"}),
        ({"type": "string", "format": "uri", "description": "d"}, {"type": "STRING", "description": "d Format: uri."}),
        ({"type": "integer", "format": "int64", "minimum": 1}, {"type": "INTEGER", "format": "int64", "minimum": 1}),
        ({"type": "integer", "exclusiveMinimum": 0, "multipleOf": 2}, {"type": "INTEGER"}),
        ({"type": "string", "minItems": 1, "minimum": 1}, {"type": "STRING"}),
        ({"type": "string", "minLength": -1, "maxLength": 2**70}, {"type": "STRING"}),
        ({"type": "string", "minLength": 1.5, "pattern": "^a$"}, {"type": "STRING", "pattern": "^a$"}),
        ({"type": "string", "pattern": "(?=a)b"}, {"type": "STRING"}),
        ({"type": "string", "pattern": r"(a)\1"}, {"type": "STRING"}),
        # what has no type
        ({}, ANYTHING),
        (True, ANYTHING),
        ({"description": "any"}, ANYTHING | {"description": "any"}),
        ({"properties": {"a": {"type": "string"}}}, {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}}),
        ({"minimum": 1}, {"type": "NUMBER", "minimum": 1}),
        ({"type": "banana"}, ANYTHING),
        # arrays: their elements are always told
        ({"type": "array"}, {"type": "ARRAY", "items": ANYTHING}),
        ({"type": "array", "items": {}}, {"type": "ARRAY", "items": ANYTHING}),
        ({"items": [{"type": "string"}]}, {"type": "ARRAY", "items": {"type": "STRING"}}),
        (
            {"type": "array", "prefixItems": [{"type": "string"}, {"type": "number"}], "minItems": 2},
            {"type": "ARRAY", "minItems": 2, "items": {"anyOf": [{"type": "STRING"}, {"type": "NUMBER"}]}},
        ),
        # objects
        (
            {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a", "b", 1, "a"]},
            {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}, "required": ["a"]},
        ),
        ({"type": "object", "properties": {}, "required": ["a"]}, {"type": "OBJECT"}),
        ({"type": "object", "properties": [], "required": "abc"}, {"type": "OBJECT"}),
        (
            {
                "properties": {"a": {"type": "string"}},
                "anyOf": [{"required": ["a"]}, {"properties": {"b": {"const": "x"}}}],
            },
            {"type": "OBJECT", "properties": {"a": {"type": "STRING"}, "b": {"type": "STRING", "enum": ["x"]}}},
        ),
        (
            {"allOf": [{"properties": {"a": {"type": "string"}}, "required": ["a"]}, {"description": "d"}]},
            {"type": "OBJECT", "description": "d", "properties": {"a": {"type": "STRING"}}, "required": ["a"]},
        ),
        # what is there under a wrong type counts as not there
        ({"type": "string", "title": 1, "description": ["x"], "enum": "abc", "format": 3}, {"type": "STRING"}),
        ({"anyOf": "x", "allOf": 1, "$ref": 7, "type": "string"}, {"type": "STRING"}),
        ({"anyOf": [], "type": "number"}, {"type": "NUMBER"}),
    ],
)
def test_what_has_a_form_keeps_it_and_nothing_else_is_left(given: Any, expected: Any) -> None:
    assert of(given) == expected


@pytest.mark.parametrize(
    ("given", "root", "expected"),
    [
        ({"$ref": "#/$defs/Text"}, TEXT, {"type": "STRING", "description": "a text"}),
        ({"$ref": "#/$defs/Text", "description": "mine"}, TEXT, {"type": "STRING", "description": "mine"}),
        ({"$ref": "#/$defs/Nowhere"}, TEXT, {"type": "OBJECT"}),
        ({"$ref": "https://example.com/x"}, {}, {"type": "OBJECT"}),
        ({"$ref": "#/definitions/a~1b"}, {"definitions": {"a/b": {"type": "number"}}}, {"type": "NUMBER"}),
        (
            {"$ref": "#/$defs/Node"},
            {"$defs": {"Node": NODE}},
            {"type": "OBJECT", "properties": {"v": {"type": "STRING"}, "next": {"type": "OBJECT"}}},
        ),
        ({"$ref": "#/properties/p"}, {}, {"type": "OBJECT"}),
        (
            {"$ref": "#/$defs/a"},
            {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}},
            {"type": "OBJECT"},
        ),
    ],
)
def test_references_are_put_in_where_they_stand(given: Any, root: Any, expected: Any) -> None:
    assert of(given, **root) == expected


@pytest.mark.parametrize(
    "schema", [{}, {"type": "object"}, {"type": "object", "properties": {}}, {"type": "string"}, 5]
)
def test_a_function_without_parameters_says_nothing_of_them(schema: Any) -> None:
    assert parameters(raw(schema)) is None


def test_parameters_that_are_one_of_several_objects_are_one_object() -> None:
    def variant(kind: str, **more: Any) -> Any:
        properties = {"kind": {"const": kind}, "id": {"type": "string"}} | more
        return {"type": "object", "properties": properties, "required": ["kind", *more]}

    given = raw({"oneOf": [variant("a", x={"type": "string"}), variant("b", x={"type": "number"})], "description": "d"})
    assert json.loads(bytes(parameters(given) or b"")) == {
        "type": "OBJECT",
        "description": "d",
        "properties": {
            "kind": {"type": "STRING", "enum": ["a", "b"]},
            "id": {"type": "STRING"},
            "x": {"anyOf": [{"type": "STRING"}, {"type": "NUMBER"}]},
        },
        "required": ["kind", "x"],
    }


def test_the_properties_of_an_answer_keep_their_order() -> None:
    inner = {"type": "object", "properties": {"z": {"type": "string"}, "a": {"type": "string"}}}
    cleaned = json.loads(bytes(answer(raw({"type": "object", "properties": {"y": inner, "b": {"type": "number"}}}))))
    assert cleaned["propertyOrdering"] == ["y", "b"]
    assert cleaned["properties"]["y"]["propertyOrdering"] == ["z", "a"]


def deepest(schema: Any) -> int:
    inside = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ()
    return 1 + max(map(deepest, inside), default=0)


def fan(width: int, depth: int) -> Any:
    """References to references: unfolded, width to the power of depth."""
    names = {
        f"d{n}": {"type": "object", "properties": {f"p{i}": {"$ref": f"#/$defs/d{n + 1}"} for i in range(width)}}
        for n in range(depth)
    }
    return {"$defs": names, "type": "object", "properties": {"a": {"$ref": "#/$defs/d0"}}}


def everything_of(width: int, depth: int) -> Any:
    names = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * width} for n in range(depth)}
    return {"$defs": names, "type": "object", "properties": {"a": {"$ref": "#/$defs/d0"}}}


def repeated() -> Any:
    one = {"type": "string", "description": "x" * 50_000, "enum": ["y" * 50_000], "title": "z" * 50_000}
    return {"$defs": {"b": one}, "type": "object", "properties": {f"p{n}": {"$ref": "#/$defs/b"} for n in range(2000)}}


@pytest.mark.parametrize("bomb", [fan(10, 30), everything_of(10, 30), repeated()])
def test_a_schema_that_unfolds_to_more_than_memory_holds_stays_small(bomb: Any) -> None:
    assert len(parameters(raw(bomb)) or b"") < 3_000_000


def test_depth_is_bounded() -> None:
    deep: Any = {"type": "string"}
    for _ in range(60):
        deep = {"type": "object", "properties": {"d": deep}}
    assert deepest(of(deep)) <= 2 * (MAX_DEPTH + 2)


def test_an_ordinary_schema_is_never_cut() -> None:
    wide = {"type": "object", "properties": {f"p{n}": {"type": "string", "description": "d"} for n in range(5000)}}
    cleaned = parameters(raw(wide))
    assert len(json.loads(bytes(cleaned or b"{}"))["properties"]) == 5000
