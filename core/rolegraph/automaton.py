"""All patterns at once: Aho-Corasick (CACM 18(6), 1975) finds every occurrence, here the sensible ones are kept.

The order matters, and is FACTS section 2's: first every occurrence, then the word boundary, then leftmost-longest. A
leftmost-longest automaton would let an occurrence that fails the boundary hide one that does not.
"""

from collections.abc import Sequence
from typing import NamedTuple

import ahocorasick

from core.rolegraph.model import Concept
from core.rolegraph.text import is_boundary


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
        owners: dict[str, list[int]] = {}
        for position, concept in enumerate(concepts):
            for pattern in concept.patterns:
                owners.setdefault(pattern.text, []).append(position)
        self.patterns = tuple(
            Pattern(text, tuple(positions), any(concepts[position].routes for position in positions))
            for text, positions in sorted(owners.items())
        )
        self._machine = ahocorasick.Automaton()
        for entry in self.patterns:
            self._machine.add_word(entry.text, entry)
        self._machine.make_automaton()

    def hits(self, text: str, *, routing_only: bool = False) -> list[Hit]:
        """Occurrences in folded text, from left to right, none overlapping another.

        `routing_only` answers [] at once when no pattern with a route occurs. It does not hide the others: a longer
        phrase without a route takes the words away from a shorter one that has a route.
        """
        if not self.patterns:
            return []
        occurrences: list[tuple[int, Pattern]] = list(self._machine.iter(text))
        if not occurrences or (routing_only and not any(pattern.routing for _, pattern in occurrences)):
            return []
        return leftmost_longest(_bounded(text, occurrences))

    def without(self, pattern: str) -> list[Hit]:
        """What would be found in the pattern's own text if the pattern were not there."""
        occurrences: list[tuple[int, Pattern]] = list(self._machine.iter(pattern))
        return leftmost_longest(_bounded(pattern, [entry for entry in occurrences if entry[1].text != pattern]))


def _bounded(text: str, occurrences: list[tuple[int, Pattern]]) -> list[Hit]:
    """Those that begin and end where words do. The machine says where an occurrence's last character is."""
    kept = []
    for last, pattern in occurrences:
        start, end = last + 1 - len(pattern.text), last + 1
        if (start == 0 or is_boundary(text[start - 1], text[start])) and (
            end == len(text) or is_boundary(text[last], text[end])
        ):
            kept.append(Hit(start, end, pattern))
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
