"""Where decisions are recorded: a folder of files, each written by one process, read together."""

from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from pathlib import Path
from typing import Final, NamedTuple, NoReturn

from core.decision_record import Record
from core.state import ledger_body
from core.state.ledger_file import File, Missing, Row, Witness, files
from core.state.ledger_writer import Entry, Keep, Ledger, entry_of
from core.state.sqlite import Unusable

__all__ = ["Entry", "Keep", "Kept", "Ledger", "entries", "entry_of", "find", "heads", "locate", "read"]

#: The last moment there is.
FOR_EVER: Final = 2**62


class Kept(NamedTuple):
    """A record, where it lies, and what chains it."""

    file: str
    row: Row
    plain: bytes

    @property
    def record(self) -> Record:
        return ledger_body.decode(self.plain)


def _fail(problem: Unusable) -> NoReturn:
    raise problem


def read(
    folder: Path,
    *,
    since_ms: int = 0,
    until_ms: int = FOR_EVER,
    newest_first: bool = False,
    broken: Callable[[Unusable], object] = _fail,
) -> Iterator[Record]:
    """Records of requests that began then, by their time, then writer and number; memory does not grow with them.

    Files that come or go meanwhile are read or not. A file or a record that cannot be read is given to `broken`, which
    raises Unusable if nothing else is said, and the rest goes on.
    """
    for kept in entries(folder, since_ms=since_ms, until_ms=until_ms, newest_first=newest_first, broken=broken):
        try:
            yield kept.record
        except ledger_body.Damaged as exc:
            broken(_damaged(kept.file, kept.row, exc))


def entries(
    folder: Path,
    *,
    since_ms: int = 0,
    until_ms: int = FOR_EVER,
    newest_first: bool = False,
    broken: Callable[[Unusable], object] = _fail,
) -> Iterator[Kept]:
    """As `read`, with where each lies."""
    sign = -1 if newest_first else 1
    waiting = sorted(_times(folder, since_ms, until_ms, sign, broken), reverse=True)
    heap: list[tuple[int, int, int, Row, Path, Iterator[Row]]] = []

    def push(rank: int, path: Path, rows: Iterator[Row]) -> None:
        try:
            if row := next(rows, None):
                heappush(heap, (sign * row.time, rank, sign * row.number, row, path, rows))
        except Missing:
            pass
        except Unusable as exc:
            broken(exc)

    while waiting or heap:
        while waiting and (not heap or waiting[-1][0] <= heap[0][0]):
            _, rank, path = waiting.pop()
            push(rank, path, _rows(path, since_ms, until_ms, newest_first=newest_first))
        if heap:
            _, rank, _, row, path, rows = heappop(heap)
            try:
                yield Kept(path.stem, row, ledger_body.unpack(row.body))
            except ledger_body.Damaged as exc:
                broken(_damaged(path.stem, row, exc))
            push(rank, path, rows)


def _rows(path: Path, since_ms: int, until_ms: int, *, newest_first: bool) -> Iterator[Row]:
    with File(path) as file:
        yield from file.between(since_ms, until_ms, newest_first=newest_first)


def _times(
    folder: Path, since_ms: int, until_ms: int, sign: int, broken: Callable[[Unusable], object]
) -> Iterator[tuple[int, int, Path]]:
    """The files that hold something of that time: when it begins, seen from where reading begins, and their order."""
    for rank, path in enumerate(files(folder)):
        try:
            with File(path) as file:
                times = file.times()
        except Missing:
            continue
        except Unusable as exc:
            broken(exc)
            continue
        if times and times[0] < until_ms and times[1] >= since_ms:
            yield sign * times[0 if sign > 0 else 1], sign * rank, path


def oldest(folder: Path) -> int | None:
    """When the oldest request on record began (Unix time, ms); None without any. Unusable if a file cannot be read."""
    return min((begun for begun, _, _ in _times(folder, 0, FOR_EVER, 1, _fail)), default=None)


def find(folder: Path, request_id: str) -> Record | None:
    """The record of a request; None if there is none. Unusable if it, or a file that may hold it, cannot be read."""
    kept = locate(folder, request_id)
    if kept is None:
        return None
    try:
        return kept.record
    except ledger_body.Damaged as exc:
        raise _damaged(kept.file, kept.row, exc) from None


def locate(folder: Path, request_id: str) -> Kept | None:
    """As `find`, with where it lies."""
    unread: Unusable | None = None
    for path in reversed(files(folder)):
        try:
            with File(path) as file:
                rows = file.find(request_id)
        except Missing:
            continue
        except Unusable as exc:
            unread = exc
            continue
        for row in rows:
            try:
                return Kept(path.stem, row, ledger_body.unpack(row.body))
            except ledger_body.Damaged as exc:
                raise _damaged(path.stem, row, exc) from None
    if unread is not None:
        raise unread
    return None


def heads(folder: Path) -> list[Witness]:
    """How far each file goes now; Unusable if one cannot be read."""
    found = []
    for path in files(folder):
        try:
            with File(path) as file:
                found.append(file.witness())
        except Missing:
            continue
    return found


def _damaged(stem: str, row: Row, exc: ledger_body.Damaged) -> Unusable:
    return Unusable(f"{stem}: record {row.number} ({row.request_id}): {exc}")
