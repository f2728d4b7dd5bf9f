"""Bytes that others sent, judged before they are decoded, and decoded with an error that names the path.

Parsers disagree about NaN, duplicate keys, lone surrogates and depth, so what is doubtful is refused here. The depth
check works on whole bytes objects at C speed: strings are taken out, then innermost pairs of brackets, level by level.
"""

import re
from codecs import getincrementaldecoder
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NoReturn

import msgspec
from msgspec import Raw

from core.dialects.splice import Member, members
from core.errors import BadRequest

#: Deepest nesting. Tool schemas are the deepest thing clients send, and stay below 20.
MAX_DEPTH = 64
#: Most objects and arrays. One costs up to 500 bytes once it is in memory, so there may be many only where much text
#: is: `CONTAINERS` in any body, and one for each `BYTES` of it.
MAX_CONTAINERS = 250_000
CONTAINERS, BYTES = 40_000, 60
#: Most keys of the body itself. APIs have about thirty; each is held as an object of 350 bytes.
MAX_KEYS = 20_000
#: Of a body with so many quotes or fewer, the parts between them take little memory.
FEW_QUOTES = 50_000
#: UTF-8 is checked in pieces of so many bytes: one character beyond the BMP makes all of a text four times as large.
_PIECE = 1 << 20

_NOT_STRUCTURE = bytes(set(range(256)) - set(b'"[]{}'))
_NOT_MEMBERS = bytes(set(range(256)) - set(b'"[]{}:'))
#: One kind of bracket, so that a step of the depth check takes one level.
_ALIKE = bytes.maketrans(b"{}", b"[]")
_INNERMOST = re.compile(rb"\[:*\]|\{:*\}")
_STRING = re.compile(rb'"[^"]*"')
_LONE_SURROGATE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB]..)\\u[dD][c-fC-F].."
)
_AT_BYTE = re.compile(r"byte (\d+)")
_PATH = re.compile(r" - at `\$(.*)`$")
_MISSING = re.compile(r"Object missing required field `(.*)`$")


class Top(dict[str, Raw]):
    """The top level of a body: its values by key, and where each stands, for `splice`."""

    members: list[Member]


def fields(body: bytes) -> Top:
    """The top level of a JSON object. BadRequest if the bytes are no such thing, or nothing that should be decoded."""
    _gate(body)
    found = Top(decode(body, dict[str, Raw], "body"))
    found.members = members(body, found)
    return found


@lru_cache(maxsize=256)  # one for each type that is named in these packages
def _decoder(type: Any) -> Callable[[bytes | Raw], Any]:
    return msgspec.json.Decoder(type).decode


def decode(data: bytes | Raw, type: Any, path: str) -> Any:
    """`data` as `type`. BadRequest with the dotted path of what is wrong: `messages.0.content: Expected …`."""
    try:
        return _decoder(type)(data)
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
    _check_utf8(body)
    if body.count(b"{") + body.count(b"[") <= MAX_DEPTH and body.count(b":") <= MAX_KEYS:
        return  # nor can it be deep
    structure = _structure(body, _NOT_STRUCTURE).translate(_ALIKE)
    limit = min(MAX_CONTAINERS, CONTAINERS + len(body) // BYTES)
    if structure.count(b"[") > limit:
        raise BadRequest(f"body: more than {limit} objects and arrays; send a smaller body")
    if _is_deep(structure):
        raise BadRequest(f"body: nested deeper than {MAX_DEPTH} levels; send a flatter body")
    if body.count(b":") > MAX_KEYS and _keys(body) > MAX_KEYS:
        raise BadRequest(f"body: more than {MAX_KEYS} keys; send those that the API has")


def _is_deep(structure: bytes) -> bool:
    for _ in range(MAX_DEPTH):
        shallower = structure.replace(b"[]", b"")
        if shallower == structure:
            return False  # flat by now, or unbalanced: the parser's to say
        structure = shallower
    return bool(structure)


def _check_utf8(body: bytes) -> None:
    if body.isascii():
        return
    decoder = getincrementaldecoder("utf-8")()
    for start in range(0, len(body), _PIECE):
        piece = body[start : start + _PIECE]
        before = len(decoder.getstate()[0])
        try:
            decoder.decode(piece, final=start + _PIECE >= len(body))
        except UnicodeDecodeError as exc:
            raise BadRequest(f"body: not UTF-8 at byte {start - before + exc.start}; send JSON in UTF-8") from None


def _keys(body: bytes) -> int:
    """How many keys the outermost object has. What is inside them is taken out, level by level."""
    members = _structure(body, _NOT_MEMBERS).lstrip(b"{")
    found = 1
    while found:
        members, found = _INNERMOST.subn(b"", members)
    return members.count(b":")


def _structure(body: bytes, leave_out: bytes) -> bytes:
    """Only brackets, or what else is not left out, outside strings."""
    if b"\\" in body:
        body = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    if (
        body.count(b'"') <= FEW_QUOTES
    ):  # strings are most of it: what lies between them is found at the speed of a search
        return b"".join(body.split(b'"')[::2]).translate(None, leave_out)
    marks = body.translate(None, leave_out).replace(b'""', b"")
    return _STRING.sub(b"", marks)
