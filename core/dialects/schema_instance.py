"""A small instance of a JSON Schema: what a simulated tool call or structured answer is filled with.

Only what tool and answer schemas use: types, properties, required, items, enum, const, default, examples, bounds,
any/one/all-of, local `$ref`. For anything else the instance may not fit: this is for simulated answers.
"""

from typing import Any

import msgspec
from msgspec import Raw

#: A `$ref` to itself ends here.
_MAX_DEPTH = 12
_FORMATS = {
    "date-time": "2025-01-01T00:00:00Z",
    "date": "2025-01-01",
    "time": "00:00:00Z",
    "email": "someone@example.com",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def instance(schema: Raw) -> bytes:
    """JSON bytes of an instance. The empty schema gives `{}`."""
    root = msgspec.json.decode(schema) if schema else {}
    return msgspec.json.encode(_of(root, root, 0))


def _of(schema: Any, root: Any, depth: int) -> Any:
    if not isinstance(schema, dict) or depth > _MAX_DEPTH:
        return {}
    if "$ref" in schema:
        return _of(_resolve(str(schema["$ref"]), root), root, depth + 1)
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    for key in ("enum", "examples"):
        if isinstance(schema.get(key), list) and schema[key]:
            return schema[key][0]
    if isinstance(schema.get("allOf"), list):
        parts = [_of(part, root, depth + 1) for part in schema["allOf"]]
        return _merged(parts)
    for key in ("anyOf", "oneOf"):
        if isinstance(schema.get(key), list) and schema[key]:
            return _of(schema[key][0], root, depth + 1)
    return _of_type(schema, root, depth)


def _merged(parts: list[Any]) -> Any:
    objects = [part for part in parts if isinstance(part, dict)]
    return {key: value for part in objects for key, value in part.items()} if objects else parts[0] if parts else {}


def _of_type(schema: dict[str, Any], root: Any, depth: int) -> Any:
    type = schema.get("type")
    if isinstance(type, list):
        type = next((each for each in type if each != "null"), "null")
    match type:
        case "string":
            return _string(schema)
        case "integer" | "number":
            return _number(schema, whole=type == "integer")
        case "boolean":
            return True
        case "null":
            return None
        case "array":
            return [_of(schema.get("items", {}), root, depth + 1) for _ in range(min(schema.get("minItems", 1), 10))]
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return {}
    wanted = schema.get("required", list(properties))
    return {name: _of(properties[name], root, depth + 1) for name in properties if name in wanted}


def _string(schema: dict[str, Any]) -> str:
    text = _FORMATS.get(str(schema.get("format")), "example")
    longest = schema.get("maxLength", len(text))
    return text.ljust(min(schema.get("minLength", 0), 1000), ".")[: max(longest, schema.get("minLength", 0))]


def _number(schema: dict[str, Any], *, whole: bool) -> int | float:
    """The least number that the bounds and multipleOf allow, at least 1 where they do not care."""
    step = schema.get("multipleOf", 1)
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    value = step
    if low is not None and value < low:
        value = -(-low // step) * step
    if "exclusiveMinimum" in schema and value <= schema["exclusiveMinimum"]:
        value = (schema["exclusiveMinimum"] // step + 1) * step
    if high is not None and value > high:
        value = high // step * step
    if "exclusiveMaximum" in schema and value >= schema["exclusiveMaximum"]:
        value -= step
    return int(value) if whole else value


def _resolve(ref: str, root: Any) -> Any:
    """A local reference, `#/$defs/Name`."""
    found = root
    for part in ref.removeprefix("#").split("/"):
        if part:
            found = found.get(part.replace("~1", "/").replace("~0", "~"), {}) if isinstance(found, dict) else {}
    return found
