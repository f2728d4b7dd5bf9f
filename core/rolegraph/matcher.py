"""Which concepts a text names, the one that it means most first.

Rank: higher priority, more matched characters of distinct patterns, earlier position, concept's name. The score
(priority + min(matched, 99) / 100) / 101 orders as the first two of these do and does not depend on the text's length.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from core.rolegraph.automaton import Automaton, Hit
from core.rolegraph.legacy import legacy_score_at
from core.rolegraph.model import Concept, Route, Taxonomy
from core.rolegraph.text import Offsets, fold, lower
from core.rolegraph.trigger import TriggerIndex

Scoring = Literal["rank", "legacy"]
How = Literal["pattern", "trigger", "pinned"]


class Span(NamedTuple):
    """`text[start:end]` of the text as it was written, and the pattern that it matched."""

    start: int
    end: int
    pattern: str


@dataclass(frozen=True)
class ConceptMatch:
    """A concept that a text names. `score` is 0-1; `matched` counts characters of the distinct patterns found.

    `how` is `pattern`, or `trigger` (no pattern hit, but the text is about the same), or `pinned` (see `Matcher`).
    """

    concept: str
    title: str
    priority: int
    score: float
    matched: int
    routes: tuple[Route, ...]
    patterns: tuple[str, ...] = ()
    how: How = "pattern"
    path: str = ""
    _hits: tuple[Hit, ...] = field(default=(), repr=False, compare=False)
    _offsets: Offsets = field(default_factory=lambda: Offsets(""), repr=False, compare=False)

    @property
    def score_1000(self) -> int:
        """The score as an integer, for records and rules."""
        return round(self.score * 1000)

    @property
    def spans(self) -> tuple[Span, ...]:
        """Where, in the text as it was written. Worked out when asked for: a decision does not need it."""
        return tuple(_span(hit, self._offsets) for hit in self._hits)


class Matcher:
    """A taxonomy, compiled.

    `scoring="legacy"` shows the old score; the rank stays. `triggers=True` asks the TF-IDF index when no pattern hits.
    Pinned concepts come last, with score 0: `match` always has them, `routing` only behind a concept that was found, so
    that being pinned is never the reason for a route.
    """

    def __init__(self, taxonomy: Taxonomy, *, scoring: Scoring = "rank", triggers: bool = False) -> None:
        self.taxonomy = taxonomy
        self._scoring = scoring
        self._automaton = Automaton(taxonomy.concepts)
        self._pinned = tuple(concept for concept in taxonomy.concepts if concept.pinned)
        self._triggers = TriggerIndex(taxonomy.concepts) if triggers else None

    def match(self, text: str) -> list[ConceptMatch]:
        """Every concept that the text names, best first."""
        return self._ranked(text, routing_only=False)

    def routing(self, text: str) -> list[ConceptMatch]:
        """Only concepts with routes, best first. Empty for nearly every text, and quick then."""
        return self._ranked(text, routing_only=True)

    def _ranked(self, text: str, *, routing_only: bool) -> list[ConceptMatch]:
        found = self._by_pattern(text, routing_only=routing_only) or self._by_trigger(text, routing_only=routing_only)
        if routing_only and not found:
            return []
        named = {match.path for match in found}
        pinned = [concept for concept in self._pinned if concept.path not in named]
        return found + [_bare(concept, "pinned", 0.0) for concept in pinned if concept.routes or not routing_only]

    def _by_pattern(self, text: str, *, routing_only: bool) -> list[ConceptMatch]:
        lowered = lower(text)
        hits = self._automaton.hits(fold(lowered), routing_only=routing_only)
        offsets = Offsets(lowered)
        groups: dict[int, list[Hit]] = {}
        for hit in hits:
            for position in hit.pattern.concepts:
                groups.setdefault(position, []).append(hit)
        ranked = []
        for position, own in groups.items():
            concept = self.taxonomy.concepts[position]
            if concept.routes or not routing_only:
                match = self._concept_match(concept, own, text, offsets)
                ranked.append(((-match.priority, -match.matched, own[0].start, position), match))
        return [match for _, match in sorted(ranked, key=lambda entry: entry[0])]

    def _concept_match(self, concept: Concept, hits: list[Hit], text: str, offsets: Offsets) -> ConceptMatch:
        patterns = tuple(dict.fromkeys(hit.pattern.text for hit in hits))
        matched = sum(map(len, patterns))
        if self._scoring == "legacy":
            score = _best_legacy_score(text, (_span(hit, offsets) for hit in hits))
        else:
            score = rank_score(concept.priority, matched)
        return ConceptMatch(
            concept=concept.name,
            title=concept.title,
            priority=concept.priority,
            score=score,
            matched=matched,
            routes=concept.routes,
            patterns=patterns,
            path=concept.path,
            _hits=tuple(hits),
            _offsets=offsets,
        )

    def _by_trigger(self, text: str, *, routing_only: bool) -> list[ConceptMatch]:
        if self._triggers is None:
            return []
        similar = [(self.taxonomy.concepts[position], cosine) for position, cosine in self._triggers.similar(text)]
        return [_bare(concept, "trigger", cosine) for concept, cosine in similar if concept.routes or not routing_only]


def rank_score(priority: int, matched: int) -> float:
    """0-1 from a priority of 0-100 and a number of characters, of which 99 count."""
    return (priority + min(matched, 99) / 100) / 101


def _best_legacy_score(text: str, spans: Iterable[Span]) -> float:
    return max(legacy_score_at(text, span.start, span.end) for span in spans)


def _bare(concept: Concept, how: How, score: float) -> ConceptMatch:
    return ConceptMatch(
        concept.name, concept.title, concept.priority, score, 0, concept.routes, how=how, path=concept.path
    )


def _span(hit: Hit, offsets: Offsets) -> Span:
    # The last character, not the end: spaces that were taken out behind the match are no part of it.
    return Span(offsets.original(hit.start), offsets.original(hit.end - 1) + 1, hit.pattern.text)
