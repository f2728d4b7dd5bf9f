"""The next delta of a stream is mostly its last one with other text: then it need not be parsed again.

    {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hel"}}    parsed and judged: learned
    {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"lo"}}     alike

An event that was judged to be plain content is kept as what is constant in it and what may vary: non-empty strings that
are content, OpenAI's `obfuscation` (random letters) and `sequence_number`. A chunk that is exactly that, each varying
place filled with a sound JSON string or number, has the same structure, so any reader would judge it the same. Whatever
else comes is parsed as ever, and what was learned is forgotten: it holds only for what follows at once.
"""

import re
from typing import Final

#: The inside of a JSON string (RFC 8259, section 7), without escaped surrogates, whose pairs only a parser can judge.
_INSIDE: Final = rb'(?:[^"\\\x00-\x1f]++|\\["\\/bfnrt]|\\u(?![dD][89a-fA-F])[0-9a-fA-F]{4})'
_SAID: Final = re.compile(_INSIDE + rb"++")
_ANY: Final = re.compile(_INSIDE + rb"*+")
_NUMBER: Final = re.compile(rb"0|[1-9][0-9]{0,15}")
_VARIES: Final = re.compile(
    rb'"(?:text|thinking|partial_json|content|reasoning_content|reasoning|arguments|delta)": ?"(?P<said>'
    + _INSIDE
    + rb'++)"|"obfuscation": ?"(?P<any>'
    + _INSIDE
    + rb'*+)"|"sequence_number": ?(?P<number>0|[1-9][0-9]{0,15})'
)
_OF: Final = {"said": _SAID, "any": _ANY, "number": _NUMBER}
#: Longer events are parsed: they are few.
_LONGEST: Final = 16 * 1024


class Alike:
    """What the last event was like. One a stream."""

    __slots__ = ("_parts", "_tail")

    def __init__(self) -> None:
        self._parts: list[tuple[bytes, int, re.Pattern[bytes]]] = []
        self._tail = b""

    def learn(self, raw: bytes) -> None:
        """`raw` is an event that passes as content and changes nothing: what is like it does so, too."""
        self._parts = []
        if len(raw) > _LONGEST or not raw.endswith(b"\n\n") or b"\r" in raw:
            return
        at, said = 0, False
        for found in _VARIES.finditer(raw):
            kind = found.lastgroup or ""
            constant = raw[at : found.start(kind)]
            self._parts.append((constant, len(constant), _OF[kind]))
            at, said = found.end(kind), said or kind == "said"
        self._tail = raw[at:]
        if not said:
            self._parts = []

    def forget(self) -> None:
        """Something else came."""
        self._parts = []

    def has(self, chunk: bytes) -> bool:
        """Whether the chunk is one event like the last, whole, and UTF-8."""
        at = 0
        if len(chunk) > _LONGEST:
            return False
        for constant, length, varying in self._parts:
            if not chunk.startswith(constant, at):
                return False
            found = varying.match(chunk, at + length)
            if found is None:
                return False
            at = found.end()
        return at > 0 and chunk[at:] == self._tail and (chunk.isascii() or is_utf8(chunk))


def is_utf8(data: bytes) -> bool:
    """Whether the bytes are text."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
