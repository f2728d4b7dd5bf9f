"""Writes the ledger: file after file, and deletes those that are kept no longer.

A file is never changed but at its end, and deleted whole: when all of it is older than records are kept, or when there
are too many bytes, the oldest first. Which were deleted so, the header of the file that is begun then says; what else
is missing, somebody took away.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from secrets import token_hex
from typing import Final, NamedTuple

from msgspec import Struct

from core import __version__
from core.decision_record import Record
from core.state import ledger_body, sqlite
from core.state.ledger_file import (
    INSERT,
    MIGRATIONS,
    File,
    Header,
    Name,
    Row,
    Witness,
    create,
    delete,
    encode_header,
    files,
    name_of,
    readable,
    size,
)
from core.state.sqlite import Unusable

DAY_MS: Final = 86_400_000
#: A file is written for so long at most, and takes at most this part of all bytes: what is deleted is whole files.
SPAN_MS: Final = DAY_MS
SHARE: Final = 16
#: The newest files of others that a header bears witness of.
WITNESSED: Final = 4
#: The last moment there is.
FOR_EVER: Final = 2**62


class Keep(Struct, frozen=True):
    """How much is kept."""

    max_age_days: float = 30
    max_bytes: int = 1 << 30


class Entry(NamedTuple):
    """A record that can be written: `time` is when its request began, Unix time in ms."""

    request_id: str
    time: int
    plain: bytes


def entry_of(record: Record) -> Entry:
    """ValueError if it cannot be written."""
    return Entry(record.request_id, record.at_ms, ledger_body.encode(record))


class Ledger:
    """The files of one writer in a folder, as a recorder writes them (`recorder.Store`). `clock` is Unix time in ms."""

    def __init__(
        self,
        folder: Path,
        keep: Keep = Keep(),  # noqa: B008 - it is frozen
        *,
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self.path = folder
        self._keep, self._clock = keep, clock
        self._writer, self._part = token_hex(6), 0
        self._connection: sqlite3.Connection | None = None
        self._file: Path | None = None
        self._inode = 0
        self._began_ms = 0
        #: How far we know the file to go: its number of records, and the hash of the last.
        self._count, self._head = 0, b""

    def write(self, records: Sequence[Record]) -> None:
        """Commit them together, behind what is there; Unusable."""
        self.append([entry_of(record) for record in records])

    def append(self, entries: Sequence[Entry]) -> None:
        """As `write`."""
        try:
            self._append(entries)
        except sqlite3.DatabaseError as exc:
            if exc.sqlite_errorcode in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
                self._leave()
            raise Unusable(sqlite.words(exc)) from None
        except (sqlite3.Error, OSError) as exc:
            raise Unusable(sqlite.words(exc)) from None

    def tidy(self) -> None:
        """Delete what is kept no longer, although nothing comes; Unusable."""
        if self._expired():
            self._begin()

    def close(self) -> None:
        """Leave; what was not committed is undone."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _append(self, entries: Sequence[Entry]) -> None:
        connection = self._open()
        known = self._known(connection)
        rows, count, head = list[Row](), self._count, self._head
        for entry in entries:
            if entry.request_id not in known:
                count, head = count + 1, ledger_body.link(head, entry.plain)
                rows.append(Row(count, entry.time, entry.request_id, head, ledger_body.pack(entry.plain)))
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(INSERT, rows)
        connection.execute("COMMIT")
        if not self._there():  # deleted meanwhile, and the records with it
            self._leave()
            raise Unusable("its file was deleted")
        self._count, self._head = count, head

    def _known(self, connection: sqlite3.Connection) -> set[str]:
        """Requests of a commit that seemed to fail and did not: they are there already."""
        query = "SELECT request_id, number, hash FROM records WHERE number > ? ORDER BY number"
        known = set[str]()
        for request_id, number, head in connection.execute(query, (self._count,)).fetchall():
            known.add(request_id)
            self._count, self._head = number, head
        return known

    def _there(self) -> bool:
        """Whether the file is the one that was begun."""
        return self._file is not None and self._inode == sqlite.inode(self._file)

    def _leave(self) -> None:
        """The file stays as it is, and the next write begins another."""
        self._inode = 0

    def _open(self) -> sqlite3.Connection:
        """The connection to the file that is to be written now."""
        if self._file is None or not self._there() or self._full(self._file):
            return self._begin()
        if self._connection is None:
            self._connection = self._again(self._file)
        return self._connection

    def _again(self, file: Path) -> sqlite3.Connection:
        """A connection to a file that was begun before; Unusable. One that can no longer be read is left as it is."""
        try:
            return sqlite.writable(file, MIGRATIONS)
        except Unusable:
            if not readable(file):
                self._leave()
            raise

    def _full(self, file: Path) -> bool:
        old = self._clock() - self._began_ms >= self._span_ms
        return self._count > 0 and (old or size(file) > self._keep.max_bytes // SHARE)

    def _begin(self) -> sqlite3.Connection:
        """The next file. Those that are kept no longer are deleted as soon as it says so."""
        self.close()
        expired, now = self._expired(), self._clock()
        name = Name(_not_before(files(self.path), now), self._writer, self._part + 1)
        header = Header(
            writer=self._writer,
            part=name.part,
            began_ms=name.began_ms,
            program=__version__,
            before=tuple(self._before(expired)),
            removed=tuple(filter(None, map(_witness, expired))),
        )
        file = self.path / f"{name.stem}.db"
        begun = encode_header(header)
        connection = create(file, begun)
        self._connection, self._file, self._inode = connection, file, sqlite.inode(file)
        self._part, self._began_ms = name.part, now
        self._count, self._head = 0, ledger_body.genesis(begun)
        for path in expired:
            delete(path)
        return connection

    def _before(self, expired: Sequence[Path]) -> Iterator[Witness]:
        """What the next file bears witness of: the newest of others, and our last one, wherever it is now."""
        kept = [path for path in files(self.path) if path not in expired and path != self._file]
        yield from filter(None, map(_witness, kept[-WITNESSED:]))
        if self._file is not None:
            yield Witness(self._file.stem, self._count, self._head.hex())

    def _expired(self) -> list[Path]:
        """Files that are kept no longer, the oldest first and none without those before it. One that cannot be read is
        never deleted.
        """
        present = [(path, size(path)) for path in files(self.path)]
        total, now, expired = sum(bytes_ for _, bytes_ in present), self._clock(), list[Path]()
        for path, bytes_ in present:
            name = name_of(path)
            old = name is not None and now - name.began_ms >= self._keep_ms + self._span_ms
            if not old and total <= self._keep.max_bytes:
                break
            if readable(path):
                expired.append(path)
                total -= bytes_
        return expired

    @property
    def _keep_ms(self) -> int:
        return int(self._keep.max_age_days * DAY_MS)

    @property
    def _span_ms(self) -> int:
        return min(SPAN_MS, self._keep_ms)


def _witness(path: Path) -> Witness | None:
    """How far a file goes; None if it says nothing."""
    try:
        with File(path) as file:
            return file.witness()
    except Unusable:
        return None


def _not_before(present: Sequence[Path], now: int) -> int:
    """A moment for the next file: now, or right behind the newest of a clock that is a little ahead."""
    newest = name_of(present[-1]) if present else None
    return newest.began_ms + 1 if newest and 0 <= newest.began_ms - now < SPAN_MS else now
