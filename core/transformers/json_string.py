"""The text of one member of a JSON object, while the object is still being written."""

import re

import msgspec

_HIGH = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}$")
#: What may be the beginning of an escape at the end of a piece.
_UNFINISHED = re.compile(r"\\(?:u[0-9a-fA-F]{0,3})?$")
_PAIRS = re.compile(r"\\\\")


class JSONString:
    """Pieces of `{"name": "text"}` to pieces of the text. One an object."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._opening = re.compile(rf'\s*\{{\s*"{re.escape(name)}"\s*:\s*"')
        self._held = ""
        self._seen = ""
        self._state = "before"

    def feed(self, piece: str) -> str:
        """The text that is complete with this piece."""
        if self._state == "before":
            self._seen += piece
            found = self._opening.match(self._seen)
            if not found:
                return ""
            self._state, piece = "inside", self._seen[found.end() :]
        return self._inside(piece) if self._state == "inside" else ""

    def end(self) -> str:
        """What is left: of an object of another shape its member, or the object itself, so that nothing is lost."""
        if self._state != "before" or not self._seen.strip():
            return ""
        try:
            value = msgspec.json.decode(self._seen)
        except (msgspec.DecodeError, RecursionError):
            return self._seen
        said = value.get(self._name) if isinstance(value, dict) else None
        return said if isinstance(said, str) else "" if value == {} else self._seen

    def _inside(self, piece: str) -> str:
        text = self._held + piece
        end = _closing(text)
        if end >= 0:
            self._state, self._held = "after", ""
            return _decoded(text[:end])
        cut = _whole(text)
        self._held = text[cut:]
        return _decoded(text[:cut])


def _closing(text: str) -> int:
    """Where the string's own quote stands, -1 if it has not come."""
    at = 0
    while at < len(text):
        if text[at] == '"':
            return at
        at += 2 if text[at] == "\\" else 1
    return -1


def _whole(text: str) -> int:
    """How much of the text can be decoded: not half of an escape, nor of a surrogate pair."""
    blank = _PAIRS.sub("\0\0", text)
    unfinished = _UNFINISHED.search(blank)
    cut = unfinished.start() if unfinished else len(text)
    high = _HIGH.search(blank[:cut])
    return high.start() if high else cut


def _decoded(text: str) -> str:
    try:
        return msgspec.json.decode(b'"%b"' % text.encode("utf-8", "replace"), type=str)
    except msgspec.DecodeError:  # a raw line end, or an escape that is none: better as it stands than not at all
        return text
