"""Takes known secrets out of what is told to somebody, whole or in part. Pure.

A client may send a key where none belongs (as a model's name, in a path), and an error that quotes it would carry it
on. A run of `RUN` characters of a secret counts as one, for what is quoted is often cut; letters' case is no matter.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

#: So many characters of a secret in a row are one.
RUN: Final = 12
#: A shorter secret is a word like "none" for a server that wants no real one; words are not redacted.
SHORTEST: Final = 8
REDACTED: Final = "[redacted]"
#: `holds` looks at each such place: half a run, so that it misses no whole secret of one and a half runs.
_STEP: Final = RUN // 2
#: Of the places at which a text is looked at for so many characters of a secret, one lies in each run of `RUN`.
_GRAM: Final = RUN // 2
_STRIDE: Final = RUN - _GRAM + 1
_LOWER: Final = {ord(char): char.lower() for char in map(chr, range(ord("A"), ord("Z") + 1))}


class Redactor:
    """For these secrets."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        as_json = (form for secret in secrets for form in (secret, msgspec.json.encode(secret).decode()[1:-1]))
        lowered = {secret.translate(_LOWER) for secret in as_json}
        self._runs = frozenset(
            secret[at : at + RUN] for secret in lowered if len(secret) >= RUN for at in range(len(secret) - RUN + 1)
        )
        self._short = sorted(secret for secret in lowered if SHORTEST <= len(secret) < RUN)
        #: Every run holds one of these whole: half runs of a secret, one behind the other.
        halves = (each[at : at + _STEP] for each in lowered if len(each) >= RUN for at in range(0, len(each), _STEP))
        self._parts = [each.encode("utf-8", "replace") for each in {*halves, *self._short} if len(each) >= _STEP]
        self._grams = frozenset(run[at : at + _GRAM] for run in self._runs for at in range(_STRIDE))
        self._escaped = any(char in "\"'\\" or not char.isprintable() for secret in lowered for char in secret)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Redactor) and (self._runs, self._short) == (other._runs, other._short)

    def __hash__(self) -> int:
        return hash((self._runs, tuple(self._short)))

    def holds(self, name: str) -> bool:
        """Whether a whole secret, not a short one, stands in a name. Quick: every request's names are asked about."""
        if not self._runs or len(name) < RUN:
            return False
        lowered = name.lower()
        return not self._runs.isdisjoint([lowered[at : at + RUN] for at in range(0, len(lowered) - RUN + 1, _STEP)])

    def clears(self, encoded: str) -> bool:
        """Whether surely no value in this JSON or `repr` holds a secret. Quick, and says no rather too often."""
        return not (self._escaped or self._may_stand_in(_lowered(encoded)))

    def text(self, said: str) -> str:
        """What may be told of it."""
        lowered = _lowered(said)
        if not self._may_stand_in(lowered):
            return said
        parts, told, at = [], 0, 0
        while at < len(lowered):
            if end := self._end(lowered, at):
                parts += [said[told:at], REDACTED]
                told = at = end
            else:
                at += 1
        return "".join([*parts, said[told:]])

    def cleaned(self, said: bytes) -> bytes:
        """The same of UTF-8, say JSON; quick where there is no secret at all, as nearly always."""
        lowered = said.lower()
        if not any(part in lowered for part in self._parts):
            return said
        return self.text(said.decode("utf-8", "replace")).encode()

    def data(self, said: bytes) -> bytes:
        """The same of bytes in any encoding that has ASCII in it."""
        return self.text(said.decode("latin-1")).encode("latin-1")

    def _may_stand_in(self, lowered: str) -> bool:
        grams = [lowered[at : at + _GRAM] for at in range(0, len(lowered) - _GRAM + 1, _STRIDE)]
        return not self._grams.isdisjoint(grams) or any(secret in lowered for secret in self._short)

    def _end(self, lowered: str, at: int) -> int:
        """Where the secret that begins here ends; 0 if none does."""
        end = at
        while lowered[end : end + RUN] in self._runs:
            end += 1
        if end > at:
            return end + RUN - 1
        return next((at + len(secret) for secret in self._short if lowered.startswith(secret, at)), 0)


def _lowered(text: str) -> str:
    """Of letters beyond ASCII, `lower` would change the length."""
    return text.lower() if text.isascii() else text.translate(_LOWER)


#: Knows no secret.
NOTHING: Final = Redactor()
