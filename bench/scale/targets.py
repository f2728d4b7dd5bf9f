"""What configured targets cost by their number: a decision, the making of a snapshot, and a scrape of `/metrics`.

The first scrape writes every line; a later one only what changed, which here is one target's.
"""

from collections.abc import Iterator
from functools import partial
from typing import Final

from bench import bodies
from bench.decisions import at_once, prepared
from bench.row import Row
from bench.scale.curve import Curve, row
from bench.scale.measuring import Asked, Effort, cpu_ms, curves
from bench.scrapes import full
from core import presets
from core.metrics.exposition import PLAIN
from core.rolegraph import Taxonomy
from core.routing.snapshot import Snapshot, build
from wasm_host.rule import RuleSet

TARGETS: Final = (1, 10, 100, 1000)
SUITE: Final = "Scale: configured targets, all of them asked by clients"
DECISION, SNAPSHOT, FIRST, LATER = "a decision", "a snapshot made", "the first scrape", "a later scrape"


def measured(effort: Effort) -> Iterator[tuple[Row, Curve | None]]:
    """The costs, and what a target adds to a scrape."""

    def measure(count: int) -> dict[str, float]:
        call, pipeline = prepared(bodies.kilo(), _snapshot(count))
        metrics, one = full(count)
        first = cpu_ms([partial(metrics.text, PLAIN)])
        later = []
        for _ in range(effort.runs):
            metrics.settled(one, 0.9)
            later.append(cpu_ms([partial(metrics.text, PLAIN)]))
        return {
            DECISION: cpu_ms([lambda: at_once(pipeline.decide(call, 250))] * 10 * effort.runs),
            SNAPSHOT: cpu_ms([partial(_snapshot, count)]),
            FIRST: first,
            LATER: sorted(later)[len(later) // 2],
        }

    asked = [
        Asked(DECISION, "ms", 0.1), Asked(SNAPSHOT, "ms", 1.1), Asked(FIRST, "ms", 1.1), Asked(LATER, "ms", 1.1),
    ]  # fmt: skip
    for curve in curves(SUITE, "targets", asked, effort.upto(TARGETS), effort.rounds, measure):
        yield row(curve), curve


def _snapshot(count: int) -> Snapshot:
    """The embedded providers, one of them with so many models of its own."""
    models = {f"model-{number}": {"context_window": 200_000} for number in range(count)}
    settings = presets.embedded(set(), {"providers": {"openrouter": {"models": models}}})
    return build(settings, Taxonomy(), RuleSet())
