"""Broken JSON objects to sound ones, while they are still being written: JSON, then JSON5, then what models get wrong.

What is sound goes through as it is, character by character; so what was sent never has to be taken back. What is not
is read as JSON5 (comments, quotes of another kind or none, trailing commas, its numbers), else repaired: missing
commas, colons, quotes and brackets, raw line ends and lone quotes in strings, Python's words, prose and fences around
it. An unknown escape keeps its backslash (a path or a pattern is meant more often than JSON5's rule). No object at all
is `{}`.
"""

import json
import re
from collections.abc import Callable

from core.dialects.openai_slots import is_object
from core.transformers.json_scalar import is_scalar, scalar

#: So many characters are looked at together: each token is cut off what is held, which costs its length.
_STEP = 4096

_NOT_JSONS = re.compile(r"[^ \t\r\n]")
_PLAIN = {'"': re.compile(r'[^"\\\x00-\x1f]+'), "'": re.compile(r"""[^'"\\\x00-\x1f]+""")}
_COMMENT = re.compile(r"//[^\n]*\n|/\*.*?\*/", re.DOTALL)
_NAME_END = re.compile(r"[\s:=,{}\[\]\"']")
_SCALAR_END = re.compile(r"[,}\]\n]")
_HIGH = re.compile(r"[dD][89abAB][0-9a-fA-F]{2}")
_LOW_ESCAPE = re.compile(r"\\u[dD][c-fC-F][0-9a-fA-F]{2}")
_HEX = re.compile(r"[0-9a-fA-F]+")
#: What follows the quote that ends a value. The rest of a line that only looks so is undecided.
_AFTER_VALUE = re.compile(r"""\s*(?:[}\]]|,\s*(?:["'}\]]|//|/\*|[\w$]+\s*:))""")
_AFTER_ITEM = re.compile(r"\s*[,}\]]")
_UNDECIDED = re.compile(r"\s*(?:,\s*(?:[\w$]*\s*|/))?")
_QUOTES = {'"': '"', "'": "'", "\u201c": "\u201d", "\u2018": "\u2019"}
_CLOSES = {"{": "}", "[": "]"}


class Tolerant:
    """Pieces of one object in, pieces of a sound one out. `end` closes what is open."""

    def __init__(self) -> None:
        self._buffer = ""
        self._out: list[str] = []
        self._stack: list[str] = []
        #: White space and a comma that are written only when something follows.
        self._pending = ""
        self._key = ""
        self._quote = ""
        self._searched = 0
        self._final = False
        self._fed = False
        self._state: Callable[[], bool] = self._seek

    def feed(self, piece: str) -> str:
        """What can be said by now."""
        if not self._fed and piece.startswith("{") and is_object(piece):
            self._fed, self._state = True, self._done
            return piece.rstrip()
        self._fed = self._fed or bool(piece.strip())
        out = []
        for start in range(0, len(piece), _STEP):
            self._buffer += piece[start : start + _STEP]
            out.append(self._run())
        return "".join(out)

    def end(self) -> str:
        """The rest. Nothing if nothing was fed."""
        self._final = True
        out = self._run()
        if self._state == self._seek:
            return _unwrapped(self._buffer) if self._fed else ""
        if self._quote:
            out += '"'
        elif self._state == self._value and self._stack[-1] == "{":
            out += " null" if not out and not self._pending else "null"
        while self._stack:
            out += _CLOSES[self._stack.pop()]
        return out

    def _run(self) -> str:
        while self._buffer and self._state():
            pass
        out, self._out = "".join(self._out), []
        return out

    def _take(self, length: int) -> str:
        taken, self._buffer = self._buffer[:length], self._buffer[length:]
        self._searched = 0
        return taken

    def _write(self, text: str) -> None:
        self._out.append(self._pending + text)
        self._pending = ""

    # States. Each consumes something and returns whether it could go on with what is there.

    def _seek(self) -> bool:
        if self._buffer.lstrip()[:1] == '"':
            return False  # an object within a string, perhaps: looked at when it is whole
        start = self._buffer.find("{")
        if start < 0:
            return False
        self._take(start)
        self._open()
        return True

    def _done(self) -> bool:
        self._buffer = ""
        return False

    def _between(self) -> bool:
        """White space and comments: True if there was any."""
        if length := _spaces(self._buffer):
            self._pending += _NOT_JSONS.sub(" ", self._take(length))
            return True
        if not self._buffer.startswith("/"):
            return False
        if found := _COMMENT.match(self._buffer):
            self._take(found.end())
            return True
        return False

    def _waits(self) -> bool:
        """Whether what is there may be the beginning of a comment."""
        return self._buffer.startswith(("//", "/*")) or self._buffer == "/"

    def _key_or_end(self) -> bool:
        if self._between():
            return True
        first = self._buffer[0]
        if first in "}]":
            return self._close(first)
        if first in ",:{[\\":
            self._take(1)
            return True
        if first == "/" and self._waits():
            return self._drop_unfinished()
        if first in _QUOTES:
            return self._quoted_key(_QUOTES[first])
        found = _NAME_END.search(self._buffer, max(1, self._searched))
        if not found:
            return self._wait()
        self._hold(json.dumps(self._take(found.start()), ensure_ascii=False))
        return True

    def _quoted_key(self, quote: str) -> bool:
        at = max(1, self._searched)
        while (end := self._buffer.find(quote, at)) > 0 and _escaped(self._buffer, end):
            at = end + 1
        if end < 0:
            return self._wait()
        text = self._take(end + 1)
        inner = Tolerant._string_of(text[1:-1], quote)
        self._hold(text if quote == '"' and text == f'"{inner}"' else f'"{inner}"')
        return True

    @staticmethod
    def _string_of(text: str, quote: str) -> str:
        """A whole string's content as JSON writes it."""
        inner = Tolerant()
        inner._buffer, inner._final = text, True
        inner._quote = quote
        while inner._buffer and inner._piece_of_string():
            pass
        return "".join(inner._out)

    def _hold(self, key: str) -> None:
        self._key, self._state = key, self._colon

    def _colon(self) -> bool:
        length = _spaces(self._buffer)
        if length == len(self._buffer):
            return False
        mark = self._buffer[length]
        space = _NOT_JSONS.sub(" ", self._take(length))
        self._write(self._key + (space if mark == ":" else "") + ":")
        if mark in ":=":
            self._take(1)
        self._state = self._value
        return True

    def _value(self) -> bool:
        if self._between():
            return True
        first = self._buffer[0]
        if first in "}],":
            return self._no_value(first)
        if first in "{[":
            self._open()
            return True
        if first in _QUOTES:
            self._take(1)
            self._write('"')
            self._quote, self._state = _QUOTES[first], self._piece_of_string
            return True
        if first == "/" and self._waits():
            return self._drop_unfinished()
        if first in ":>":
            self._take(1)
            return True
        return self._scalar()

    def _no_value(self, first: str) -> bool:
        if self._stack[-1] == "{":
            self._write("null")
            self._state = self._after
        elif first == ",":
            self._take(1)
        else:
            return self._close(first)
        return True

    def _scalar(self) -> bool:
        found = _SCALAR_END.search(self._buffer, self._searched)
        if not found and not self._final:
            return self._wait()
        token = self._take(found.start() if found else len(self._buffer))
        said = self._first_of(token.rstrip())
        self._write(scalar(said, cut=found is None and said == token))
        self._buffer = token[len(said) :] + self._buffer
        self._state = self._after
        return True

    def _first_of(self, said: str) -> str:
        """What is one value in this: `1 2` in a list, or `1 "b"`, where a comma is missing, are two."""
        first, *rest = said.split(None, 1)
        two = bool(rest) and (self._stack[-1] == "[" or rest[0][0] in _QUOTES)
        return first if two and is_scalar(first) else said

    def _piece_of_string(self) -> bool:
        quote, text = self._quote, self._buffer
        if plain := _PLAIN.get(quote, _PLAIN['"']).match(text):
            run = plain[0]
            if quote in run:  # a typographic one
                run = run[: run.index(quote)]
            if run:
                self._out.append(self._take(len(run)))
                return True
        first = text[0]
        if first == "\\":
            return self._escape()
        if first != quote:
            self._out.append(json.dumps(self._take(1))[1:-1])
            return True
        if self._state != self._piece_of_string:  # a key's: it has been cut out already
            self._out.append(json.dumps(self._take(1))[1:-1])
            return True
        return self._end_of_string(quote)

    def _end_of_string(self, quote: str) -> bool:
        """A quote: the string's end, or a lone one inside it, by what follows."""
        rest = self._buffer[1:]
        follows = (_AFTER_VALUE if self._stack[-1] == "{" else _AFTER_ITEM).match(rest)
        if not follows and not rest.strip() and not self._final:
            return False
        if not follows and not self._final and _UNDECIDED.fullmatch(rest):
            return False
        self._take(1)
        if follows or not rest.strip() or _UNDECIDED.fullmatch(rest):
            self._out.append('"')
            self._quote, self._state = "", self._after
        else:
            self._out.append('\\"' if quote == '"' else quote)
        return True

    def _escape(self) -> bool:
        text = self._buffer
        if len(text) < 2:
            return self._cut_escape()
        kind = text[1]
        if kind in "ux":
            digits = 4 if kind == "u" else 2
            found = _HEX.match(text, 2, 2 + digits)
            length = len(found[0]) if found else 0
            if length < digits and len(text) == 2 + length and not self._final:
                return False
            if length < digits and len(text) == 2 + length:
                return self._cut_escape()
            if length == digits:
                return self._character(digits)
        self._take(2)
        if kind in '"\\/bfnrt':
            self._out.append("\\" + kind)
        elif kind == "'":
            self._out.append("'")
        elif kind != "\n":  # which continues the line
            self._out.append("\\\\")
            self._buffer = kind + self._buffer
        return True

    def _character(self, digits: int) -> bool:
        """An escape with all its digits. Half of a surrogate pair is no character."""
        code = self._buffer[2 : 2 + digits]
        if _HIGH.match(code):
            rest = self._buffer[6:12]
            if _LOW_ESCAPE.match(rest):
                self._out.append(self._take(12))
                return True
            if not self._final and _LOW_ESCAPE.match(rest + "\\udc00"[len(rest) :]):
                return False
        self._take(2 + digits)
        half = digits == 4 and code[0] in "dD" and code[1] in "89abcdefABCDEF"
        self._out.append("\\ufffd" if half else f"\\u{code:0>4}")
        return True

    def _cut_escape(self) -> bool:
        if self._final:
            self._buffer = ""
        return False

    def _after(self) -> bool:
        if self._between():
            return True
        first = self._buffer[0]
        if first in "}]":
            return self._close(first)
        if first == "/" and self._waits():
            return self._drop_unfinished()
        if first == ",":
            self._pending += self._take(1)
        else:  # a comma is missing
            self._pending = "," + self._pending
        self._state = self._key_or_end if self._stack[-1] == "{" else self._value
        return True

    def _open(self) -> None:
        opening = self._take(1)
        self._write(opening)
        self._stack.append(opening)
        self._state = self._key_or_end if opening == "{" else self._value

    def _close(self, closing: str) -> bool:
        """Close up to the bracket that this one belongs to; one that belongs to none is left out."""
        self._take(1)
        if closing not in map(_CLOSES.get, self._stack):
            return True
        self._pending = self._pending.replace(",", "")
        while True:
            closed = _CLOSES[self._stack.pop()]
            self._write(closed)
            if closed == closing:
                break
        self._state = self._after if self._stack else self._done
        return True

    def _wait(self) -> bool:
        """For more of a name or a number; what is there need not be looked through again."""
        self._searched = len(self._buffer)
        return False

    def _drop_unfinished(self) -> bool:
        """A comment whose end has not come."""
        if self._final:
            self._buffer = ""
        return False


def _spaces(text: str) -> int:
    """How many white characters it begins with, JSON5's among them."""
    return len(text) - len(text.lstrip())


def _escaped(text: str, at: int) -> bool:
    before = text[:at]
    return (len(before) - len(before.rstrip("\\"))) % 2 == 1


def _unwrapped(text: str) -> str:
    """The object that a JSON string holds, or none."""
    try:
        inner = json.loads(text)
    except (ValueError, RecursionError):
        return "{}"
    if not isinstance(inner, str) or "{" not in inner:
        return "{}"
    tolerant = Tolerant()
    return tolerant.feed(inner) + tolerant.end()
