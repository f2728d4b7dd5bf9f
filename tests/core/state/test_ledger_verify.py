"""Somebody changes the files, in every way: each is found, and where."""

import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from test_ledger import BEGIN, DAY, Clock, record

from core.state import ledger_body
from core.state.ledger import Keep, Ledger, heads, read
from core.state.ledger_file import Witness, files
from core.state.ledger_verify import parse_heads, verify

Change = Callable[[sqlite3.Connection], object]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three files of twenty records each: two of one writer, between them one of another."""
    where, clock = tmp_path / "decisions", Clock()
    one, two = Ledger(where, clock=clock), Ledger(where, clock=clock)
    one.write([record(number) for number in range(1, 21)])
    clock.ms += 1000
    two.write([record(number) for number in range(21, 41)])
    clock.ms += DAY
    one.write([record(number) for number in range(41, 61)])
    one.close()
    two.close()
    return where


def change(path: Path, how: Change) -> None:
    connection = sqlite3.connect(path)
    with connection:
        how(connection)
    connection.close()


def sql(*statements: str) -> Change:
    return lambda connection: [connection.execute(statement) for statement in statements]


def changed_body(connection: sqlite3.Connection, number: int) -> bytes:
    [body] = connection.execute("SELECT body FROM records WHERE number = ?", (number,)).fetchone()
    plain = ledger_body.unpack(body)
    assert b'"status":200' in plain
    return plain.replace(b'"status":200', b'"status":201')


def edit(number: int) -> Change:
    def how(connection: sqlite3.Connection) -> None:
        body = ledger_body.pack(changed_body(connection, number))
        connection.execute("UPDATE records SET body = ? WHERE number = ?", (body, number))

    return how


def rewrite(number: int, *, tail: bool) -> Change:
    """The record, with the hash that it should have; and with `tail` all that follow it."""

    def how(connection: sqlite3.Connection) -> None:
        query = "SELECT hash FROM records WHERE number = ?"
        [before] = connection.execute(query, (number - 1,)).fetchone()
        plain = changed_body(connection, number)
        for at in range(number, 21 if tail else number + 1):
            if at > number:
                plain = ledger_body.unpack(
                    connection.execute("SELECT body FROM records WHERE number = ?", (at,)).fetchone()[0]
                )
            before = ledger_body.link(before, plain)
            values = (ledger_body.pack(plain), before, at)
            connection.execute("UPDATE records SET body = ?, hash = ? WHERE number = ?", values)

    return how


def longer(connection: sqlite3.Connection) -> None:
    [body] = connection.execute("SELECT body FROM records WHERE number = 7").fetchone()
    connection.execute("UPDATE records SET body = ? WHERE number = 7", (body + b"\0",))


COLUMNS = "time, request_id, hash, body"


def copied(to: int, table: str = "records") -> str:
    return f"INSERT INTO records SELECT {to}, {COLUMNS} FROM {table} WHERE number = 7"  # noqa: S608


def renumbered(number: int) -> str:
    return f"UPDATE records SET number = {number - 1} WHERE number = {number}"  # noqa: S608


SWAP = (
    "UPDATE records SET number = 1000 WHERE number = 7",
    "UPDATE records SET number = 7 WHERE number = 9",
    "UPDATE records SET number = 9 WHERE number = 1000",
)
CHANGES: dict[str, tuple[Change, list[tuple[int, str]]]] = {
    "a body": (edit(7), [(7, "it does not follow record 6: one of the two was changed")]),
    "the first body": (edit(1), [(1, "it does not follow the header")]),
    "the last body": (edit(20), [(20, "it does not follow record 19")]),
    "a hash": (sql("UPDATE records SET hash = zeroblob(32) WHERE number = 7"), [(7, "its hash was changed")]),
    "a body with its hash": (rewrite(7, tail=False), [(8, "it does not follow record 7: one of the two")]),
    "one taken away": (sql("DELETE FROM records WHERE number = 7"), [(8, "record 7 is missing before it")]),
    "the first taken away": (
        sql("DELETE FROM records WHERE number < 4"),
        [(4, "records 1 to 3 are missing before it")],
    ),
    "one taken away, others renumbered": (
        sql("DELETE FROM records WHERE number = 20", "DELETE FROM records WHERE number = 7",
            *map(renumbered, range(8, 20))),
        [(7, "what stood between them was removed")],
    ),
    "two swapped": (
        sql(*SWAP),
        [
            (7, "it is out of place: it was written behind what is record 8 now"),
            (8, "it is out of place: it was written behind what is record 9 now"),
            (9, "it is out of place: it was written behind what is record 6 now"),
            (10, "it is out of place: it was written behind what is record 7 now"),
        ],
    ),
    "one copied to the end": (
        sql(copied(21)),
        [(21, "the same request is record 7")],
    ),
    "one copied over another": (
        sql("DELETE FROM records WHERE number = 9",
            copied(9)),
        [(9, "the same request is record 7"), (10, "it does not follow record 9")],
    ),
    "one hidden before the first": (
        sql(copied(-5)),
        [(-5, "no record has such a number")],
    ),
    "a time": (sql("UPDATE records SET time = time + 1 WHERE number = 7"), [(7, "it is listed under another")]),
    "an id": (sql("UPDATE records SET request_id = 'req_x' WHERE number = 7"), [(7, "it is listed under another")]),
    "a body that is none": (sql("UPDATE records SET body = x'01ff' WHERE number = 7"), [(7, "it was changed: ")]),
    "a body of nothing": (sql("UPDATE records SET body = x'' WHERE number = 7"), [(7, "it was changed: ")]),
    "more behind a body": (longer, [(7, "it was changed: ")]),
    "the header": (
        sql("UPDATE header SET header = CAST(replace(CAST(header AS TEXT), 'program\":\"0', 'program\":\"9') AS BLOB)"),
        [(1, "it does not follow the header")],
    ),
}  # fmt: skip


def test_files_that_nobody_changed_are_whole(folder: Path) -> None:
    report = verify(folder, heads(folder))
    assert (report.faults, report.records, report.removed, report.partial) == ([], 60, [], 0)
    assert report.heads == heads(folder)
    assert [witness.count for witness in report.heads] == [20, 20, 20]


@pytest.mark.parametrize("name", CHANGES)
def test_what_was_changed_is_named(folder: Path, name: str) -> None:
    how, expected = CHANGES[name]
    last = files(folder)[-1]  # nobody bears witness of it
    change(last, how)
    found = verify(folder).faults
    writer = last.stem.split("-")[2]
    assert {(fault.file, fault.writer) for fault in found} == {(last.stem, writer)}
    assert [fault.number for fault in found] == [number for number, _ in expected]
    for fault, (_, problem) in zip(found, expected, strict=True):
        assert problem in fault.problem
    assert all(f"(req_{40 + n})" in str(fault) for fault in found for n in [fault.number] if name == "a body")


def test_a_record_of_another_writer_is_found(folder: Path) -> None:
    first, _, last = files(folder)
    connection = sqlite3.connect(last)
    connection.execute("ATTACH ? AS other", (str(first),))
    with connection:
        connection.execute("DELETE FROM records WHERE number = 7")
        connection.execute(copied(7, "other.records"))
    connection.close()
    assert [fault.number for fault in verify(folder).faults] == [7, 8]


def test_an_end_that_was_cut_off_or_written_anew_is_seen_only_with_a_head(folder: Path) -> None:
    kept, last = heads(folder), files(folder)[-1]
    untouched = last.read_bytes()
    for how, problem in (
        (sql("DELETE FROM records WHERE number = 20"), "its end is missing: it has 19 records, and the head that"),
        (rewrite(7, tail=True), "it was written anew up to record 20: the head that was kept saw another hash there"),
    ):
        change(last, how)
        assert verify(folder).faults == []
        assert [(fault.file, fault.number) for fault in verify(folder, kept).faults] == [(last.stem, 0)]
        assert problem in str(verify(folder, kept).faults[0])
        last.write_bytes(untouched)
    assert verify(folder, kept).faults == []


def test_a_file_that_was_begun_afterwards_bears_witness(folder: Path) -> None:
    first, second, last = files(folder)
    for path in (first, second):
        untouched = path.read_bytes()
        for how, problem in (
            (sql("DELETE FROM records WHERE number = 20"), "its end is missing: it has 19 records"),
            (rewrite(7, tail=True), "it was written anew up to record 20"),
        ):
            change(path, how)
            [fault] = verify(folder).faults
            assert (fault.file, fault.problem.startswith(problem)) == (path.stem, True)
            assert "the header of " in fault.problem
            path.write_bytes(untouched)
    second.unlink()
    [fault] = verify(folder).faults
    assert (fault.file, fault.problem) == (
        second.stem,
        f"it is missing: the header of {last.stem} saw it with 20 records",
    )
    kept = heads(folder)
    last.unlink()
    assert verify(folder).faults == []  # nobody saw it
    assert [fault.file for fault in verify(folder, kept).faults] == [last.stem]


def test_a_file_under_another_name_is_found(folder: Path) -> None:
    last = files(folder)[-1]
    shutil.copy(last, last.with_name(last.name.replace("-2.db", "-3.db")))
    [fault] = verify(folder).faults
    assert fault.problem == "its header is another file's"


def test_what_is_no_database_is_said_and_left(folder: Path) -> None:
    last = files(folder)[-1]
    last.write_bytes(b"damaged " * 1000)
    report = verify(folder)
    assert [(fault.file, fault.problem) for fault in report.faults] == [
        (last.stem, f"it cannot be read: {last}: file is not a database")
    ]
    assert report.records == 40
    assert last.exists()


@pytest.mark.parametrize("seed", range(3))
def test_no_bit_can_be_turned_unseen(folder: Path, seed: int) -> None:
    """Either it is found, or what is read is what was written: not every bit of a database means something."""
    rng = random.Random(seed)  # noqa: S311
    written, last = [repr(one) for one in read(folder)], files(folder)[-1]
    untouched = last.read_bytes()
    seen = 0
    for _ in range(150):
        data = bytearray(untouched)
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        last.write_bytes(data)
        if verify(folder).faults:
            seen += 1
        else:
            assert [repr(one) for one in read(folder)] == written
    assert seen > 5  # most of a small database is empty
    last.write_bytes(untouched)
    assert verify(folder).faults == []


def test_heads_are_read_as_they_are_printed(folder: Path) -> None:
    kept = heads(folder)
    assert parse_heads("\n".join(map(str, kept)) + "\n") == kept
    assert parse_heads(str(Witness("a", 7, "AB" * 32))) == [Witness("a", 7, "ab" * 32)]


@pytest.mark.parametrize("text", ["a", "a:7", "a:7:ab", f":7:{'ab' * 32}", f"a:-7:{'ab' * 32}", f"a:7:{'xy' * 32}"])
def test_what_is_no_head(text: str) -> None:
    with pytest.raises(ValueError, match="is no head like FILE:RECORDS:HASH"):
        parse_heads(text)


def test_what_was_deleted_because_of_its_age_is_no_fault(tmp_path: Path) -> None:
    where, clock = tmp_path / "decisions", Clock()
    one, two = (Ledger(where, Keep(max_age_days=3), clock=clock) for _ in range(2))
    kept: list[Witness] = []
    for day in range(9):
        one.write([record(day, clock.ms)])
        if day < 3:
            two.write([record(100 + day, clock.ms)])
        kept = [*heads(where), *kept]
        assert verify(where, kept).faults == []
        clock.ms += DAY
    assert [one.at_ms for one in read(where)] == [BEGIN + day * DAY for day in range(5, 9)]
    assert len(verify(where, kept).removed) == 8
    gone: Any = files(where)[0]
    gone.unlink()
    assert [fault.file for fault in verify(where).faults] == [gone.stem]
