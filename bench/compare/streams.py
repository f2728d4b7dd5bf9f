"""Many streams at once, one word each every so often, as models write: how late words come, what a stream weighs.

Every word carries the moment at which the mock sent it. The mock itself is a target here, `direct`: its figures are
what the machine, the mock and the load generator add by themselves. Memory is measured in runs of its own: reading it
holds a process up.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from msgspec import Struct, structs

from bench.compare.bounds import FLOOR, OURS, row
from bench.compare.cells import Cell
from bench.compare.figures import Failed
from bench.compare.rounds import Stage
from bench.compare.target import SAME, Speech, Target
from bench.load_generator import Broken, Seen, Window
from bench.row import Row
from bench.stats import Figure, figure


class Pace(Struct, frozen=True):
    """How the mock writes a stream: a word each `gap_s`."""

    words: int
    gap_s: float

    @property
    def seconds(self) -> float:
        """Of a whole stream."""
        return self.words * self.gap_s


STREAMS: Final = 200
PACE: Final = Pace(40, 0.05)
DIRECT: Final = "direct"
#: Requests with a body of 100 KB that are held open at once.
LARGE_AT_ONCE: Final = 64
#: Milliseconds, milliseconds, KB a stream, MB a large request (issue 9).
DELAY_MS, FIRST_MS, STREAM_KB, LARGE_MB = 2.0, 1.0, 150.0, 2.0


class Paced(Struct, frozen=True):
    """One target's turn. Growth is of its PSS while they all are open, for one of them."""

    target: str
    round: int
    seen: Seen
    stream_kb: float
    large_mb: float


#: The mock as a target, which runs already.
MOCK: Final = Target(DIRECT, "floor", lambda _: None, {SAME: Speech()})  # type: ignore[arg-type,return-value]


def with_mock(stage: Stage) -> Stage:
    """The same, with the mock among what is asked."""
    return structs.replace(stage, running={**stage.running, DIRECT: stage.mock})


def paced(stage: Stage, targets: Sequence[Target], rounds: int, seconds: float) -> Iterator[Paced | Failed]:
    """By turns; one that fails is left out from then on."""
    staged = with_mock(stage)
    asked = [MOCK, *(one for one in targets if one.name in stage.running and SAME in one.speeches)]
    stage.pace(PACE.words, round(PACE.gap_s * 1e6))
    for number in range(rounds):
        for target in list(asked):
            try:
                yield _turn(staged, target, number, seconds)
            except Broken as error:
                asked.remove(target)
                yield Failed(target.name, "streams", str(error))


def _turn(stage: Stage, target: Target, number: int, seconds: float) -> Paced:
    seen = run(stage, target, Cell("SSE", "S", STREAMS), PACE, seconds)
    small = growth(stage, target, Cell("SSE", "S", STREAMS), PACE)
    large = growth(stage, target, Cell("SSE", "L", LARGE_AT_ONCE), PACE)
    return Paced(target.name, number, seen, small * 1000 / STREAMS, large / LARGE_AT_ONCE)


def run(stage: Stage, target: Target, cell: Cell, pace: Pace, seconds: float) -> Seen:
    """So many streams at once for so long. The mock must be told the pace before (`Stage.pace`)."""
    ask = structs.replace(stage.requests.ask(cell, target.speeches[SAME]), words=pace.words)
    # The streams begin at even distances, and a stream is a whole number of gaps: so no two words are due at once.
    gap_s, longest = pace.gap_s, pace.seconds + 20
    window = Window(seconds, cell.connections, warm=2 * gap_s, stagger=gap_s, least=1, longest=longest)
    return stage.load(stage.running[target.name], ask, window)


def growth(stage: Stage, target: Target, cell: Cell, pace: Pace) -> float:
    """MB that its memory grows by while so many streams are open, at the most seen."""
    running = stage.running[target.name]
    before = running.pss_mb()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(run, stage, target, cell, pace, pace.seconds / 2)
        most = before
        while not asked.done():
            most = max(most, running.pss_mb())
            time.sleep(0.1)
        asked.result()
    return most - before


def table(turns: Sequence[Paced]) -> Iterator[str]:
    """A line a target."""
    yield (
        f"{STREAMS} streams, a word each {PACE.gap_s * 1000:.0f} ms: delay of a word from the mock to the client (ms),"
        " first word (ms), memory for each open one"
    )
    yield f"  {'':<26}{'p50':>8}{'p99':>8}{'max':>8}{'first p50':>11}{'p99':>8}{'KB/stream':>11}{'MB/L':>8}"
    for name in dict.fromkeys(turn.target for turn in turns):
        values = [_of(turns, name, value) for value in _COLUMNS]
        widths = (8, 8, 8, 11, 8, 11, 8)
        said = "".join(f"{one.value:>{width}.2f}" for one, width in zip(values, widths, strict=True) if one)
        yield f"  {name:<26}{said}"


_COLUMNS: Final[tuple[Callable[[Paced], float], ...]] = (
    lambda turn: turn.seen.delay.p50 / 1000,
    lambda turn: turn.seen.delay.p99 / 1000,
    lambda turn: turn.seen.delay.max / 1000,
    lambda turn: turn.seen.first_word.p50 / 1000,
    lambda turn: turn.seen.first_word.p99 / 1000,
    lambda turn: turn.stream_kb,
    lambda turn: turn.large_mb,
)


def rows(turns: Sequence[Paced]) -> Iterator[Row]:
    """What these figures must show."""
    delay = _beside(turns, DIRECT, lambda turn: turn.seen.delay.p99 / 1000)
    yield row(f"{STREAMS} paced streams: delay p99 added to the mock's own", delay, "ms", DELAY_MS, "lower")
    first = _beside(turns, FLOOR, lambda turn: turn.seen.first_word.p50 / 1000)
    yield row(f"{STREAMS} paced streams: first word p50 after bare ASGI's", first, "ms", FIRST_MS, "lower")
    kilobytes = _of(turns, OURS, lambda turn: turn.stream_kb)
    yield row(f"{STREAMS} paced streams: memory of each", kilobytes, "KB", STREAM_KB, "lower")
    megabytes = _of(turns, OURS, lambda turn: turn.large_mb)
    yield row(f"{LARGE_AT_ONCE} L requests in flight: memory of each", megabytes, "MB", LARGE_MB, "lower")


def _of(turns: Sequence[Paced], name: str, value: Callable[[Paced], float]) -> Figure | None:
    return figure(value(turn) for turn in turns if turn.target == name)


def _beside(turns: Sequence[Paced], other: str, value: Callable[[Paced], float]) -> Figure | None:
    """Ours less the other's, within a round."""
    theirs = {turn.round: value(turn) for turn in turns if turn.target == other}
    return figure(value(turn) - theirs[turn.round] for turn in turns if turn.target == OURS and turn.round in theirs)
