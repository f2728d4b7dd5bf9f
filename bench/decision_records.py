"""What recording decisions costs: on the event loop, in the writer, and on the disk, for generated traffic."""

from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter_ns

from bench.decisions import played
from bench.row import Row
from bench.stats import median, milliseconds
from core.decision_record import record_of
from core.decision_recorder import DecisionRecorder
from core.exchange import Exchange
from core.routing.snapshot import Snapshot
from core.schema_state import RecordSettings
from core.state import ledger_body
from core.state.ledger import Ledger, entry_of, read

SUITE = "Decision records (generated traffic, no rules)"
#: Records of one commit.
BATCH = 256


def rows(count: int) -> Iterator[Row]:
    """For so many decisions."""
    shot, exchanges = played(count)
    yield _put(shot, exchanges)
    yield from _written(shot, exchanges)


def _put(shot: Snapshot, exchanges: list[Exchange]) -> Row:
    """The loop's part; the writer is busy beside it."""
    with TemporaryDirectory() as folder:
        kept = DecisionRecorder(lambda *_: None, lambda *_: None)
        kept.use(RecordSettings(), Path(folder))
        next_one = cycle(exchanges)
        took = milliseconds(lambda: kept.put(next(next_one), shot, 0.9), len(exchanges))
        if kept.recorder:
            kept.recorder.stop()
            kept.recorder.join(60)
    name = "added to a request on the event loop"
    return Row(suite=SUITE, name=name, value=median(took) * 1000, unit="µs", note=f"median of {len(exchanges)}")


def _written(shot: Snapshot, exchanges: list[Exchange]) -> Iterator[Row]:
    with TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder))
        begun = perf_counter_ns()
        for at in range(0, len(exchanges), BATCH):
            made = [record_of(one, shot, 900.0, capture=False) for one in exchanges[at : at + BATCH]]
            ledger.append([entry_of(record) for record in made if record])
        seconds = (perf_counter_ns() - begun) / 1e9
        ledger.close()
        bytes_ = sum(path.stat().st_size for path in Path(folder).iterdir())
        begun = perf_counter_ns()
        records = list(read(Path(folder)))
        reading = (perf_counter_ns() - begun) / 1e9
    count = len(records)
    floor = _decoding(shot, exchanges)
    name = "made, compressed, chained and committed"
    yield Row(suite=SUITE, name=name, value=count / seconds, unit="/s", better="higher")
    note = f"{count / reading / floor:.2f} of decoding their JSON alone"
    yield Row(suite=SUITE, name="read in order", value=count / reading, unit="/s", better="higher", note=note)
    yield Row(suite=SUITE, name="a record on the disk, indexes included", value=bytes_ / count, unit="bytes")


def _decoding(shot: Snapshot, exchanges: list[Exchange]) -> float:
    """The floor of reading: records a second that are decoded from JSON in memory."""
    made = [record_of(one, shot, 900.0, capture=False) for one in exchanges]
    plain = [ledger_body.encode(record) for record in made if record]
    begun = perf_counter_ns()
    for one in plain:
        ledger_body.decode(one)
    return len(plain) / ((perf_counter_ns() - begun) / 1e9)
