"""One file of the ledger: a SQLite database that one process writes, beside others of their own.

    20261123-143000123-9f86d081a2b3-1.db      when it was begun (UTC), its writer, which of the writer's files it is

A header says what was there when it was begun; records follow, numbered from 1, each chained to the one before.
"""

import re
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import msgspec
from msgspec import Struct

from core.state import ledger_body, sqlite

MIGRATIONS: Final = (
    """
    CREATE TABLE header (header BLOB NOT NULL) STRICT;
    CREATE TABLE records (
        number INTEGER PRIMARY KEY, time INTEGER NOT NULL, request_id TEXT NOT NULL,
        hash BLOB NOT NULL, body BLOB NOT NULL
    ) STRICT;
    CREATE INDEX records_time ON records (time);
    CREATE INDEX records_request_id ON records (request_id);
    """,
)
INSERT: Final = "INSERT INTO records (number, time, request_id, hash, body) VALUES (?, ?, ?, ?, ?)"
#: Rows that are read at once: nobody's commit waits for a reader that is slow.
PAGE: Final = 200
_NAME: Final = re.compile(r"(\d{8}-\d{9})-([0-9a-f]{12})-(\d{1,9})")
_SELECT: Final = "SELECT number, time, request_id, hash, body FROM records"


class Witness(Struct, frozen=True):
    """What somebody saw of a file: so many records, the last of this hash (hex); without any, its header's hash."""

    file: str
    count: int
    head: str

    def __str__(self) -> str:
        return f"{self.file}:{self.count}:{self.head}"


class Header(Struct, frozen=True, kw_only=True):
    """What a file begins with. `part` counts the writer's files from 1; `before` are the writer's last file and the
    newest of others, as they were then, and `removed` those that were deleted then because of their age or size.
    """

    version: int = 1
    writer: str
    part: int
    began_ms: int
    program: str
    before: tuple[Witness, ...] = ()
    removed: tuple[Witness, ...] = ()


class Row(NamedTuple):
    """One record as it lies in its file; `time` is when its request began, Unix time in ms."""

    number: int
    time: int
    request_id: str
    hash: bytes
    body: bytes


class Name(NamedTuple):
    """What a file's name says."""

    began_ms: int
    writer: str
    part: int

    @property
    def stem(self) -> str:
        moment = datetime.fromtimestamp(self.began_ms / 1000, UTC)
        return f"{moment:%Y%m%d-%H%M%S}{self.began_ms % 1000:03}-{self.writer}-{self.part}"


def name_of(path: Path) -> Name | None:
    """What the name of a file says; None if it is none of the ledger's."""
    found = _NAME.fullmatch(path.stem)
    if found is None or path.suffix != ".db":
        return None
    try:
        moment = datetime.strptime(found[1] + "000+0000", "%Y%m%d-%H%M%S%f%z")
    except ValueError:
        return None
    return Name(round(moment.timestamp() * 1000), found[2], int(found[3]))


def files(folder: Path) -> list[Path]:
    """The files of a ledger, in the order in which they were begun; none if there is no such folder."""
    try:
        named = [(name, path) for path in folder.iterdir() if (name := name_of(path))]
    except FileNotFoundError:
        return []
    except OSError as exc:
        raise sqlite.Unusable(f"{folder}: {sqlite.words(exc)}") from None
    return [path for _, path in sorted(named)]


def parts(path: Path) -> list[Path]:
    """A file with those that SQLite keeps beside it."""
    return [path, *(path.with_name(path.name + suffix) for suffix in ("-wal", "-shm"))]


def size(path: Path) -> int:
    """Bytes on the disk."""
    found = 0
    for part in parts(path):
        try:
            found += part.stat().st_size
        except OSError:
            continue
    return found


def delete(path: Path) -> None:
    """A file and those beside it; the one that others look for goes first."""
    for part in parts(path):
        part.unlink(missing_ok=True)


def readable(path: Path) -> bool:
    """Whether a file can be read, as far as its header tells, or holds nothing."""
    try:
        with File(path) as file:
            return bool(file.header())
    except Missing:
        return True
    except sqlite.Unusable:
        return False


class File:
    """A file that is open for reading. Everything raises Unusable, which names the file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            connection = sqlite.readable(path, MIGRATIONS)
        except sqlite.Unusable as exc:
            raise _unusable(path, exc) from None
        if connection is None:
            raise Missing(f"{path} holds nothing")
        self._connection = connection
        connection.text_factory = lambda data: data.decode("utf-8", "replace")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def header(self) -> bytes:
        """As it was written."""
        found = self._rows("SELECT header FROM header")
        if len(found) != 1:
            raise sqlite.Unusable(f"{self.path}: it has {len(found)} headers, not one")
        return bytes(found[0][0])

    def damage(self) -> str:
        """What SQLite finds wrong with the database, its indexes included; empty if nothing."""
        [(found,)] = self._rows("PRAGMA integrity_check(1)")
        return "" if found == "ok" else found.splitlines()[-1][:200]

    def witness(self) -> Witness:
        """How far it goes now."""
        found = self._rows("SELECT number, hash FROM records ORDER BY number DESC LIMIT 1")
        number, last = found[0] if found else (0, ledger_body.genesis(self.header()))
        return Witness(self.path.stem, number, bytes(last).hex())

    def times(self) -> tuple[int, int] | None:
        """When its first and its last request began; None if there is none."""
        [(first, last)] = self._rows("SELECT min(time), max(time) FROM records")
        return (first, last) if isinstance(first, int) and isinstance(last, int) else None

    def find(self, request_id: str) -> list[Row]:
        """Records of a request."""
        return self._records(f"{_SELECT} WHERE request_id = ? ORDER BY number", (request_id,))

    def behind(self, number: int) -> Iterator[Row]:
        """Records by number, from the one behind that."""
        while page := self._records(f"{_SELECT} WHERE number > ? ORDER BY number LIMIT {PAGE}", (number,)):
            yield from page
            number = page[-1].number

    def around(self, number: int, reach: int) -> list[Row]:
        """Records that stand so near to that number."""
        query = f"{_SELECT} WHERE number BETWEEN ? AND ? ORDER BY number"
        return self._records(query, (number - reach, number + reach))

    def hash_at(self, number: int) -> bytes | None:
        """The hash of a record, or for 0 the header's; None if there is no such record."""
        if number == 0:
            return ledger_body.genesis(self.header())
        found = self._rows("SELECT hash FROM records WHERE number = ?", (number,))
        return bytes(found[0][0]) if found else None

    def between(self, since_ms: int, until_ms: int, *, newest_first: bool = False) -> Iterator[Row]:
        """Records of requests that began then, by time and number."""
        after, order, ends = ("<", "DESC", ">= ?") if newest_first else (">", "ASC", "< ?")
        begun = (until_ms, 0) if newest_first else (since_ms - 1, 2**62)
        query = (
            f"{_SELECT} WHERE (time, number) {after} (?, ?) AND time {ends}"
            f" ORDER BY time {order}, number {order} LIMIT {PAGE}"
        )
        limit = since_ms if newest_first else until_ms
        while page := self._records(query, (*begun, limit)):
            yield from page
            begun = page[-1].time, page[-1].number

    def _records(self, query: str, values: Sequence[object]) -> list[Row]:
        """A damaged database gives anything."""
        rows = [Row._make(row) for row in self._rows(query, values)]
        if not all(map(_sound, rows)):
            raise sqlite.Unusable(f"{self.path}: database disk image is malformed")
        return rows

    def _rows(self, query: str, values: Sequence[object] = ()) -> list[Any]:
        try:
            return self._connection.execute(query, values).fetchall()
        except sqlite3.Error as exc:
            raise _unusable(self.path, exc) from None


def _sound(row: Row) -> bool:
    return all(isinstance(value, kind) for value, kind in zip(row, (int, int, str, bytes, bytes), strict=True))


class Missing(sqlite.Unusable):
    """It was deleted, or never held anything."""


def _unusable(path: Path, exc: Exception) -> sqlite.Unusable:
    return sqlite.Unusable(f"{path}: {sqlite.words(exc)}")


def create(path: Path, header: bytes) -> sqlite3.Connection:
    """A new file, open for writing: with its header, or nothing at all. Unusable."""
    written = f"INSERT INTO header VALUES (x'{header.hex()}')"  # noqa: S608 - digits
    return sqlite.writable(path, (f"{MIGRATIONS[0]};{written}",))


def encode_header(header: Header) -> bytes:
    """The bytes that its first record stands on."""
    return msgspec.json.encode(header)


def decode_header(header: bytes) -> Header:
    """What a file begins with; ValueError."""
    return msgspec.json.decode(header, type=Header)
