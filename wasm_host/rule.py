"""A loaded rule, and the set of them that a request is decided with."""

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from wasm_host import abi
from wasm_host.compiler import Compiled
from wasm_host.manifest import Settings
from wasm_host.preflight import Refusal
from wasm_host.projection import Plan
from wasm_host.trust import Evidence


class Rule(Struct, frozen=True, kw_only=True):
    """A module with its settings. `config` is JSON; rules of equal `view_key` are shown the same bytes.

    `notes` are remarks for the operator: what was asked for and not granted, what the example request did to it.
    `trust` is "signed" (by a configured key), "locked" (in `plugins.lock`) or "". It says where the rule may run, not
    how it decides, and so is no part of `identity`. `evidence` is what it was judged on.
    """

    name: str
    compiled: Compiled
    settings: Settings
    plan: Plan
    config: bytes
    view_key: str
    notes: tuple[str, ...] = ()
    trust: str = ""
    evidence: Evidence | None = None

    @property
    def sha256(self) -> str:
        return self.compiled.facts.sha256

    def identity(self) -> dict[str, Any]:
        """What decides about this rule's answers, as plain values."""
        settings = self.settings
        return {
            "name": self.name,
            "sha256": self.sha256,
            "priority": settings.priority,
            "mode": settings.mode,
            "share": settings.share,
            "fail": settings.fail,
            "allow_deny": settings.allow_deny,
            "routes": None if settings.routes is None else sorted(settings.routes),
            "tags": {key: sorted(settings.tags[key]) for key in sorted(settings.tags)},
            "limits": [settings.limits.fuel, settings.limits.timeout_ms, settings.limits.memory],
            "view": self.view_key,
        }


def wants_of(rules: Iterable[Rule]) -> frozenset[str]:
    """What the rules that are asked need of a request; see `Plan.wants`."""
    return frozenset().union(*(rule.plan.wants() for rule in rules if rule.settings.mode != "off"))


class Problem(Struct, frozen=True):
    """Something wrong with a file of the folder. `warning`: the rule is used all the same."""

    path: str
    message: str
    hint: str = ""
    warning: bool = False


class RuleSet(Struct, frozen=True, kw_only=True):
    """All rules of a folder, in the order in which they are asked: by priority, then by name.

    `wants` names the parts of a request that some rule needs (see `Plan.wants`). `refused` remembers, by form and hash,
    what need not be compiled again to be refused again. `lock` is the SHA-256 of the lock that was enforced.
    """

    rules: tuple[Rule, ...] = ()
    problems: tuple[Problem, ...] = ()
    wants: frozenset[str] = frozenset()
    refused: Mapping[str, Refusal] = {}
    lock: str = ""

    @property
    def on(self) -> tuple[Rule, ...]:
        """Those that are asked."""
        return tuple(rule for rule in self.rules if rule.settings.mode != "off")

    def identity(self) -> list[dict[str, Any]]:
        """The canonical list that a snapshot's id is made from: rules in order, contract and engine."""
        return [{"abi": abi.NAME, "engine": rule.compiled.facts.engine} | rule.identity() for rule in self.rules]
