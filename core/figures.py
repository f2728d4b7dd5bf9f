"""What this process counts for the admin plane beside its metrics: of rules, of concepts, of targets. Pure, by its
clock; what is kept is bounded by the configuration.
"""

from collections.abc import Callable

from core.concept_figures import ConceptFigures
from core.exchange import Exchange
from core.generation import Generation
from core.routing.snapshot import Snapshot
from core.rule_figures import RuleFigures
from core.target_figures import TargetFigures


class Figures:
    """All of them. `now_ms` is Unix time."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self.rules, self.concepts, self.targets = RuleFigures(), ConceptFigures(), TargetFigures()

    def use(self, generation: Generation) -> None:
        """This configuration from now on. What is where it was is counted on."""
        self.rules.keep(rule.name for rule in generation.files.rules)
        self.concepts.keep(concept.path for concept in generation.snapshot.taxonomy.concepts)
        self.targets.keep(generation.snapshot.targets)

    def decided(self, exchange: Exchange) -> None:
        """A request that is to be answered was decided."""
        if exchange.decision is not None and exchange.decision.matches:
            self.concepts.found(exchange.decision.matches, self._now_ms())

    def over(self, exchange: Exchange, snapshot: Snapshot) -> None:
        """It is over, and its cost is known."""
        if exchange.attempts:
            self.targets.over(exchange, snapshot.card, self._now_ms())
