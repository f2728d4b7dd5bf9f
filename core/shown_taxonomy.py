"""The taxonomy as the admin plane shows it: concepts, how often they are found, what lint says. Pure."""

from typing import Any, Final

from core.concept_figures import ConceptFigures
from core.rolegraph import Concept, ConceptMatch, Finding, Taxonomy, lint_report
from core.routing.decide import in_whole, looked_at
from core.routing.snapshot import Snapshot, build
from core.schema import Settings
from wasm_host.rule import RuleSet

#: Synonyms of a concept that are shown.
SYNONYMS: Final = 50
#: Findings and matches that are shown.
MOST: Final = 1000


def concepts(snapshot: Snapshot, figures: ConceptFigures, now_ms: int) -> list[dict[str, Any]]:
    """All of them, as the taxonomy has them in order."""
    return [_concept(concept, snapshot, figures, now_ms) for concept in snapshot.taxonomy.concepts]


def _concept(concept: Concept, snapshot: Snapshot, figures: ConceptFigures, now_ms: int) -> dict[str, Any]:
    counts = figures.of(concept.path, now_ms)
    routes = [route.target for route in concept.routes]
    return {
        "concept": concept.name,
        "title": concept.title,
        "path": concept.path,
        "routes": routes,
        "unrouted": [target for target in routes if not _has_provider(target, snapshot)],
        "priority": concept.priority,
        "synonyms": [pattern.text for pattern in concept.patterns[:SYNONYMS]],
        "synonym_count": len(concept.patterns),
        "matches": counts.recent,
        "total": counts.total,
        "last_ms": counts.last_ms,
    }


def _has_provider(target: str, snapshot: Snapshot) -> bool:
    return target.partition(",")[0] in snapshot.settings.providers


def pattern_count(snapshot: Snapshot) -> int:
    """Distinct patterns of all concepts."""
    return len({pattern.text for concept in snapshot.taxonomy.concepts for pattern in concept.patterns})


def findings(taxonomy: Taxonomy, settings: Settings) -> list[Finding]:
    """What is worth a look in a taxonomy, with this configuration."""
    free = [name for name, provider in settings.providers.items() if provider.any_model]
    # Without the taxonomy: its routes make targets of themselves, and none would be unknown.
    targets = build(settings, Taxonomy(), RuleSet()).target_names
    return lint_report(taxonomy, targets=targets, any_model=free)


def lint(snapshot: Snapshot) -> list[dict[str, Any]]:
    """What `taxonomy lint` would say of what serves."""
    return [_finding(finding) for finding in findings(snapshot.taxonomy, snapshot.settings)[:MOST]]


def _finding(finding: Finding) -> dict[str, Any]:
    plain = {"file": finding.path, "line": finding.line, "message": finding.message, "hint": finding.hint}
    return {**plain, "kind": finding.kind}


def matches(snapshot: Snapshot, text: str) -> list[dict[str, Any]]:
    """Concepts that a text names: those that would route it, the best first, then those that lead nowhere."""
    looked, apart = looked_at(text)
    routing = snapshot.matcher.routing(looked)
    paths = {match.path for match in routing}
    others = [match for match in snapshot.matcher.match(looked) if match.path not in paths]
    return [_match(match, snapshot, apart) for match in [*routing, *others][:MOST]]


def _match(match: ConceptMatch, snapshot: Snapshot, apart: int) -> dict[str, Any]:
    usable = (route.target for route in match.routes if _has_provider(route.target, snapshot))
    return {
        "concept": match.concept,
        "path": match.path,
        "how": match.how,
        "score": match.score_1000,
        "priority": match.priority,
        "spans": [[start, end] for start, end, _ in in_whole(match.spans, apart)],
        "target": next(usable, None),
    }
