"""Bytes that others sent, judged before they are decoded, and decoded with an error that names the path.

Parsers disagree about NaN, duplicate keys, lone surrogates and depth, so what is doubtful is refused here. The depth
check works on whole bytes objects at C speed: strings are taken out, then innermost pairs of brackets, level by level.
"""

import re
from typing import Any, NoReturn

import msgspec
from msgspec import Raw

from core.dialects.splice import members
from core.errors import BadRequest

#: Deepest nesting. Tool schemas are the deepest thing clients send, and stay below 20.
MAX_DEPTH = 64
#: Most objects and arrays. An empty one costs 22 times its text once it is an object in memory.
MAX_CONTAINERS = 250_000

_NOT_STRUCTURE = bytes(set(range(256)) - set(b'"[]{}'))
_STRING = re.compile(rb'"[^"]*"')
_LONE_SURROGATE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB]..)\\u[dD][c-fC-F].."
)
_AT_BYTE = re.compile(r"byte (\d+)")
_PATH = re.compile(r" - at `\$(.*)`$")
_MISSING = re.compile(r"Object missing required field `(.*)`$")


def fields(body: bytes) -> dict[str, Raw]:
    """The top level of a JSON object. BadRequest if the bytes are no such thing, or nothing that should be decoded."""
    _gate(body)
    found: dict[str, Raw] = decode(body, dict[str, Raw], "body")
    members(body, found)
    return found


def decode(data: bytes | Raw, type: Any, path: str) -> Any:
    """`data` as `type`. BadRequest with the dotted path of what is wrong: `messages.0.content: Expected …`."""
    try:
        return msgspec.json.decode(data, type=type)
    except msgspec.ValidationError as exc:
        refuse_at(path, exc)
    except RecursionError:
        raise BadRequest(f"{path}: nested deeper than {MAX_DEPTH} levels; send a flatter body") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise BadRequest(f"{path}: {_syntax(bytes(data), exc)}") from None


def refuse_at(path: str, exc: msgspec.ValidationError) -> NoReturn:
    """A msgspec error as Anthropic words its own: dotted path, colon, what is wrong."""
    text = str(exc)
    if found := _PATH.search(text):
        text = text[: found.start()]
        path += found[1].replace("[...]", "").replace("[", ".").replace("]", "")
    if missing := _MISSING.match(text):
        path, text = f"{path}.{missing[1]}", "Field required"
    path = path.removeprefix("body.")
    raise BadRequest(f"{path}: {text.replace('`', '')}", details={"param": path})


def _syntax(body: bytes, exc: Exception) -> str:
    if not body:
        return "empty; send a JSON object"
    if _LONE_SURROGATE.search(body):
        return "a \\u escape is half of a surrogate pair; send the whole character"
    text = str(exc).removeprefix("JSON is malformed: ")
    if (found := _AT_BYTE.search(text)) and body[int(found[1]) :].startswith((b"NaN", b"Inf")):
        return f"NaN and Infinity are not JSON (byte {found[1]}); send a number or null"
    return "not valid JSON: " + ("it ends in the middle" if "truncated" in text else text)


def _gate(body: bytes) -> None:
    try:
        body.decode()
    except UnicodeDecodeError as exc:
        raise BadRequest(f"body: not UTF-8 at byte {exc.start}; send JSON in UTF-8") from None
    if len(body) <= MAX_DEPTH:
        return
    structure = _structure(body)
    if structure.count(b"[") + structure.count(b"{") > MAX_CONTAINERS:
        raise BadRequest(f"body: more than {MAX_CONTAINERS} objects and arrays; send a smaller body")
    for _ in range(MAX_DEPTH):
        shallower = structure.replace(b"[]", b"").replace(b"{}", b"")
        if shallower == structure:
            return  # flat by now, or unbalanced: the parser's to say
        structure = shallower
    if structure:
        raise BadRequest(f"body: nested deeper than {MAX_DEPTH} levels; send a flatter body")


def _structure(body: bytes) -> bytes:
    """Only the brackets outside strings."""
    if b"\\" in body:
        body = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    marks = body.translate(None, _NOT_STRUCTURE).replace(b'""', b"")
    return _STRING.sub(b"", marks)
