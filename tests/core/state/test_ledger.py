"""Files on a real disk; time is a number that the test moves."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from facts import features

from core.decision_record import Record, Result
from core.exchange import Candidate, Decision, Inputs, Target
from core.state.ledger import Ledger, entries, find, read

BEGIN = 1_790_000_000_000
DAY = 86_400_000


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
