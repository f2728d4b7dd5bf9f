"""Promise: a record of a decision that was changed, taken away, doubled or moved is named, and none besides; a kill
leaves files that verify, with everything that was committed.
"""

import random
import signal
import sqlite3
from collections import Counter
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Final

from core.state import ledger_body
from core.state.ledger import Ledger, heads, read
from core.state.ledger_file import Witness, files
from core.state.ledger_verify import Fault, verify
from prove.ledger_writer import record
from prove.records import LATEST_S, killed
from prove.section import Section, tally

#: Records of the ledger that is tampered with, and of one commit.
RECORDS: Final = 400
BATCH: Final = 40
LARGEST: Final = 1_000_000
_COLUMNS: Final = "time, request_id, hash, body"

#: Does something to the record of that number, in a file of so many; gives the numbers one of which must be named.
Tamper = Callable[[sqlite3.Connection, random.Random, int, int], set[int]]


def _plain(connection: sqlite3.Connection, number: int) -> bytes:
    return ledger_body.unpack(connection.execute("SELECT body FROM records WHERE number = ?", (number,)).fetchone()[0])


def _edited(plain: bytes) -> bytes:
    return plain.replace(b'"status":200', b'"status":201', 1)


def body(connection: sqlite3.Connection, _: random.Random, number: int, __: int) -> set[int]:
    values = (ledger_body.pack(_edited(_plain(connection, number))), number)
    connection.execute("UPDATE records SET body = ? WHERE number = ?", values)
    return {number}


def body_and_hash(connection: sqlite3.Connection, _: random.Random, number: int, __: int) -> set[int]:
    plain = _edited(_plain(connection, number))
    [before] = connection.execute("SELECT hash FROM records WHERE number = ?", (number - 1,)).fetchone()
    values = (ledger_body.pack(plain), ledger_body.link(before, plain), number)
    connection.execute("UPDATE records SET body = ?, hash = ? WHERE number = ?", values)
    return {number, number + 1}


def bit(connection: sqlite3.Connection, rng: random.Random, number: int, _: int) -> set[int]:
    """In the hash, where each bit counts."""
    [found] = connection.execute("SELECT hash FROM records WHERE number = ?", (number,)).fetchone()
    changed = bytearray(found)
    changed[rng.randrange(32)] ^= 1 << rng.randrange(8)
    connection.execute("UPDATE records SET hash = ? WHERE number = ?", (bytes(changed), number))
    return {number, number + 1}


def taken(connection: sqlite3.Connection, _: random.Random, number: int, __: int) -> set[int]:
    connection.execute("DELETE FROM records WHERE number = ?", (number,))
    return {number + 1}


def taken_and_closed(connection: sqlite3.Connection, _: random.Random, number: int, last: int) -> set[int]:
    """Taken away, and the gap is closed."""
    connection.execute("DELETE FROM records WHERE number = ?", (number,))
    for at in range(number + 1, last + 1):
        connection.execute("UPDATE records SET number = ? WHERE number = ?", (at - 1, at))
    return {number}


def swapped(connection: sqlite3.Connection, rng: random.Random, number: int, last: int) -> set[int]:
    other = rng.choice([at for at in range(2, last) if at != number])
    for old, new in ((number, -1), (other, number), (-1, other)):
        connection.execute("UPDATE records SET number = ? WHERE number = ?", (new, old))
    return {number, other}


def copied(connection: sqlite3.Connection, rng: random.Random, number: int, last: int) -> set[int]:
    """To the end, or over another."""
    to = rng.choice([last + 1, *(at for at in range(2, last) if at != number)])
    connection.execute("DELETE FROM records WHERE number = ?", (to,))
    connection.execute(f"INSERT INTO records SELECT {to}, {_COLUMNS} FROM records WHERE number = ?", (number,))  # noqa: S608
    return {to}


def redated(connection: sqlite3.Connection, rng: random.Random, number: int, _: int) -> set[int]:
    connection.execute("UPDATE records SET time = time + ? WHERE number = ?", (rng.randrange(1, 99), number))
    return {number}


TAMPERS: Final[tuple[Tamper, ...]] = (
    body, body_and_hash, bit, taken, taken_and_closed, swapped, copied, redated,
)  # fmt: skip


def tampered(path: Path, how: Tamper, rng: random.Random) -> set[int]:
    """Do it to a record that is neither the first nor the last; the numbers one of which must be named."""
    connection = sqlite3.connect(path)
    try:
        with connection:
            [(last,)] = connection.execute("SELECT max(number) FROM records").fetchall()
            return how(connection, rng, rng.randrange(2, last), last)
    finally:
        connection.close()


def judge(name: str, file: str, wanted: Collection[int], faults: Collection[Fault]) -> list[str]:
    """What is wrong with what was said of a file in which these numbers should be named."""
    named = [fault.number for fault in faults if fault.file == file and fault.number]
    elsewhere = [str(fault) for fault in faults if fault.file != file]
    findings = [f"{name}: alleged in another file: {elsewhere[0]}"] if elsewhere else []
    return findings if set(wanted) & set(named) else [*findings, f"{name}: not located: {sorted(wanted)} of {file}"]


def section(folder: Path, tampers: int, kills: int) -> Section:
    """So many tampers with a ledger, each alone; then writers die beside and after each other."""
    folder.mkdir(exist_ok=True)
    result = Section(f"ledger: {tampers} tampers with {RECORDS} records; {kills} writers are killed")
    _tampers(result, folder / "tampered", tampers)
    located = tampers - len(result.findings)
    _kills(result, folder / "killed", kills)
    result.number = f"{located} of {tampers} tampers located, none alleged; {kills} kills left files that verify"
    if result.findings:
        result.number = ""
    return result


def _tampers(result: Section, folder: Path, tampers: int) -> None:
    rng, kinds = random.Random(5), Counter[str]()  # noqa: S311 - reproducible on purpose
    ledgers = [Ledger(folder), Ledger(folder)]
    for at in range(0, RECORDS, BATCH):
        ledgers[at // BATCH % 2].write([record(number) for number in range(at, at + BATCH)])
    for ledger in ledgers:
        ledger.close()
    kept = heads(folder)
    for number in range(tampers):
        path, how = rng.choice(files(folder)), TAMPERS[number % len(TAMPERS)]
        untouched = path.read_bytes()
        wanted = tampered(path, how, rng)
        result.findings += judge(how.__name__, path.stem, wanted, verify(folder).faults)
        path.write_bytes(untouched)
        kinds[how.__name__] += 1
    result.findings += [f"untouched, and alleged: {fault}" for fault in verify(folder, kept).faults]
    result.findings += _cut(files(folder)[-1], folder, kept)
    result.counts["located"] = tally(kinds)


def _cut(path: Path, folder: Path, kept: list[Witness]) -> list[str]:
    """The end of the newest file, which nobody saw but who kept a head."""
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("DELETE FROM records WHERE number = (SELECT max(number) FROM records)")
    connection.close()
    without, with_head = verify(folder).faults, verify(folder, kept).faults
    findings = [f"alleged without a head: {fault}" for fault in without]
    return findings if [fault.file for fault in with_head] == [path.stem] else [*findings, "a cut end is not located"]


def _kills(result: Section, folder: Path, kills: int) -> None:
    rng, causes, acknowledged = random.Random(17), Counter[str](), set[int]()  # noqa: S311
    folder.mkdir()
    for turn in range(kills):
        where = folder / ("kept" if turn % 2 else f"cut-{turn}")
        after_s, limit = (rng.random() * LATEST_S, 0) if turn % 2 else (None, rng.randrange(65_536, LARGEST))
        some, cause = killed(where, turn * 10**6, after_s=after_s, limit=limit, program="prove.ledger_writer")
        causes[signal.Signals(cause).name] += 1
        result.findings += judge_kill(where, some)
        acknowledged |= set(some) if turn % 2 else set()
    if kills > 1:
        result.findings += judge_kill(folder / "kept", acknowledged)
    result.counts["killed"] = tally(causes)


def judge_kill(folder: Path, acknowledged: Collection[int]) -> list[str]:
    """What is wrong with files whose writers died: they do not verify, or lack what was committed."""
    findings = [f"after a kill: {fault}" for fault in verify(folder).faults]
    there = Counter(one.at_ms for one in read(folder, broken=lambda _: None))
    lost = [number for number in acknowledged if there[number] != 1]
    if lost:
        findings.append(f"{len(lost)} acknowledged records are lost or doubled, the first: {lost[0]}")
    return findings
