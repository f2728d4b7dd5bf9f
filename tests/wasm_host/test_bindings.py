import re
from typing import Any

import msgspec
import pytest

from wasm_host import abi, bindings, manifest, projection
from wasm_host.answer import Illegal, judge
from wasm_host.manifest import Settings


@pytest.mark.parametrize("path", bindings.files())
def test_the_files_are_as_generated(path: str) -> None:
    """If this fails: python -m wasm_host.bindings."""
    assert (bindings.TEMPLATES / path).read_text("utf-8") == bindings.files()[path]


def test_no_generated_file_is_left_over() -> None:
    marked = {
        path.relative_to(bindings.TEMPLATES).as_posix()
        for path in bindings.TEMPLATES.rglob("*.*")
        if "do not edit" in path.read_text("utf-8") or path.match("schemas/*")
    }
    assert marked == set(bindings.files())


def test_every_field_that_a_rule_can_declare_has_an_accessor() -> None:
    declared = {path for path in projection._known_paths() if path not in ("request", "session", "client")}
    named = {".".join((("targets",) if field.item else ()) + field.path) for field in bindings.fields()}
    prices = {f"targets.price.{key}" for key in ("input", "output", "cache_read")}
    assert (named - prices - {"truncated"}) | {"targets.price"} == declared


def test_accessors_read_as_a_programmer_of_the_language_expects() -> None:
    files = bindings.files()
    assert "static inline long long rule_request_token_count(json view, long long otherwise)" in files["c/request.h"]
    assert "pub fn requestTokenCount(view: Json) ?i64" in files["zig/request.zig"]
    assert "pub fn request_token_count(view: Json) -> Option<i64>" in files["rust/request.rs"]
    assert "export function requestTokenCount(view: Json, otherwise: i64): i64" in files["assemblyscript/request.ts"]
    assert "func RequestTokenCount(view Value, otherwise int64) int64" in files["go/request.go"]
    assert "    token_count?: number;" in files["js/types.d.ts"]
    assert 'json_get(json_get(target, "price"), "input")' in files["c/request.h"]


@pytest.mark.parametrize("path", bindings.BINDINGS)
def test_limits_are_the_contracts(path: str) -> None:
    numbers = re.findall(r"(?i)(?:request|answer)_?max\b.*?= *(\d+)", bindings.files()[path])
    assert {int(number) for number in numbers} == {abi.LIMITS["request"].cap, abi.ANSWER}


def test_the_schema_of_a_request_knows_the_example_in_its_order() -> None:
    schema = bindings.request_schema()
    assert tuple(schema["properties"]) == abi.REQUEST_KEYS
    assert conforms(abi.EXAMPLE, schema)
    assert not conforms(abi.EXAMPLE | {"seed": "42"}, schema)
    assert conforms({"request": {"max_tokens": None}}, schema)
    assert not conforms({"request": {"token_count": None}}, schema)


ANSWERS = [
    {"route": "a,b", "reason": "long", "score": 1000},
    {"abstain": True, "reason": "x" * 64},
    {"deny": {"status": 429, "message": "x" * 500}},
    {"error": {"code": "no_config"}},
    {"route": "a,b", "reason": "Long"},
    {"route": "a,b", "score": 1001},
    {"route": "a,b", "abstain": True},
    {"deny": {"status": 418}},
    {"deny": {"status": 429, "message": "x" * 501}},
    {},
]


@pytest.mark.parametrize("answer", ANSWERS, ids=str)
def test_the_schema_of_an_answer_allows_what_the_host_takes(answer: dict[str, Any]) -> None:
    try:
        judge(msgspec.json.encode(answer), Settings(allow_deny=True), frozenset({"a,b"}))
        legal = True
    except Illegal:
        legal = False
    assert conforms(answer, bindings.answer_schema()) is legal


def test_the_schema_of_a_manifest_has_every_key_in_every_place() -> None:
    known = set(manifest._Layer.__struct_fields__)
    properties = bindings.manifest_schema()["properties"]
    assert set(properties) == known | {"rule", "policy", "test"}
    assert set(properties["rule"]["properties"]) == set(properties["policy"]["properties"]) == known


TYPES = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool, "null": type(None)}


def conforms(value: Any, schema: dict[str, Any]) -> bool:
    """The part of JSON Schema that the generator uses."""
    kinds = schema.get("type", [])
    names = kinds if isinstance(kinds, list) else [kinds]
    fits = not names or type(value) in {TYPES[name] for name in names}
    fits &= value == schema.get("const", value) and value in schema.get("enum", [value])
    if isinstance(value, str):
        fits &= len(value) <= schema.get("maxLength", len(value)) and bool(re.search(schema.get("pattern", ""), value))
    elif isinstance(value, int):
        fits &= schema.get("minimum", value) <= value <= schema.get("maximum", value)
    elif isinstance(value, list):
        fits &= all(conforms(item, schema.get("items", {})) for item in value)
    elif isinstance(value, dict):
        kinds = schema.get("oneOf", [{"required": []}])
        fits &= sum(set(kind["required"]) <= set(value) for kind in kinds) == 1
        fits &= set(schema.get("required", [])) <= set(value)
        fits &= all(conforms(item, schema.get("properties", {}).get(key, {})) for key, item in value.items())
    return fits
