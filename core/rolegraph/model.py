"""What a taxonomy is: concepts with their patterns and routes, all frozen."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple

from core.errors import Problem

ConceptType = Literal["kg_entry", "document", "config_document"]
DEFAULT_PRIORITY = 50
MAX_PRIORITY = 100


class Line(NamedTuple):
    """A piece of text and the line, from 1, that it stands on; 0 for what the file's name says."""

    text: str
    line: int


@dataclass(frozen=True)
class Route:
    """Who should answer: `target` is `provider,model`; `action` is a command template, carried and never run."""

    target: str
    is_free: bool = False
    action: str = ""
    line: int = 0


@dataclass(frozen=True)
class Concept:
    """One file. `path` is relative to the taxonomy's folder; `patterns` are folded, distinct, own name first."""

    name: str
    path: str
    title: str
    type: ConceptType
    patterns: tuple[Line, ...]
    routes: tuple[Route, ...] = ()
    priority: int = DEFAULT_PRIORITY
    pinned: bool = False
    triggers: tuple[Line, ...] = ()
    examples: tuple[Line, ...] = ()
    counter_examples: tuple[Line, ...] = ()

    def identity(self) -> list[Any]:
        """Everything of the file that can change a match, as JSON values; lines and examples cannot."""
        return [
            self.name,
            self.path,
            self.title,
            self.type,
            self.priority,
            self.pinned,
            sorted(pattern.text for pattern in self.patterns),
            [[route.target, route.is_free, route.action] for route in self.routes],
            [trigger.text for trigger in self.triggers],
        ]


@dataclass(frozen=True)
class Taxonomy:
    """All concepts, sorted by name and path, and whatever was wrong with their files."""

    concepts: tuple[Concept, ...] = ()
    problems: tuple[Problem, ...] = ()

    @cached_property
    def by_path(self) -> Mapping[str, Concept]:
        return {concept.path: concept for concept in self.concepts}

    def identity(self) -> list[Any]:
        """Canonical JSON values for the snapshot's id: equal files give equal values, in whatever order they came."""
        return [concept.identity() for concept in self.concepts]
