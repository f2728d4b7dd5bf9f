"""Where a body keeps what several transformers touch, by dialect, and how text is added to its instructions."""

import msgspec
from msgspec import Raw

from core.dialects.splice import Edit, members, splice
from core.transformers.base import ANTHROPIC, GEMINI, OLLAMA, OPENAI, RESPONSES, Facts
from core.transformers.body import Body, Path

#: Where the length of the answer is limited.
LIMITS: dict[str, tuple[Path, ...]] = {
    ANTHROPIC: (("max_tokens",),),
    OPENAI: (("max_tokens",), ("max_completion_tokens",)),
    RESPONSES: (("max_output_tokens",),),
    GEMINI: (("generationConfig", "maxOutputTokens"),),
    OLLAMA: (("options", "num_predict"),),
}
#: Values that are the user's own JSON: what looks like the protocol's there is data.
OPAQUE = frozenset({"input", "input_schema", "parameters", "arguments", "schema"})
_LISTED = ("const", "default", "enum", "example", "examples")


def cap(body: Body, facts: Facts, limit: int) -> None:
    """Lower a limit of the answer's length that is above this one. One that is not there is not made."""
    for path in LIMITS[facts.dialect]:
        asked = body.get(*path)
        if isinstance(asked, int) and asked > limit:
            body.set(limit, *path)


def without_key(raw: bytes, key: str) -> bytes:
    """The JSON without this key in any object, but for what is the user's own JSON."""
    if b'"%b"' % key.encode() not in raw:
        return raw
    edits: dict[str | int, Edit] = {}
    for member in members(raw):
        value = raw[member.start : member.end]
        if member.key == key:
            edits[member.key] = None
        elif member.key not in OPAQUE and value[:1] in b"[{":
            kept = without_key(value, key)
            if kept != value:
                edits[member.key] = kept
    return splice(raw, edits)


def schema_without(raw: bytes, keyword: str) -> bytes:
    """A JSON schema without this keyword at any depth; a property of that name, and data, stay."""
    if b'"%b"' % keyword.encode() not in raw:
        return raw
    return splice(raw, _schema_edits(raw, keyword))


def _schema_edits(raw: bytes, keyword: str, *, names: bool = False) -> dict[str | int, Edit]:
    """`names`: the keys are names of properties, not keywords."""
    edits: dict[str | int, Edit] = {}
    for member in members(raw):
        value = raw[member.start : member.end]
        if member.key == keyword and not names:
            edits[member.key] = None
        elif value[:1] in b"[{" and (names or member.key not in _LISTED):
            named = not names and member.key in {"properties", "patternProperties", "$defs", "definitions"}
            if inner := _schema_edits(value, keyword, names=named):
                edits[member.key] = inner
    return edits


def instruct(body: Body, facts: Facts, text: str) -> None:
    """Add a paragraph to the end of the instructions."""
    if facts.dialect == ANTHROPIC:
        raw = body.raw("system")
        body.set_raw("system", _extended(raw, text) if raw not in {b"", b"null"} else msgspec.json.encode(text))
        return
    raw = body.raw("messages")
    first = next((message for _, message in body.each("messages")), {})
    if bytes(first.get("role", b"")) in {b'"system"', b'"developer"'} and "content" in first:
        body.edit("messages", {0: {"content": _extended(bytes(first["content"]), text)}})
        return
    message = msgspec.json.encode({"role": "system", "content": text})
    rest = raw.strip()[1:-1].strip()
    body.set_raw("messages", b"[" + message + (b"," + rest if rest else b"") + b"]")


def _extended(content: bytes, text: str) -> bytes:
    """A content string or list with one more paragraph."""
    if content.lstrip()[:1] == b"[":
        parts = msgspec.json.decode(content, type=list[Raw])
        return msgspec.json.encode([*parts, {"type": "text", "text": text}])
    return msgspec.json.encode(f"{msgspec.json.decode(content) or ''}\n\n{text}".lstrip())
