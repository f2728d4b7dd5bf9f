"""A JSON Schema in Gemini's words: the subset of OpenAPI 3.0 that its `Schema` object has.

Source: Gemini API reference, "Schema". The API refuses what it does not know (`const`, `$ref`, a list as `type`), and
what it knows in the wrong place (`items` beside STRING, `required` names without a property, an empty `enum`). So a
schema is written anew: references are put in where they stand, a list of types becomes `anyOf`, null becomes
`nullable`, and what has no form is told in the description. Size and depth are bounded: a schema comes from a stranger,
and a few references to references would unfold to more than the memory holds.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Raw

#: Deepest level that is written; beyond it an object may be anything.
MAX_DEPTH = 24
#: What may be looked at, in characters: so much, and so many times the schema's own size. Without references that lead
#: to each other it is never used up.
ALLOWANCE, TIMES = 200_000, 2
#: What a schema within the schema costs of it, beside its texts and lists.
_NODE = 16
#: Larger schemas are cleaned each time: what is remembered must stay small.
_REMEMBERED_BYTES = 64 * 1024

_TYPES = frozenset({"string", "number", "integer", "boolean", "object", "array"})
#: Keywords that only one kind of type may have, with the Python type of their value.
_BOUNDS: dict[str, tuple[str, ...]] = {
    "STRING": ("minLength", "maxLength"),
    "ARRAY": ("minItems", "maxItems"),
    "OBJECT": ("minProperties", "maxProperties"),
}
_FORMATS = {"STRING": {"date-time"}, "NUMBER": {"float", "double"}, "INTEGER": {"int32", "int64"}}
_NAMES: dict[type, str] = {str: "string", bool: "boolean", int: "integer", float: "number", dict: "object"}
#: What a schema without a type says of it.
_HINTS = (
    ("object", ("properties", "required", "additionalProperties", "patternProperties")),
    ("array", ("items", "prefixItems", "minItems", "maxItems")),
    ("string", ("pattern", "minLength", "maxLength", "format")),
    ("number", ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")),
)
_INT64 = 2**63
_Schema = dict[str, Any]


def parameters(schema: Raw) -> Raw | None:
    """A function's parameters, an object; None if it takes none: Gemini refuses an object without properties."""
    return _remembered(bytes(schema), _parameters) if len(schema) <= _REMEMBERED_BYTES else _parameters(bytes(schema))


def answer(schema: Raw) -> Raw:
    """The schema of an answer. Its properties are named in their order, which would else be the alphabet's."""
    return Raw(msgspec.json.encode(_Cleaner(bytes(schema), ordered=True).whole()))


def _parameters(schema: bytes) -> Raw | None:
    cleaned = _as_object(_Cleaner(schema, ordered=False).whole())
    return Raw(msgspec.json.encode(cleaned)) if cleaned.get("properties") else None


@lru_cache(maxsize=512)
def _remembered(schema: bytes, clean: Any) -> Raw | None:
    result: Raw | None = clean(schema)
    return result


class _Cleaner:
    """One schema. `refs` are the references that were followed to get where we are."""

    def __init__(self, schema: bytes, *, ordered: bool) -> None:
        self._root: Any = msgspec.json.decode(schema)
        self._ordered = ordered
        self._left = ALLOWANCE + TIMES * len(schema)

    def whole(self) -> _Schema:
        return self._clean(self._root, (), 0)

    def _clean(self, schema: Any, refs: tuple[str, ...], depth: int) -> _Schema:
        schema, refs = self._flat(schema, refs)
        if depth > MAX_DEPTH or self._left <= 0:
            return {"type": "OBJECT"} | _described(schema)
        variants = schema.get("anyOf") or schema.get("oneOf")
        if isinstance(variants, list) and "properties" not in schema:
            return self._any_of(schema, variants, refs, depth)
        types = _types(schema)
        if len(types) > 1:
            return self._any_of(schema, [_narrowed(schema, type) for type in types], refs, depth)
        return self._of_type(schema, types[0].upper() if types else "STRING", refs, depth)

    def _flat(self, schema: Any, refs: tuple[str, ...]) -> tuple[_Schema, tuple[str, ...]]:
        """The schema with its `$ref` and `allOf` put in. A reference within itself becomes an object."""
        if not isinstance(schema, dict):
            self._left -= _NODE
            return {}, refs
        self._pay(schema)
        while isinstance(ref := schema.get("$ref"), str):
            beside = {key: value for key, value in schema.items() if key != "$ref"}
            if ref in refs or self._left <= 0:
                return {"type": "object"} | beside, refs
            target = _resolved(ref, self._root)
            self._pay(target)
            schema, refs = {**target, **beside}, (*refs, ref)
        if isinstance(parts := schema.get("allOf"), list):
            schema = _own_copy(schema)
            for part in parts:
                if self._left <= 0:
                    break
                flat, refs = self._flat(part, refs)
                _add(schema, flat)
        return schema, refs

    def _pay(self, schema: _Schema) -> None:
        """For a schema that is looked at: its texts, and the lengths of what it holds."""
        self._left -= _NODE + sum(len(value) for value in schema.values() if isinstance(value, str | list | dict))

    def _any_of(self, schema: _Schema, variants: list[Any], refs: tuple[str, ...], depth: int) -> _Schema:
        """One of several. Null among them is `nullable`; one alone is itself."""
        beside: _Schema = {key: schema[key] for key in ("type", "description", "title") if key in schema}
        nullable = _is_null(schema)
        cleaned: list[_Schema] = []
        for variant in variants:
            if self._left <= 0:
                break
            flat, _ = self._flat(variant, refs)
            if flat.get("type") == "null" or flat.get("enum") == [None]:
                nullable = True
                continue
            if isinstance(beside.get("type"), str):
                flat = {"type": beside["type"]} | flat
            one = self._clean(flat, refs, depth + 1)
            nullable |= bool(one.pop("nullable", False))
            if one not in cleaned:
                cleaned.append(one)
        if not cleaned:
            return self._clean({**beside, "type": "string"}, refs, depth + 1) | ({"nullable": True} if nullable else {})
        wire = cleaned[0] if len(cleaned) == 1 else {"anyOf": cleaned}
        return wire | _described(beside) | ({"nullable": True} if nullable else {})

    def _of_type(self, schema: _Schema, type: str, refs: tuple[str, ...], depth: int) -> _Schema:
        wire: _Schema = {"type": type} | _described(schema)
        if _is_null(schema):
            wire["nullable"] = True
        self._left -= _note_enum(schema, wire)
        _note_format(schema, wire)
        for name in _BOUNDS.get(type, ()):
            if _is_count(schema.get(name)):
                wire[name] = schema[name]
        if type in {"NUMBER", "INTEGER"}:
            wire |= {name: schema[name] for name in ("minimum", "maximum") if _is_number(schema.get(name))}
        elif type == "STRING" and _is_plain_pattern(schema.get("pattern")):
            wire["pattern"] = schema["pattern"]
        elif type == "ARRAY":
            wire["items"] = self._items(schema, refs, depth)
        elif type == "OBJECT":
            wire |= self._members(schema, refs, depth)
        return wire

    def _items(self, schema: _Schema, refs: tuple[str, ...], depth: int) -> _Schema:
        """What the array's elements are: Gemini wants to know. A tuple's are any of its places'."""
        items = schema.get("items")
        places = schema.get("prefixItems") if not isinstance(items, list) else items
        if isinstance(places, list) and places:
            return self._any_of({}, places, refs, depth + 1)
        return self._clean(items if isinstance(items, dict) else {}, refs, depth + 1)

    def _members(self, schema: _Schema, refs: tuple[str, ...], depth: int) -> _Schema:
        properties: _Schema = {}
        for name, each in self._named(schema, refs):
            if self._left <= 0:
                break
            if name not in properties:
                properties[name] = self._clean(each, refs, depth + 1)
        if not properties:
            return {}
        wire: _Schema = {"properties": properties}
        if required := [name for name in dict.fromkeys(_strings(schema.get("required"))) if name in properties]:
            wire["required"] = required
        if self._ordered:
            wire["propertyOrdering"] = list(properties)
        return wire

    def _named(self, schema: _Schema, refs: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
        """An object's properties, and those that it may have besides."""
        yield from _mapping(schema.get("properties")).items()
        variants = schema.get("anyOf") or schema.get("oneOf")
        for variant in variants if isinstance(variants, list) else ():
            if self._left <= 0:
                break
            yield from _mapping(self._flat(variant, refs)[0].get("properties")).items()


def _as_object(schema: _Schema) -> _Schema:
    """A function's parameters are an object: of one that may be any of several, all properties, those of all needed."""
    if schema.get("type") == "OBJECT":
        return schema
    objects = [each for each in schema.get("anyOf", ()) if each.get("type") == "OBJECT"]
    if not objects:
        return {}
    properties: _Schema = {}
    for each in objects:
        for name, one in each.get("properties", {}).items():
            properties[name] = _either(properties[name], one) if name in properties else one
    wire: _Schema = {"type": "OBJECT", "properties": properties} | _described(schema)
    required = set.intersection(*(set(each.get("required", ())) for each in objects))
    if required:
        wire["required"] = [name for name in properties if name in required]
    return wire


def _either(one: _Schema, other: _Schema) -> _Schema:
    if one == other:
        return one
    if "enum" in one and "enum" in other:
        return one | {"enum": [*one["enum"], *(value for value in other["enum"] if value not in one["enum"])]}
    return {"anyOf": [*one.get("anyOf", [one]), other]}


def _own_copy(schema: _Schema) -> _Schema:
    """A copy whose properties and required names may be added to."""
    copied = {key: value for key, value in schema.items() if key != "allOf"}
    copied["properties"] = dict(_mapping(schema.get("properties")))
    copied["required"] = list(_strings(schema.get("required")))
    return copied


def _add(schema: _Schema, other: _Schema) -> None:
    """What holds as well: its properties and required names too, and its word where the schema has none."""
    for name, each in _mapping(other.get("properties")).items():
        schema["properties"].setdefault(name, each)
    schema["required"] += _strings(other.get("required"))
    for key, value in other.items():
        schema.setdefault(key, value)


def _types(schema: _Schema) -> list[str]:
    """Its types without null, in lower case. Without any hint of one it may be anything."""
    said = schema.get("type")
    listed = said if isinstance(said, list) else [said]
    if types := [each.lower() for each in _strings(listed) if each.lower() in _TYPES]:
        return list(dict.fromkeys(types))
    if values := _values(schema):
        kinds = {_NAMES.get(type(value), "string") for value in values}
        return [kinds.pop() if len(kinds) == 1 else "string"]
    for name, keywords in _HINTS:
        if any(keyword in schema for keyword in keywords):
            return [name]
    return ["string"] if said == "null" else ["string", "number", "boolean", "object"]


def _narrowed(schema: _Schema, type: str) -> _Schema:
    """The schema for one of its types; what is said of it stays outside."""
    return {key: value for key, value in schema.items() if key not in {"description", "title"}} | {"type": type}


def _is_null(schema: _Schema) -> bool:
    said = schema.get("type")
    return (
        schema.get("nullable") is True
        or (isinstance(said, list) and "null" in said)
        or said == "null"
        or (isinstance(schema.get("enum"), list) and None in schema["enum"])
    )


def _values(schema: _Schema) -> list[Any]:
    """What `enum` or `const` allows, without null."""
    said = schema["enum"] if isinstance(schema.get("enum"), list) else [schema["const"]] if "const" in schema else []
    return [value for value in said if value is not None]


def _note_enum(schema: _Schema, wire: _Schema) -> int:
    """Only strings may be enumerated, and none may be empty; other values are told. The length of what was added."""
    values = _values(schema)
    if wire["type"] == "STRING" and values and all(isinstance(value, str) and value for value in values):
        wire["enum"] = list(dict.fromkeys(values))
        return sum(map(len, values))
    if not values:
        return 0
    shown = ", ".join(msgspec.json.encode(value).decode() for value in values)
    _tell(wire, f"One of: {shown}.")
    return len(shown)


def _note_format(schema: _Schema, wire: _Schema) -> None:
    said = schema.get("format")
    if not isinstance(said, str) or said == "enum":
        return
    if said in _FORMATS.get(wire["type"], ()):
        wire["format"] = said
    else:
        _tell(wire, f"Format: {said}.")


def _tell(wire: _Schema, what: str) -> None:
    said = wire.get("description", "")
    wire["description"] = f"{said} {what}" if said else what


def _described(schema: _Schema) -> _Schema:
    return {name: schema[name] for name in ("title", "description") if isinstance(schema.get(name), str)}


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < _INT64


def _is_number(value: object) -> bool:
    return type(value) in {int, float}


def _is_plain_pattern(value: object) -> bool:
    """Whether RE2 could read it: no look-around, no back-references."""
    return isinstance(value, str) and "(?" not in value and not any(f"\\{digit}" in value for digit in range(1, 10))


def _mapping(value: object) -> _Schema:
    return value if isinstance(value, dict) else {}


def _strings(value: object) -> Iterator[str]:
    return (each for each in (value if isinstance(value, Iterable) else ()) if isinstance(each, str))


def _resolved(ref: str, root: Any) -> _Schema:
    """A local reference, `#/$defs/Name`; what cannot be found is an object."""
    if not ref.startswith("#"):
        return {"type": "object"}
    found = root
    for part in ref[1:].split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {"type": "object"}
