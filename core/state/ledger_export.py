"""The ledger as lines of JSON: a first line that says what this is, files' headers, and records in the order of time.

    {"ledger": 1, "partial": false}
    {"file": "…", "header": {…}}
    {"file": "…", "number": 1, "hash": "…", "record": {…}}

Headers and records stand there byte for byte as they were hashed: who formats the lines anew cannot verify them.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from core.decision_record import Record
from core.state import ledger_body
from core.state.ledger import FOR_EVER, entries
from core.state.ledger_file import INSERT, File, create, files, name_of
from core.state.ledger_verify import Fault
from core.state.sqlite import Unusable

VERSION: Final = 1


class Line(Struct, omit_defaults=True):
    """Any line. `partial`: not all records of the files are in it."""

    ledger: int = 0
    partial: bool = False
    file: str = ""
    header: Raw | UnsetType = UNSET
    number: int = 0
    hash: str = ""
    record: Raw | UnsetType = UNSET


class _Recorded(Struct):
    record: Record | UnsetType = UNSET


def lines(
    folder: Path,
    *,
    since_ms: int = 0,
    until_ms: int = FOR_EVER,
    chosen: Callable[[Record], bool] | None = None,
    broken: Callable[[Unusable], object],
) -> Iterator[bytes]:
    """The lines, each with its end, for the records that are `chosen`; Unusable problems are given to `broken`."""
    partial = since_ms > 0 or until_ms < FOR_EVER or chosen is not None
    yield _line(Line(ledger=VERSION, partial=partial))
    told = set[str]()
    for path in files(folder):
        yield from _header(path, told)
    for kept in entries(folder, since_ms=since_ms, until_ms=until_ms, broken=broken):
        if chosen and not chosen(kept.record):
            continue
        if kept.file not in told:
            yield from _header(folder / f"{kept.file}.db", told)
        row = kept.row
        yield _line(Line(file=kept.file, number=row.number, hash=row.hash.hex(), record=Raw(kept.plain)))


def _line(line: Line) -> bytes:
    return msgspec.json.encode(line) + b"\n"


def _header(path: Path, told: set[str]) -> Iterator[bytes]:
    """A file's header, once; one that cannot be read is a problem when its records are."""
    told.add(path.stem)
    try:
        with File(path) as file:
            yield _line(Line(file=path.stem, header=Raw(file.header())))
    except Unusable:
        return


def read_lines(source: Iterable[bytes]) -> Iterator[Record]:
    """The records of an export, in their order; ValueError names a line that is none."""
    decode = msgspec.json.Decoder(_Recorded).decode
    for number, line in enumerate(source, 1):
        try:
            found = decode(line)
        except (msgspec.DecodeError, UnicodeError) as exc:
            raise ValueError(f"line {number} is not of an export of records: {exc}") from None
        if found.record is not UNSET:
            yield found.record


def load(source: Iterable[bytes], folder: Path) -> tuple[list[Fault], bool]:
    """Put an export into files again, so that it can be verified: what was wrong with lines, and whether it is a part
    of a ledger. ValueError if it is no export.
    """
    faults = list[Fault]()
    with ExitStack() as stack:
        loading = _Loading(folder, stack)
        first = _parse(1, next(iter(source := iter(source)), b""))
        if first.ledger != VERSION:
            known = f"this program knows version {VERSION}"
            raise ValueError(f"it does not begin as an export of records does, or is a newer program's ({known})")
        for number, data in enumerate(source, 2):
            try:
                loading.take(_parse(number, data))
            except ValueError as exc:
                faults.append(Fault("", "", 0, "", str(exc)))
            except _Refused as exc:
                faults.append(exc.fault)
    return faults, first.partial


def _parse(number: int, data: bytes) -> Line:
    try:
        return msgspec.json.decode(data, type=Line)
    except (msgspec.DecodeError, UnicodeError) as exc:
        raise ValueError(f"line {number} is not of an export of records: {exc}") from None


class _Refused(Exception):
    def __init__(self, line: Line, problem: str) -> None:
        name = name_of(Path(f"{line.file}.db"))
        self.fault = Fault(line.file, name.writer if name else "", line.number, "", problem)


class _Loading:
    """Files that grow by lines."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder, self._stack = folder, stack
        self._files: dict[str, sqlite3.Connection] = {}

    def take(self, line: Line) -> None:
        if isinstance(line.header, Raw):
            self._begin(line, bytes(line.header))
        elif isinstance(line.record, Raw):
            self._put(line, bytes(line.record))

    def _begin(self, line: Line, header: bytes) -> None:
        if line.file in self._files or name_of(Path(f"{line.file}.db")) is None:
            raise _Refused(line, "there are two headers of this file, or its name is none")
        connection = self._stack.enter_context(closing(create(self._folder / f"{line.file}.db", header)))
        connection.execute("BEGIN")
        self._stack.callback(connection.execute, "COMMIT")
        self._files[line.file] = connection

    def _put(self, line: Line, plain: bytes) -> None:
        connection = self._files.get(line.file)
        if connection is None:
            raise _Refused(line, "its file's header does not stand before it")
        try:
            record = ledger_body.decode(plain)
            values = (record.at_ms, record.request_id, bytes.fromhex(line.hash))
            connection.execute(INSERT, (line.number, *values, ledger_body.pack(plain)))
        except sqlite3.IntegrityError:
            raise _Refused(line, "it is there twice") from None
        except ValueError as exc:
            raise _Refused(line, f"it was changed: {exc}") from None
