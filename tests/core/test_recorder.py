"""A real database on a real disk; what the writer says is collected, nothing is timed."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from test_records import ids, row

from core.recorder import BATCH, Recorder
from core.records import Row, Rows


class Heard:
    """What a recorder said."""

    def __init__(self) -> None:
        self.lines: list[dict[str, object]] = []
        self.counts: Counter[str] = Counter()
        self.committed: list[list[str]] = []

    def count(self, outcome: str, count: int) -> None:
        self.counts[outcome] += count

    def commit(self, rows: Sequence[Row]) -> None:
        self.committed.append([one.request_id for one in rows])

    def recorder(self, path: Path, **more: Any) -> Recorder[Row]:
        return Recorder(
            Rows(path),
            say=lambda fields, _: self.lines.append(fields),
            counted=self.count,
            committed=self.commit,
            retry_s=0.01,
            **more,
        )


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "a hang"
        time.sleep(0.005)


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    before = set(threading.enumerate())
    yield tmp_path / "state" / "records.db"
    assert [thread.name for thread in set(threading.enumerate()) - before if thread.name == "records"] == []


def test_rows_are_committed_together_in_their_order(path: Path, heard: Heard) -> None:
    recorder = heard.recorder(path)
    for number in range(3 * BATCH):
        recorder.put(row(number))
    recorder.stop()
    assert recorder.join(10)
    wanted = [f"req_{number}" for number in range(3 * BATCH)]
    assert ids(path) == wanted
    assert [name for batch in heard.committed for name in batch] == wanted
    assert len(heard.committed) < 10
    assert heard.counts == {"written": 3 * BATCH}
    assert heard.lines == []


def test_a_row_can_be_written_again_and_is_there_once(path: Path, heard: Heard) -> None:
    recorder = heard.recorder(path)
    for number in (1, 2, 1):
        recorder.put(row(number))
    recorder.stop()
    assert recorder.join(10)
    assert ids(path) == ["req_1", "req_2"]


def test_two_processes_may_write(path: Path, heard: Heard) -> None:
    both = [heard.recorder(path), heard.recorder(path)]
    for number in range(600):
        both[number % 2].put(row(number))
    for recorder in both:
        recorder.stop()
    assert all(recorder.join(10) for recorder in both)
    assert sorted(ids(path)) == sorted(f"req_{number}" for number in range(600))


def test_rows_wait_for_a_database_that_cannot_be_written(path: Path, heard: Heard) -> None:
    path.parent.mkdir()
    path.write_bytes(b"damaged " * 1000)
    recorder = heard.recorder(path, room=5)
    recorder.put(row(0))
    until(lambda: recorder.problem != "")
    assert recorder.problem == "file is not a database"
    for number in range(1, 9):
        recorder.put(row(number))
    assert heard.counts == {"lost": 3}
    path.rename(path.with_suffix(".old"))
    until(lambda: heard.counts["written"] == 6)
    assert recorder.problem == ""
    recorder.put(row(9))
    recorder.stop()
    assert recorder.join(10)
    assert ids(path) == [f"req_{number}" for number in (*range(6), 9)]
    assert heard.lines == [
        {"event": "records_failing", "file": str(path), "problem": "file is not a database"},
        {"event": "records_recovered", "file": str(path), "lost": 3},
    ]


def test_a_stop_loses_what_cannot_be_written_and_says_so(path: Path, heard: Heard) -> None:
    path.parent.mkdir()
    path.mkdir()
    recorder = heard.recorder(path)
    for number in range(BATCH + 5):
        recorder.put(row(number))
    recorder.stop()
    assert recorder.join(10)
    assert heard.counts == {"lost": BATCH + 5}
    assert [line["event"] for line in heard.lines] == ["records_failing", "records_lost"]
    assert heard.lines[1]["lost"] == BATCH + 5


def test_a_file_that_was_moved_away_is_made_anew(path: Path, heard: Heard) -> None:
    recorder = heard.recorder(path)
    recorder.put(row(1))
    until(lambda: heard.counts["written"] == 1)
    for file in list(path.parent.iterdir()):
        file.rename(path.parent / f"old-{file.name}")
    recorder.put(row(2))
    recorder.stop()
    assert recorder.join(10)
    assert ids(path) == ["req_2"]
