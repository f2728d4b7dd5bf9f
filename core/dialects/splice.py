"""Change some values of a JSON text and leave every other byte as it was sent.

    splice(b'{"model": "a", "x" : 1}', {"model": b'"b"'})  ==  b'{"model": "b", "x" : 1}'

Offsets come from msgspec: a container decodes to `Raw` values, which are then found again in order in the text.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

import msgspec
from msgspec import Raw

from core.errors import BadRequest

#: What becomes of a value: new JSON bytes, a function of its bytes, None (removed), or edits of what is inside it, by
#: key or index.
Edit: TypeAlias = "bytes | Callable[[bytes], bytes] | Edits | None"
Edits: TypeAlias = Mapping[str | int, Edit]

_KEY = re.compile(rb'\s*[{,]\s*("(?:[^"\\]|\\.)*")\s*:\s*')
_CLOSE = re.compile(rb"\s*\{?\s*\}")
_NEXT = re.compile(rb"\s*[\[,]\s*")


#: The same as a plain value: key, lead, start, end.
Place: TypeAlias = tuple[str | int, int, int, int]
#: What is not edited.
_KEPT: Final[Edit] = {}


class Member(NamedTuple):
    """A value and where it stands: `lead` begins at the separator before it (and its key), `end` is after it."""

    key: str | int
    lead: int
    start: int
    end: int


def members(text: bytes, values: Mapping[str, Raw] | None = None) -> list[Member]:
    """The members of a JSON object or array; `values` is the object if it is decoded already.

    BadRequest if an object has a key twice: parsers disagree about which one counts.
    """
    if values is None and text.lstrip()[:1] == b"[":
        return list(_array(text))
    return list(_object(text, values or msgspec.json.decode(text, type=dict[str, Raw])))


def _object(text: bytes, values: Mapping[str, Raw]) -> Iterator[Member]:
    at = 0
    for key, value in values.items():
        match = _KEY.match(text, at)
        raw = bytes(value)
        if not match or msgspec.json.decode(match[1]) != key or not text.startswith(raw, match.end()):
            raise _duplicate()
        yield Member(key, at, match.end(), match.end() + len(raw))
        at = match.end() + len(raw)
    if not _CLOSE.match(text, at):
        raise _duplicate()


def _array(text: bytes) -> Iterator[Member]:
    at = 0
    for index, value in enumerate(msgspec.json.decode(text, type=list[Raw])):
        match = _NEXT.match(text, at)
        start = match.end() if match else at
        end = start + len(bytes(value))
        yield Member(index, at, start, end)
        at = end


def _duplicate() -> BadRequest:
    return BadRequest("body: an object has the same key twice; send each key once")


def splice(text: bytes, edits: Edits, found: Sequence[Place] = ()) -> bytes:
    """`text` with its members edited. Keys that an object does not have are added at its end. `found` are its members,
    if they are known.
    """
    if not edits:
        return text
    found = found or members(text)
    view, parts = memoryview(text), list[bytes | memoryview]()
    kept = 0  # from there on text is kept, and not in `parts` yet
    for key, lead, start, end in found:
        edit = edits.get(key, _KEPT)
        if edit is _KEPT:
            continue
        parts.append(view[kept : lead if edit is None else start])
        if edit is not None:
            parts.append(_edited(text[start:end], edit))
        kept = end
    parts.append(view[kept : found[-1][3]] if found else b"")
    present = {key for key, *_ in found}
    parts += [
        b"," + msgspec.json.encode(key) + b":" + edit
        for key, edit in edits.items()
        if isinstance(key, str) and key not in present and isinstance(edit, bytes)
    ]
    parts = [part for part in parts if part]
    tail = text[found[-1][3] :] if found else text.lstrip()[-1:]
    opening = b"[" if text.lstrip()[:1] == b"[" else b"{"
    if not parts:
        return opening + tail.lstrip()
    if not found or edits.get(found[0][0], _KEPT) is None:  # what is first now stood behind a comma
        parts[0] = opening + bytes(parts[0]).lstrip()[1:]
    return b"".join([*parts, tail])


def _edited(value: bytes, edit: bytes | Callable[[bytes], bytes] | Edits) -> bytes:
    if isinstance(edit, bytes):
        return edit
    return edit(value) if callable(edit) else splice(value, edit)
