"""What is legal in a taxonomy and still probably a mistake. Each finding has file, line and what to do."""

import difflib
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from core.errors import Problem
from core.rolegraph.automaton import Automaton
from core.rolegraph.model import DEFAULT_PRIORITY, Concept, Line, Taxonomy
from core.rolegraph.text import is_cjk
from core.rolegraph.words import STOP_WORDS, words

#: Characters. Shorter routing patterns are abbreviations that mean something else to someone; CJK says more in fewer.
MIN_PATTERN, MIN_CJK_PATTERN = 4, 2


@dataclass(frozen=True)
class Finding(Problem):
    """Something worth a look.

    `kind` is parse, duplicate, collision, shadowed, redundant, short, generic, target, repeated, unrouted or untested.
    """

    kind: str = ""


def lint_report(
    taxonomy: Taxonomy, targets: Collection[str] | None = None, any_model: Collection[str] = ()
) -> list[Finding]:
    """Everything worth a look, sorted by file and line.

    `targets` are the configured `provider,model` names (None: routes are not checked); `any_model` names the providers
    whose models need not be listed.
    """
    findings = [Finding(p.path, p.line, p.message, p.hint, "parse") for p in taxonomy.problems]
    findings += _duplicates(taxonomy)
    findings += _collisions(taxonomy)
    findings += _overlaps(taxonomy)
    for concept in taxonomy.concepts:
        if concept.routes:
            findings += _weak_patterns(concept)
            findings += _untested(concept)
            findings += _repeated(concept)
        else:
            findings += _unrouted(concept)
        if targets is not None:
            findings += _unknown_targets(concept, targets, any_model)
    return sorted(findings, key=lambda finding: (finding.path, finding.line, finding.kind, finding.message))


def _duplicates(taxonomy: Taxonomy) -> Iterator[Finding]:
    first: dict[str, Concept] = {}
    for concept in taxonomy.concepts:
        twin = first.setdefault(concept.name, concept)
        if twin is not concept:
            message = f"a concept {concept.name!r} is also in {twin.path}"
            yield Finding(concept.path, 0, message, "rename one of the files: reasons name the concept", "duplicate")


def _collisions(taxonomy: Taxonomy) -> Iterator[Finding]:
    first: dict[str, Concept] = {}
    for concept in taxonomy.concepts:
        for pattern in concept.patterns if concept.routes else ():
            rival = first.setdefault(pattern.text, concept)
            if rival is not concept:
                message = f"{pattern.text!r} is also a pattern of {rival.path}, and both have routes"
                yield _finding(concept, pattern, message, "keep it in one of them", "collision")


def _overlaps(taxonomy: Taxonomy) -> Iterator[Finding]:
    """Patterns in whose words another would be found, were they not there: leftmost-longest prefers the longer."""
    concepts = taxonomy.concepts
    automaton = Automaton(concepts)
    inside = {entry.text: [hit.pattern for hit in automaton.without(entry.text)] for entry in automaton.patterns}
    for concept in concepts:
        for pattern in concept.patterns:
            for shorter in inside[pattern.text]:
                for owner in (concepts[position] for position in shorter.concepts):
                    yield from _overlap(concept, pattern, owner, shorter.text)


def _overlap(concept: Concept, pattern: Line, owner: Concept, shorter: str) -> Iterator[Finding]:
    if owner is concept:
        if concept.routes and pattern.line:
            yield _finding(
                concept, pattern, f"{pattern.text!r} holds {shorter!r}, which finds the same", "remove it", "redundant"
            )
    elif concept.routes and owner.routes and owner.priority > concept.priority:
        message = f"{pattern.text!r} hides {shorter!r} of {owner.path}, which has the higher priority"
        yield _finding(
            concept, pattern, message, "raise this file's priority, or remove the longer pattern", "shadowed"
        )


def _weak_patterns(concept: Concept) -> Iterator[Finding]:
    for pattern in concept.patterns:
        least = MIN_CJK_PATTERN if any(map(is_cjk, pattern.text)) else MIN_PATTERN
        said = words(pattern.text)
        if len(pattern.text) < least:
            hint = "prompts hold it by chance: write the whole phrase"
            yield _finding(concept, pattern, f"{pattern.text!r} is too short for a route", hint, "short")
        elif all(word in STOP_WORDS for word in said):
            hint = "every prompt may hold it: name what is wanted"
            yield _finding(concept, pattern, f"{pattern.text!r} is made of stop words", hint, "generic")
        elif len(said) == 1 and not any(map(is_cjk, pattern.text)):
            hint = "a mere mention would route: write the phrase that expresses the wish"
            yield _finding(concept, pattern, f"{pattern.text!r} is a single word", hint, "generic")


def _untested(concept: Concept) -> Iterator[Finding]:
    for key, lines in (("example::", concept.examples), ("not::", concept.counter_examples)):
        if not lines:
            line = concept.routes[0].line
            message = f"a file with a route has no {key} sentence"
            yield Finding(concept.path, line, message, "add one, `taxonomy test` runs it", "untested")


def _repeated(concept: Concept) -> Iterator[Finding]:
    first: dict[str, int] = {}
    for route in concept.routes:
        line = first.setdefault(route.target.lower(), route.line)
        if line != route.line:
            message = f"{route.target} is already the route on line {line}"
            yield Finding(concept.path, route.line, message, "a target is asked once: remove the line", "repeated")


def _unrouted(concept: Concept) -> Iterator[Finding]:
    """A file without a route takes mentions away from those with one, which is of use; what is for routes is not."""
    if concept.priority != DEFAULT_PRIORITY or concept.pinned:
        said = f"priority:: {concept.priority}" if concept.priority != DEFAULT_PRIORITY else "pinned::"
        message, hint = f"{said} says nothing without a route", "add a route:: line, or remove it"
        yield Finding(concept.path, 0, message, hint, "unrouted")


def _unknown_targets(concept: Concept, targets: Collection[str], any_model: Collection[str]) -> Iterator[Finding]:
    known = {target.lower(): target for target in targets}
    free = {provider.lower() for provider in any_model}
    for route in concept.routes:
        wanted = route.target.lower()
        if wanted in known or wanted.partition(",")[0] in free:
            continue
        close = difflib.get_close_matches(wanted, known, 1, 0.6)
        hint = f"did you mean {known[close[0]]}?" if close else "name a target of the configuration"
        yield Finding(
            concept.path, route.line, f"{route.target} is not configured, the route is skipped", hint, "target"
        )


def _finding(concept: Concept, pattern: Line, message: str, hint: str, kind: str) -> Finding:
    return Finding(concept.path, pattern.line, message, hint, kind)
