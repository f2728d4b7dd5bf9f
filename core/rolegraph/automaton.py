"""All patterns at once: Aho-Corasick (CACM 18(6), 1975) finds every occurrence, here the sensible ones are kept.

The order matters, and is FACTS section 2's: first every occurrence, then the word boundary, then leftmost-longest. A
leftmost-longest automaton would let an occurrence that fails the boundary hide one that does not.

The machine does not run over the text but over its skeleton, in which whatever is no ASCII letter, digit or underscore
is a space: a key then begins with the space before its first word, the root has one edge in place of one for each
letter, and a search takes half the time. What it finds is compared with the text. Patterns with other characters than
ASCII have a machine of their own, which runs over the text itself, if that has such characters at all.
"""

from collections.abc import Sequence
from typing import NamedTuple

import ahocorasick

from core.collector import paused
from core.rolegraph.model import Concept
from core.rolegraph.text import is_boundary, is_word

_SKELETON = bytes(code if code < 128 and is_word(chr(code)) else 0x20 for code in range(256))


class Pattern(NamedTuple):
    """A distinct pattern, the positions of the concepts that have it, and whether one of them has a route."""

    text: str
    concepts: tuple[int, ...]
    routing: bool


class Hit(NamedTuple):
    """An occurrence, `text[start:end] == pattern.text`."""

    start: int
    end: int
    pattern: Pattern


class Automaton:
    """Built once, read by any number of threads."""

    def __init__(self, concepts: Sequence[Concept]) -> None:
        with paused():
            self.patterns = _patterns(concepts)
            by_skeleton: dict[str, list[Pattern]] = {}
            for entry in self.patterns:
                if entry.text.isascii():
                    key = _skeleton(entry.text)
                    by_skeleton.setdefault(key if key[0] == " " else " " + key, []).append(entry)
            self._ascii = _machine(by_skeleton)
            self._other = _machine({entry.text: [entry] for entry in self.patterns if not entry.text.isascii()})

    def hits(self, text: str, *, routing_only: bool = False) -> list[Hit]:
        """Occurrences in folded text, from left to right, none overlapping another.

        `routing_only` leaves out patterns without a route, but at the end: a longer phrase without a route takes the
        words away from a shorter one that has a route.
        """
        found = self._search(text)
        if not routing_only:
            return leftmost_longest(_verified(text, found))
        if not any(entry.routing for _, entries in found for entry in entries):
            return []
        return [hit for hit in leftmost_longest(_verified(text, found)) if hit.pattern.routing]

    def without(self, pattern: str) -> list[Hit]:
        """What would be found in the pattern's own text if the pattern were not there."""
        text = f" {pattern}"
        return leftmost_longest([hit for hit in _verified(text, self._search(text)) if hit.pattern.text != pattern])

    def _search(self, text: str) -> list[tuple[int, list[Pattern]]]:
        found: list[tuple[int, list[Pattern]]] = []
        if self._ascii is not None:
            found += self._ascii.iter(_skeleton(text))
        if self._other is not None and not text.isascii():
            found += self._other.iter(text)
        return found


def _patterns(concepts: Sequence[Concept]) -> tuple[Pattern, ...]:
    """The distinct ones, sorted by their text."""
    owners: dict[str, list[int]] = {}
    for position, concept in enumerate(concepts):
        for pattern in concept.patterns:
            owners.setdefault(pattern.text, []).append(position)
    return tuple(
        Pattern(text, tuple(positions), any(concepts[position].routes for position in positions))
        for text, positions in sorted(owners.items())
    )


def _skeleton(text: str) -> str:
    # "replace" makes one question mark of each character, so that offsets stay.
    return text.encode("ascii", "replace").translate(_SKELETON).decode("ascii")


def _machine(keys: dict[str, list[Pattern]]) -> ahocorasick.Automaton | None:
    if not keys:
        return None
    machine = ahocorasick.Automaton()
    for key, entries in keys.items():
        machine.add_word(key, entries)
    machine.make_automaton()
    return machine


def _verified(text: str, found: list[tuple[int, list[Pattern]]]) -> list[Hit]:
    """Those that are in the text itself, and begin and end where words do. `found` says where the last character is."""
    kept = []
    for last, entries in found:
        end = last + 1
        after = text[end : end + 1]
        for entry in entries:
            start = end - len(entry.text)
            # Folded text begins with a space, so there is a character before the first word.
            if (
                text.startswith(entry.text, start)
                and is_boundary(text[start - 1], text[start])
                and (not after or is_boundary(text[last], after))
            ):
                kept.append(Hit(start, end, entry))
    return kept


def leftmost_longest(hits: list[Hit]) -> list[Hit]:
    """Of overlapping ones the first to begin, and of those that begin together the longest."""
    kept: list[Hit] = []
    free_from = 0
    for hit in sorted(hits, key=lambda hit: (hit.start, -hit.end)):
        if hit.start >= free_from:
            kept.append(hit)
            free_from = hit.end
    return kept
