"""A tool's JSON schema in the part of it that Ollama takes.

Its server decodes a schema into fixed types. It refuses the whole request where a member does not fit (a property that
is `true`, an enum that is no list), and drops what its types do not have: a `$ref`, `oneOf` and `const` would be gone
in silence, so they are said in words that it has.
Source: Ollama's API types (`ToolFunctionParameters`, `ToolProperty`).
"""

from typing import Any

import msgspec
from msgspec import Raw

#: References that are written out in one schema, and how deep; what refers to itself has no end.
MAX_REFERENCES = 100
MAX_DEPTH = 16

_Schema = dict[str, Any]


def parameters(schema: Raw) -> Raw:
    """`function.parameters` of a tool. Bytes that already fit are passed as they are."""
    sent = msgspec.json.decode(schema)
    reader = _Reader(sent)
    clean = reader.schema(sent, 0)
    if not isinstance(clean.get("type"), str):
        clean["type"] = "object"  # at the top it is one name
    clean.setdefault("properties", {})
    return schema if clean == sent else Raw(msgspec.json.encode(clean))


class _Reader:
    """Reads one schema."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._references = 0

    def schema(self, sent: Any, depth: int) -> _Schema:
        """A schema with members of the right types. `true` allows anything, and so does whatever is no schema."""
        if not isinstance(sent, dict):
            return {}
        if "$ref" in sent:
            named = self._named(sent["$ref"], depth)
            sent = {**named, **{name: value for name, value in sent.items() if name != "$ref"}}
        clean: _Schema = {}
        for name, value in sent.items():
            self._member(clean, name, value, depth + 1)
        return clean

    def _member(self, clean: _Schema, name: str, value: Any, depth: int) -> None:
        match name, value:
            case "properties", dict():
                clean[name] = {key: self.schema(each, depth) for key, each in value.items()}
            case (("anyOf" | "oneOf"), list()):
                clean.setdefault("anyOf", []).extend(self.schema(each, depth) for each in value)
            case "required", list():
                clean[name] = [each for each in value if isinstance(each, str)]
            case "type", list() if all(isinstance(each, str) for each in value):
                clean[name] = value
            case (("type" | "description"), str()):
                clean[name] = value
            case "enum", list():
                clean[name] = value
            case "const", _:
                clean.setdefault("enum", [value])
            case _ if name not in _TYPED:
                clean[name] = value

    def _named(self, reference: Any, depth: int) -> _Schema:
        """What a reference within the schema names (RFC 6901); nothing if that cannot be said or has no end."""
        self._references += 1
        if depth > MAX_DEPTH or self._references > MAX_REFERENCES or not isinstance(reference, str):
            return {}
        found = self._root
        for part in reference.removeprefix("#").split("/")[1:]:
            key = part.replace("~1", "/").replace("~0", "~")
            found = found.get(key) if isinstance(found, dict) else None
        return self.schema(found, depth + 1)


_TYPED = frozenset({"properties", "anyOf", "oneOf", "required", "type", "description", "enum"})
