"""Files on a real disk; time is a number that the test moves."""

import random
import sqlite3
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from facts import features

from core.decision_record import Record, Result
from core.exchange import Candidate, Decision, Inputs, Target
from core.state import ledger_body
from core.state.ledger import Keep, Ledger, entries, find, read
from core.state.ledger_file import files
from core.state.ledger_verify import verify
from core.state.sqlite import Unusable

BEGIN = 1_790_000_000_000
DAY = 86_400_000
#: The body of a record of version 1.
FIRST = (
    "0178bb0b870d0bc3d2f03347b4fc0ccd2d0d60c01c2577a55108a8de8c4c2c2dc9476a39c2c6eaf18f3f63197c46b41af1b5"
    "f0a0c6c39b7879c0fefa1019192e466fdd2135ec886ccdc1eca26e73ce006f5bce0077638e88816003f4d61cf6269b01aef6"
    "9a01bcb186d9223380b7c7f037b5a8d8be02250f7ad4cc062456cbd02c06ad94c1457d2cce6283e44a991a150c282999d7d6"
    "0200d6bab507"
)


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.ms = BEGIN

    def __call__(self) -> int:
        return self.ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state" / "decisions"


def record(number: int, at_ms: int | None = None) -> Record:
    return Record(
        request_id=f"req_{number}",
        at_ms=BEGIN + number if at_ms is None else at_ms,
        snapshot="f" * 64,
        endpoint="/v1/messages",
        inputs=Inputs(features(last_user="", token_count=number)),
        decision=Decision("default", "default", (Candidate(Target("a", "b")),), "f" * 12),
        result=Result(status=200, ms=7),
    )


def large(number: int) -> Record:
    """Of some 10 KB that cannot be compressed."""
    filling = random.Random(number).randbytes(10_000)  # noqa: S311
    return msgspec.structs.replace(record(number), endpoint=filling.hex())


def numbers(records: Iterator[Record]) -> list[int]:
    return [one.inputs.features.token_count for one in records]


def test_what_was_written_is_read_in_the_order_of_time(folder: Path, clock: Clock) -> None:
    one, two = Ledger(folder, clock=clock), Ledger(folder, clock=clock)
    one.write([record(5), record(1)])
    two.write([record(2), record(4)])
    one.write([record(3)])
    assert numbers(read(folder)) == [1, 2, 3, 4, 5]
    assert numbers(read(folder, newest_first=True)) == [5, 4, 3, 2, 1]
    assert numbers(read(folder, since_ms=BEGIN + 2, until_ms=BEGIN + 5)) == [2, 3, 4]
    assert next(read(folder)) == record(1)
    assert find(folder, "req_4") == record(4)
    assert find(folder, "req_9") is None
    one.close()
    two.close()
    assert numbers(read(folder)) == [1, 2, 3, 4, 5]


def test_records_of_one_moment_have_an_order(folder: Path, clock: Clock) -> None:
    ledgers = [Ledger(folder, clock=clock) for _ in range(3)]
    for number in range(900):
        ledgers[number % 3].write([record(number, BEGIN)])
    once = [(kept.file, kept.row.number) for kept in entries(folder)]
    assert once == sorted(once)
    assert len(set(once)) == 900
    assert once == [(kept.file, kept.row.number) for kept in entries(folder, newest_first=True)][::-1]


def test_nothing_is_in_a_folder_that_is_not_there(folder: Path) -> None:
    assert list(read(folder)) == []
    assert find(folder, "req_1") is None


def test_a_body_of_the_first_version_is_read_for_ever(folder: Path, clock: Clock) -> None:
    """These bytes were written once; should this fail, the dictionary was changed, and old records cannot be read."""
    body = bytes.fromhex(FIRST)
    assert ledger_body.decode(ledger_body.unpack(body)) == record(7)


def test_a_file_is_ended_by_its_age_and_its_size(folder: Path, clock: Clock) -> None:
    part = 400_000
    ledger = Ledger(folder, Keep(max_age_days=100, max_bytes=16 * part), clock=clock)
    for number in range(40):
        ledger.write([record(number)])
        clock.ms += DAY // 10
    assert len(files(folder)) == 4
    for number in range(40, 440, 10):
        ledger.write([large(at) for at in range(number, number + 10)])
    assert 8 < len(files(folder)) < 20
    assert sum(path.stat().st_size for path in folder.iterdir()) < 18 * part
    assert numbers(read(folder))[-1] == 439
    assert verify(folder).faults == []
    ledger.close()


def test_who_is_idle_deletes_what_is_too_old(folder: Path, clock: Clock) -> None:
    ledger = Ledger(folder, Keep(max_age_days=2), clock=clock)
    ledger.write([record(1)])
    for _ in range(2):
        clock.ms += DAY
        ledger.tidy()
        assert numbers(read(folder)) == [1]
    clock.ms += DAY
    ledger.tidy()
    assert numbers(read(folder)) == []
    assert verify(folder).faults == []
    ledger.write([record(2)])
    ledger.close()
    assert numbers(read(folder)) == [2]


def test_what_is_being_read_may_be_deleted(folder: Path, clock: Clock) -> None:
    ledger = Ledger(folder, Keep(max_age_days=2), clock=clock)
    ledger.write([record(number, clock.ms) for number in range(500)])
    reading = read(folder)
    assert [next(reading).inputs.features.token_count for _ in range(3)] == [0, 1, 2]
    clock.ms += 4 * DAY
    ledger.write([record(500, clock.ms)])
    assert numbers(reading) == list(range(3, 500))  # it was open
    assert numbers(read(folder)) == [500]
    ledger.close()


def test_a_file_that_is_no_database_is_left_and_another_is_begun(folder: Path, clock: Clock) -> None:
    ledger = Ledger(folder, Keep(max_age_days=2), clock=clock)
    ledger.write([record(1)])
    [first] = files(folder)
    ledger.close()
    broken = b"damaged " * 4000
    for part in folder.iterdir():
        part.write_bytes(broken)
    with pytest.raises(Unusable, match="not a database"):
        ledger.write([record(2)])
    ledger.write([record(2)])
    ledger.close()
    assert first.read_bytes() == broken
    with pytest.raises(Unusable, match=first.name):
        list(read(folder))
    told: list[Unusable] = []
    assert numbers(read(folder, broken=told.append)) == [2]
    assert len(told) == 1
    assert find(folder, "req_2") == record(2)
    with pytest.raises(Unusable, match=first.name):
        find(folder, "req_1")
    assert [fault.file for fault in verify(folder).faults] == [first.stem]
    clock.ms += 9 * DAY
    ledger.write([record(3)])
    ledger.close()
    assert first.exists()


def test_a_file_of_a_newer_program_is_left_alone(folder: Path, clock: Clock) -> None:
    ledger = Ledger(folder, clock=clock)
    ledger.write([record(1)])
    ledger.close()
    [path] = files(folder)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version=2")
    connection.close()
    with pytest.raises(Unusable, match="newer program"):
        list(read(folder))
    with pytest.raises(Unusable, match="newer program"):
        ledger.write([record(2)])


def test_a_file_that_was_deleted_is_followed_by_another(folder: Path, clock: Clock) -> None:
    ledger = Ledger(folder, clock=clock)
    ledger.write([record(1)])
    [first] = files(folder)
    for path in list(folder.iterdir()):
        path.unlink()
    ledger.write([record(2)])
    assert numbers(read(folder)) == [2]
    assert [fault.file for fault in verify(folder).faults] == [first.stem]
    ledger.close()


def test_a_commit_that_only_seemed_to_fail_is_not_made_twice(folder: Path, clock: Clock) -> None:
    ledger = Ledger(folder, clock=clock)
    ledger.write([record(1)])
    ledger.write([record(2), record(3)])
    ledger._count, ledger._head = 1, bytes(32)  # as after an error of the disk behind the commit
    ledger.write([record(2), record(3), record(4)])
    ledger.close()
    assert numbers(read(folder)) == [1, 2, 3, 4]
    assert verify(folder).faults == []


def test_memory_does_not_grow_with_the_log(folder: Path, clock: Clock) -> None:
    ledger = Ledger(folder, clock=clock)
    peaks = []
    for number in (500, 2500):
        for at in range(0, number, 500):
            ledger.write([record(number + at + each) for each in range(500)])
        tracemalloc.start()
        assert sum(1 for _ in read(folder)) >= number
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    ledger.close()
    assert peaks[1] < 1.5 * peaks[0]
