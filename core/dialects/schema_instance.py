"""A small instance of a JSON Schema: what a simulated tool call or structured answer is filled with.

Only what tool and answer schemas use: types, properties, required, items, enum, const, default, examples, bounds,
any/one/all-of, local `$ref`. For anything else the instance may not fit: this is for simulated answers.
"""

import math
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
            count = max(schema.get("minItems", 0), min(1, schema.get("maxItems", 1)))
            return [_of(schema.get("items", {}), root, depth + 1) for _ in range(min(count, 10))]
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
    """A number within the bounds, near 1; for whole numbers also a multiple of `multipleOf`."""
    step = schema.get("multipleOf", 1)
    low = max(schema.get("minimum", -math.inf), schema.get("exclusiveMinimum", -math.inf))
    high = min(schema.get("maximum", math.inf), schema.get("exclusiveMaximum", math.inf))
    if not whole:
        inner = min(max(1.0, low), high)
        at_bound = inner in (schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum"))
        return _between(low, high) if at_bound else inner
    value = math.ceil(max(low, min(1, high)) / step) * step
    if value == schema.get("exclusiveMinimum"):
        value += step
    if value > high or value == schema.get("exclusiveMaximum"):
        value -= step
    return int(value)


def _between(low: float, high: float) -> float:
    """A number strictly between two bounds, of which either may be infinite."""
    if math.isinf(low):
        return high - 1
    return low + 1 if math.isinf(high) else (low + high) / 2


def _resolve(ref: str, root: Any) -> Any:
    """A local reference, `#/$defs/Name`."""
    found = root
    for part in ref.removeprefix("#").split("/"):
        if part:
            found = found.get(part.replace("~1", "/").replace("~0", "~"), {}) if isinstance(found, dict) else {}
    return found
