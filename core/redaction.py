"""Takes known secrets out of what is told to somebody, whole or in part. Pure.

A client may send a key where none belongs (as a model's name, in a path), and an error that quotes it would carry it
on. A run of `RUN` characters of a secret counts as one, for what is quoted is often cut; letters' case is no matter.
"""

from collections.abc import Iterable
from typing import Final

#: So many characters of a secret in a row are one.
RUN: Final = 12
#: A shorter secret is a word like "none" for a server that wants no real one; words are not redacted.
SHORTEST: Final = 8
REDACTED: Final = "[redacted]"
#: `holds` looks at each such place: half a run, so that it misses no whole secret of one and a half runs.
_STEP: Final = RUN // 2
_LOWER: Final = {ord(char): char.lower() for char in map(chr, range(ord("A"), ord("Z") + 1))}


class Redactor:
    """For these secrets."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        lowered = {secret.translate(_LOWER) for secret in secrets}
        self._runs = frozenset(
            secret[at : at + RUN] for secret in lowered if len(secret) >= RUN for at in range(len(secret) - RUN + 1)
        )
        self._short = [secret for secret in lowered if SHORTEST <= len(secret) < RUN]

    def holds(self, name: str) -> bool:
        """Whether a whole secret, not a short one, stands in a name. Quick: every request's names are asked about."""
        if not self._runs or len(name) < RUN:
            return False
        lowered = name.lower()
        return not self._runs.isdisjoint([lowered[at : at + RUN] for at in range(0, len(lowered) - RUN + 1, _STEP)])

    def text(self, said: str) -> str:
        """What may be told of it."""
        lowered = said.translate(_LOWER)  # unlike lower(), it changes no length
        parts, told, at = [], 0, 0
        while at < len(lowered):
            if end := self._end(lowered, at):
                parts += [said[told:at], REDACTED]
                told = at = end
            else:
                at += 1
        return "".join([*parts, said[told:]])

    def data(self, said: bytes) -> bytes:
        """The same of bytes in any encoding that has ASCII in it."""
        return self.text(said.decode("latin-1")).encode("latin-1")

    def _end(self, lowered: str, at: int) -> int:
        """Where the secret that begins here ends; 0 if none does."""
        end = at
        while lowered[end : end + RUN] in self._runs:
            end += 1
        if end > at:
            return end + RUN - 1
        return next((at + len(secret) for secret in self._short if lowered.startswith(secret, at)), 0)


#: Knows no secret.
NOTHING: Final = Redactor()
