"""Drives a decision: runs the rules that it asks for. One of the drivers; replay will send recorded outcomes."""

from collections.abc import Callable, Generator
from typing import Protocol

from core.exchange import Decision
from core.routing.proposal import Ask
from wasm_host.answer import Outcome
from wasm_host.inline import InlineRunner


class Driver(Protocol):
    """Runs a decision to its end."""

    def drive(self, decision: Generator[Ask, list[Outcome], Decision]) -> Decision: ...


class InlineDriver:
    """Runs the rules in this process. `on_outcomes` sees what each said."""

    def __init__(self, runner: InlineRunner, on_outcomes: Callable[[list[Outcome]], None] = lambda _: None) -> None:
        self._runner = runner
        self._on_outcomes = on_outcomes

    def drive(self, decision: Generator[Ask, list[Outcome], Decision]) -> Decision:
        """The decision; outcomes are what the rules answer now."""
        try:
            ask = next(decision)
            while True:
                outcomes = self._runner.run(ask.rules, ask.view, ask.targets)
                self._on_outcomes(outcomes)
                ask = decision.send(outcomes)
        except StopIteration as end:
            decided: Decision = end.value
            return decided
