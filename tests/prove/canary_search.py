"""Looks for secrets in whatever bytes: as they are, in part, and in every encoding that they may have gone through."""

import base64
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import quote

import ahocorasick

#: So many characters of a secret in a row give it away. Whatever holds more of it, holds such a run.
RUN: Final = 12


def forms(run: str) -> Iterator[tuple[str, str]]:
    """(name of an encoding, the run in it). What a neighbour's bits decide too is left out of base64."""
    data = run.encode()
    yield "as it is", run
    yield "reversed", run[::-1]
    yield "hex", data.hex()
    yield "hex with separators", data.hex(":")
    yield "percent", "".join(f"%{byte:02x}" for byte in data)
    yield "percent where needed", quote(run, safe="")
    yield "JSON escapes", "".join(f"\\u{byte:04x}" for byte in data)
    yield "JSON with escaped slashes", run.replace("/", "\\/")
    yield "hex escapes", "".join(f"\\x{byte:02x}" for byte in data)
    yield "HTML entities", "".join(f"&#{byte};" for byte in data)
    yield "HTML entities in hex", "".join(f"&#x{byte:x};" for byte in data)
    yield "numbers", ",".join(map(str, data))
    yield "numbers with spaces", ", ".join(map(str, data))
    yield "UTF-16 LE", run.encode("utf-16-le").decode("latin-1")
    yield "UTF-16 BE", run.encode("utf-16-be").decode("latin-1")
    yield "UTF-32 LE", run.encode("utf-32-le").decode("latin-1")
    for offset in range(3):
        for name, encode in (("base64", base64.b64encode), ("base64 for URLs", base64.urlsafe_b64encode)):
            coded = encode(b"\0" * offset + data).decode()
            whole = (offset + len(data)) * 8 // 6
            yield f"{name} at {offset}", coded[-(-offset * 8 // 6) : whole]


class Search:
    """For these secrets, by name. Letters' case is no matter."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._automaton = ahocorasick.Automaton()
        for name, secret in secrets.items():
            for at in range(len(secret) - RUN + 1):
                for form, text in forms(secret[at : at + RUN]):
                    if text.lower() not in self._automaton:  # some encodings change nothing
                        self._automaton.add_word(text.lower(), (name, form))
        self._automaton.make_automaton()
        self.searched = 0

    def hits(self, data: bytes) -> set[tuple[str, str]]:
        """(name of the secret, encoding) of everything that is found."""
        self.searched += len(data)
        return {found for _, found in self._automaton.iter(data.decode("latin-1").lower())}

    def told(self, place: str, data: bytes) -> list[str]:
        """A finding for each secret that is there."""
        found: dict[str, set[str]] = {}
        for name, form in self.hits(data):
            found.setdefault(name, set()).add(form)
        return [f"{place} holds {name} ({', '.join(sorted(how))})" for name, how in sorted(found.items())]
