"""Runs rules in this process: for the toolbox's children and for tests. `host` is what a proxy asks.

Every call has a fresh instance, fuel, a deadline and a memory limit; nothing that a rule does raises here.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from wasm_host import asking, paths
from wasm_host.answer import Outcome
from wasm_host.compiler import read_artifact
from wasm_host.execute import Executor
from wasm_host.guest import Fault, Runtime
from wasm_host.rule import Rule


class InlineRunner:
    """Asks rules in order. May be used by several threads at once. `clock` gives nanoseconds.

    `runtime` is the way to the engine; `paths` chooses it unless it is given.
    """

    def __init__(self, *, clock: Callable[[], int] = time.perf_counter_ns, runtime: Runtime | None = None) -> None:
        self._executor = Executor(clock=clock, serving=paths.Serving(runtime) if runtime else None)

    def prepare(self, rules: Iterable[Rule]) -> None:
        """Load these rules' machine code, and forget all other. Without it, code is loaded by the first call."""
        rules = list(rules)
        self._executor.keep(frozenset(rule.sha256 for rule in rules))
        for rule in rules:
            self._load(rule)

    def run(self, rules: Sequence[Rule], view: Mapping[str, Any], targets: frozenset[str]) -> list[Outcome]:
        """One outcome for each rule that was asked, in order; the last one decides, or none does. Never raises.

        `view` has the shape of `abi.EXAMPLE`; `targets` are the configured `provider,model`s.
        """
        outcomes: list[Outcome] = []
        while len(outcomes) < len(rules):
            prepared, unasked = asking.prepare(rules[len(outcomes) :], view)
            for rule in prepared.rules:
                self._load(rule)
            results = self._executor.run(prepared.ask) if prepared.rules else []
            outcomes += asking.outcomes(prepared, results, targets)
            if not prepared.rules and unasked is not None:
                outcomes.append(unasked)
            if outcomes[-1].decides:
                break
        return outcomes

    def _load(self, rule: Rule) -> None:
        """Failing is not said here: the rule's call will."""
        if not self._executor.has(rule.sha256) and (code := read_artifact(rule.compiled.artifact)):
            with suppress(Fault):
                self._executor.load(rule.sha256, code, rule.settings.limits.memory)
