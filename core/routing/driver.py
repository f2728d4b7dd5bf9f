"""Drives a decision: has the rules that it asks for run. One of the drivers; replay will send recorded outcomes."""

from collections.abc import Generator
from typing import Protocol

from core.exchange import Decision
from core.routing.proposal import Ask
from wasm_host.answer import Outcome
from wasm_host.host import Host


class Driver(Protocol):
    """Runs a decision to its end."""

    async def drive(self, decision: Generator[Ask, list[Outcome], Decision]) -> Decision: ...


class HostDriver:
    """Asks the rules of a host, wherever it runs them."""

    def __init__(self, host: Host) -> None:
        self._host = host

    async def drive(self, decision: Generator[Ask, list[Outcome], Decision]) -> Decision:
        """The decision; outcomes are what the rules answer now."""
        try:
            ask = next(decision)
            while True:
                ask = decision.send(await self._host.ask(ask.rules, ask.view, ask.targets))
        except StopIteration as end:
            decided: Decision = end.value
            return decided
