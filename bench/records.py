"""What recording a request costs on the event loop, and how many rows one writer commits."""

import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.decisions import snapshot
from bench.row import Row
from bench.stats import median, milliseconds
from core import prices
from core.exchange import Attempt, Candidate, Decision, Exchange, Target
from core.messages import Usage
from core.recorder import Recorder
from core.recording import Recording
from core.records import Rows, row_of
from core.schema import ModelCard, Price
from core.schema_state import RecordSettings
from wasm_host.rule import RuleSet

SUITE = "Usage records"
TARGET = Target("anthropic", "claude-sonnet-4-5")
CARD = ModelCard(price=Price(input=3, output=15, cache_read=0.3, cache_write=3.75))
#: A hang, in seconds.
PATIENCE_S = 60.0


def exchange(number: int) -> Exchange:
    """A request that is over."""
    decision = Decision("default", "default", (Candidate(TARGET, tokens=900),), "f" * 12)
    one = Exchange(f"req_{number:032x}", "/v1/messages", "anthropic", "f" * 64, "laptop", decision, TARGET)
    one.attempts, one.status = [Attempt(TARGET, "ok", 900.0)], 200
    one.usage = Usage(input=100, output=200, cache_read=800)
    return one


def rows(count: int) -> Iterator[Row]:
    """For so many requests."""
    exchanges = iter([exchange(number) for number in range(count + 20)])
    with TemporaryDirectory() as folder:
        kept = Recording(Path(folder), lambda *_: None, lambda *_: None)
        kept.use(RecordSettings(decisions=False))
        shot = snapshot(RuleSet())

        def record() -> None:
            one = next(exchanges)
            one.cost = prices.cost(one.bill(), lambda _: CARD)
            kept.write(one, shot, 0.9)

        took = milliseconds(record, count)
        kept.close()
    name = "cost, row and queue, on the event loop"
    yield Row(suite=SUITE, name=name, value=median(took) * 1000, unit="µs", note=f"median of {count}")
    yield Row(suite=SUITE, name="rows committed a second", value=_committed(count), unit="/s", better="higher")


def _committed(count: int) -> float:
    made, done = [row_of(exchange(number), 1.0) for number in range(count)], threading.Event()
    left = count

    def committed(batch: Sequence[object]) -> None:
        nonlocal left
        left -= len(batch)
        if not left:
            done.set()

    with TemporaryDirectory() as folder:
        recorder = Recorder(
            Rows(Path(folder) / "records.db"),
            say=lambda *_: None,
            counted=lambda *_: None,
            committed=committed,
            room=count,
        )
        begun = time.monotonic()
        for row in made:
            recorder.put(row)
        if not done.wait(PATIENCE_S):
            raise RuntimeError("the writer hangs")
        took = time.monotonic() - begun
        recorder.stop()
        recorder.join(PATIENCE_S)
    return count / took
