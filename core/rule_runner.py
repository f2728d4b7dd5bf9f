"""Drives decisions with rules in a worker of its own: nothing of it reaches the workers, breakers and metrics of those
that requests are answered with. It waits: for one thread that may.
"""

import time
from collections.abc import Generator, Mapping, Sequence
from itertools import takewhile
from typing import Final

from core.exchange import Decision
from core.lab.drivers import drive
from core.routing.proposal import Ask
from wasm_host import asking
from wasm_host.answer import Outcome
from wasm_host.frames import Load, Result
from wasm_host.rule import Rule
from wasm_host.sandbox import Sandbox

#: A process with more modules than this is given up for a new one.
MODULES_MAX: Final = 64


class RuleRunner:
    """One sandbox, which is there from the first call on until `close`."""

    def __init__(self) -> None:
        self._sandbox = Sandbox()
        self._modules: set[str] = set()
        self._own: Load | None = None

    def drive(
        self, decision: Generator[Ask, list[Outcome], Decision], resting: Mapping[str, str]
    ) -> tuple[Decision, int]:
        """The decision's end, and the microseconds that it took. `resting` says why rules are left alone, by name."""
        began = time.perf_counter_ns()
        decided = drive(decision, lambda ask: self.answer(ask, resting))
        return decided, (time.perf_counter_ns() - began) // 1000

    def answer(self, ask: Ask, resting: Mapping[str, str]) -> list[Outcome]:
        """One outcome for each rule that was considered, in order; the last one decides, or none does."""
        self._make_room({rule.sha256 for rule in ask.rules})
        if self._own:
            self._sandbox.have(self._own)
        self._sandbox.load(ask.rules)
        outcomes: list[Outcome] = []
        while len(outcomes) < len(ask.rules):
            outcomes += self._step(ask.rules[len(outcomes) :], ask, resting)
            if outcomes[-1].decides:
                break
        return outcomes

    def _step(self, rules: Sequence[Rule], ask: Ask, resting: Mapping[str, str]) -> list[Outcome]:
        if why := resting.get(rules[0].name, ""):
            return [asking.outcome(rules[0], Result("skipped", why), ask.targets)]
        together = list(takewhile(lambda rule: rule.name not in resting, rules))
        prepared, unasked = asking.prepare(together, ask.view)
        if unasked is not None and not prepared.rules:
            return [unasked]
        return asking.outcomes(prepared, self._sandbox.run(prepared.ask), ask.targets)

    def have(self, module: Load) -> None:
        """This module too, whose machine code is on no disk; the one before it may be gone then."""
        self._own = module

    def _make_room(self, wanted: set[str]) -> None:
        """For what is new; rules that are more than there is room for have a process that holds nothing else."""
        if wanted <= self._modules:
            return
        self._modules |= wanted
        if len(self._modules) > max(MODULES_MAX, len(wanted)):
            own = self._own
            self.close()
            self._modules, self._own = wanted, own

    @property
    def pid(self) -> int | None:
        """Of the process, if there is one."""
        return self._sandbox.pid

    def close(self) -> None:
        """End the process, and forget its modules; the next call has a new one."""
        self._sandbox.close()
        self._sandbox, self._modules, self._own = Sandbox(), set(), None
