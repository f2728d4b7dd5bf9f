"""What a stream costs by how many there are at once: processor time, and memory while all are open.

Each has as many words, and the more there are the slower they come, so that as many words come in a second. A proxy of
its own is started for each measurement: one that has held five thousand streams keeps some of what they took.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from bench.compare import ours, streams
from bench.compare.cells import Cell
from bench.compare.rounds import Stage, stage
from bench.compare.streams import Pace
from bench.compare.target import Target
from bench.row import Row
from bench.scale.curve import Curve, at, row
from bench.scale.measuring import Asked, Effort, curves
from bench.stats import figure

STREAMS: Final = (1, 10, 100, 1000, 5000)
#: Of which memory can be told from the noise of the rest.
MANY: Final = (500, 1000, 2000, 5000)
WORDS: Final = 40
#: Seconds between two words of all streams, at most so often.
EACH_S, LEAST_GAP_S = 60e-6, 0.001
#: How long few streams are repeated, in seconds.
SECONDS: Final = 4.0
SUITE: Final = "Scale: streams at once"
CPU, MEMORY = "processor time of a stream of 40 words", "memory of an open stream"


def measured(effort: Effort) -> Iterator[tuple[Row, Curve | None]]:
    """Both costs; and how late words come when the streams are as many as issue 9 says."""
    rounds = min(effort.rounds, 3)
    spent = curves(SUITE, "streams", [Asked(CPU, "ms", 0.1)], effort.upto(STREAMS), rounds, _alone(_cpu))
    held = curves(SUITE, "streams", [Asked(MEMORY, "KB", 0.1)], effort.upto(MANY), rounds, _alone(_memory))
    for curve in (*spent, *held):
        yield row(curve), curve
    [memory] = held
    for size, _ in memory.points:
        yield at(memory, size, streams.STREAM_KB, f"{memory.name}, {size:,.0f} at once"), None
    yield _delay(rounds), None


#: Of a running proxy and mock: costs by name.
_Of = Callable[[Stage, Target, int], dict[str, float]]


def _alone(measure: _Of) -> Callable[[int], dict[str, float]]:
    def started(count: int) -> dict[str, float]:
        [target, *_] = ours.targets()
        with TemporaryDirectory() as folder, stage([target], Path(folder)) as (made, _):
            return measure(made, target, count)

    return started


def _paced(made: Stage, count: int) -> Pace:
    pace = Pace(WORDS, max(LEAST_GAP_S, count * EACH_S))
    made.pace(pace.words, round(pace.gap_s * 1e6))
    return pace


def _cpu(made: Stage, target: Target, count: int) -> dict[str, float]:
    pace = _paced(made, count)
    running = made.running[target.name]
    before = running.cpu_s()
    seen = streams.run(made, target, Cell("SSE", "S", count), pace, max(SECONDS, pace.seconds / 2))
    return {CPU: (running.cpu_s() - before) * 1000 / seen.all}


def _memory(made: Stage, target: Target, count: int) -> dict[str, float]:
    pace = _paced(made, count)
    return {MEMORY: streams.growth(made, target, Cell("SSE", "S", count), pace) * 1000 / count}


def _delay(rounds: int) -> Row:
    """Beside the mock's own, within a round."""
    [target, *_] = ours.targets()
    added = []
    with TemporaryDirectory() as folder, stage([target], Path(folder)) as (made, _):
        made.pace(streams.PACE.words, round(streams.PACE.gap_s * 1e6))
        both, cell = streams.with_mock(made), Cell("SSE", "S", streams.STREAMS)
        for _ in range(rounds):
            direct, proxied = (
                streams.run(both, each, cell, streams.PACE, SECONDS).delay.p99 / 1000 for each in (streams.MOCK, target)
            )
            added.append(proxied - direct)
    found = figure(added)
    if found is None:
        raise ValueError("nothing was measured")
    return Row(
        suite=SUITE, name=f"{streams.STREAMS} paced: delay p99 added to the mock's own", value=found.value, unit="ms",
        bound=streams.DELAY_MS, spread=(found.lowest, found.highest),
    )  # fmt: skip
