"""What the phases say to `decide`."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from core.exchange import Candidate
from wasm_host.rule import Rule


class Ask(Struct, frozen=True):
    """Run these rules in order on this view of the request, until one routes or denies."""

    rules: Sequence[Rule]
    view: Mapping[str, Any]
    targets: frozenset[str]


class Proposal(Struct, frozen=True):
    """A phase's answer: candidates that passed the gate, best first, and why."""

    phase: str
    reason: str
    candidates: tuple[Candidate, ...]
    score: int | None = None
    tags: Mapping[str, str] = {}
    #: Of the concept that proposes it.
    priority: int = 0
