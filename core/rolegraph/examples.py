"""A taxonomy tests itself: `example::` sentences must lead to their concept, `not::` sentences must not."""

from dataclasses import dataclass

from core.errors import Problem
from core.rolegraph.matcher import Matcher
from core.rolegraph.model import Concept, Line, Taxonomy


@dataclass(frozen=True)
class Failure(Problem):
    """A sentence that went elsewhere. `concept` is its file's; `got` is what it led to, empty for nothing."""

    concept: str = ""
    sentence: str = ""
    got: str = ""


@dataclass(frozen=True)
class ExampleReport:
    """How many sentences were tried, and those that failed."""

    checked: int
    failures: tuple[Failure, ...]


def test_report(taxonomy: Taxonomy) -> ExampleReport:
    """Runs every sentence: in a file with routes it must (not) be routed by it, in another it must (not) match it."""
    matcher = Matcher(taxonomy)
    failures = [failure for concept in taxonomy.concepts for failure in _failures(concept, matcher)]
    checked = sum(len(concept.examples) + len(concept.counter_examples) for concept in taxonomy.concepts)
    return ExampleReport(checked, tuple(failures))


def run_examples(taxonomy: Taxonomy) -> list[Failure]:
    """The failures of `test_report`."""
    return list(test_report(taxonomy).failures)


def _failures(concept: Concept, matcher: Matcher) -> list[Failure]:
    wanted = [(line, True) for line in concept.examples] + [(line, False) for line in concept.counter_examples]
    failures = []
    for line, must in wanted:
        leads_here, got = _try(concept, line.text, matcher)
        if leads_here != must:
            failures.append(_failure(concept, line, got, must=must))
    return failures


def _try(concept: Concept, sentence: str, matcher: Matcher) -> tuple[bool, str]:
    found = matcher.routing(sentence)[:1] if concept.routes else matcher.match(sentence)
    return any(match.path == concept.path for match in found), ", ".join(match.concept for match in found)


def _failure(concept: Concept, line: Line, got: str, *, must: bool) -> Failure:
    if must:
        message = f"example:: {line.text!r} leads to {got or 'nothing'}, not to {concept.name}"
        hint = "add a synonym that the sentence holds, or raise the priority"
    else:
        message = f"not:: {line.text!r} leads to {concept.name}"
        hint = "make the synonym that fires longer or more precise"
    return Failure(concept.path, line.line, message, hint, concept.name, line.text, got)
