"""What rules add to a decision that they abstain from, by how many they are: inline, and in a worker."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import msgspec

from bench import bodies
from bench.decisions import at_once, prepared, snapshot, trusted
from bench.row import Row
from bench.rule_workers import abstaining
from bench.scale.curve import Curve, row
from bench.scale.measuring import Asked, Effort, cpu_ms, curves
from bench.stats import median
from core.routing.driver import HostDriver
from core.routing.snapshot import Snapshot
from wasm_host.host import Host, Observer
from wasm_host.rule import Rule, RuleSet

RULES: Final = (1, 2, 4, 8, 16, 32, 64)
#: Of the request, more or less.
TOKENS: Final = 250
SUITE: Final = "Scale: what rules that abstain add to a decision"
INLINE, WORKER = "inline", "in a worker, until it answers"


def measured(effort: Effort) -> Iterator[tuple[Row, Curve | None]]:
    """Both ways. A worker is another process, so that its time is the clock's."""
    sizes = effort.upto(RULES)
    with TemporaryDirectory() as folder, asyncio.Runner() as runner:
        rules = abstaining(Path(folder), max(sizes))
        host = Host(Observer(), workers=1)

        async def use() -> None:
            host.use(rules, isolation="process")

        def measure(count: int) -> dict[str, float]:
            without, ruled = _shot([]), _shot(rules[:count])
            return {
                INLINE: _inline(ruled, effort) - _inline(without, effort),
                WORKER: runner.run(_in_worker(host, ruled, effort)),
            }

        runner.run(use())
        try:
            asked = [Asked(INLINE, "ms", 1.1), Asked(WORKER, "ms", 1.1)]
            for curve in curves(SUITE, "rules", asked, sizes, effort.rounds, measure):
                yield row(curve), curve
        finally:
            runner.run(host.close())


def _shot(rules: list[Rule]) -> Snapshot:
    return snapshot(trusted(msgspec.structs.replace(RuleSet(), rules=tuple(rules))))


def _inline(shot: Snapshot, effort: Effort) -> float:
    call, pipeline = prepared(bodies.kilo(), shot)
    return cpu_ms([lambda: at_once(pipeline.decide(call, TOKENS))] * 10 * effort.runs)


async def _in_worker(host: Host, shot: Snapshot, effort: Effort) -> float:
    call, pipeline = prepared(bodies.kilo(), shot)
    driver, taken = HostDriver(host), []
    for _ in range(10 * effort.runs):
        begin = time.perf_counter_ns()
        decision = await pipeline.decide(call, TOKENS, driver)
        taken.append((time.perf_counter_ns() - begin) / 1e6)
        if len(decision.asked) != len(shot.rules.rules):
            raise RuntimeError(f"{len(decision.asked)} of {len(shot.rules.rules)} rules were asked")
    return median(taken)
