"""Usage records: a row a request, in the order in which they end, written together by one thread.

Whoever puts a row never waits. What a commit returned for is there after any death of the process; what waits for one
(at most `ROOM` rows, usually for 50 ms) is lost with it. While the database cannot be written, proxying goes on: rows
wait for it, and what finds no room is lost, counted and said.
"""

import sqlite3
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final, NamedTuple

from core.budgets import day_of, month_of
from core.exchange import NOTHING, Exchange
from core.state import sqlite

#: Rows that may wait, and rows of one commit.
ROOM: Final = 10_000
BATCH: Final = 256
#: Rows that come within so many seconds are committed together; after a failure the next try is so much later.
PAUSE_S: Final = 0.05
RETRY_S: Final = 1.0


class Row(NamedTuple):
    """One request. Money is micro-USD, `None` if no part of it has a price; `time` is when it began, Unix time in ms.

    `input` to `reasoning` are all attempts' tokens together; of these, `lost_…` are those of attempts that failed.
    """

    request_id: str
    time: int
    client: str
    endpoint: str
    dialect: str
    phase: str
    reason: str
    provider: str
    model: str
    status: int
    error: str
    input: int
    output: int
    cache_read: int
    cache_write: int
    reasoning: int
    lost_input: int
    lost_output: int
    cost: int | None
    unpriced: bool
    estimated: bool
    ms: int
    attempts: int
    simulated: bool
    snapshot: str


#: A row is there once, however often it is written.
INSERT: Final = (
    f"INSERT INTO usage ({', '.join(Row._fields)}) VALUES ({', '.join('?' * len(Row._fields))})"  # noqa: S608
    " ON CONFLICT (request_id) DO NOTHING"
)


def row_of(exchange: Exchange, ms: float) -> Row:
    """The row of a request that has been decided and is over, `exchange.cost` included."""
    decision, answered, lost, cost = exchange.decision, exchange.answered_by, exchange.lost, exchange.cost
    used = exchange.usage if lost is NOTHING else exchange.usage.plus(lost)
    bill = exchange.bill()
    if estimated := bool(bill and bill[-1].estimated):
        used = used.plus(bill[-1].usage)
    asked = answered or (decision.target if decision else None)
    unpriced = cost is not None and cost.unpriced
    return Row(
        exchange.request_id,
        exchange.began_ms,
        exchange.client_key,
        exchange.endpoint,
        exchange.dialect,
        decision.phase if decision else "",
        decision.reason if decision else "",
        asked.provider if asked else "",
        asked.model if asked else "",
        exchange.status,
        exchange.error,
        used.input,
        used.output,
        used.cache_read,
        used.cache_write,
        used.reasoning,
        lost.input + lost.cache_read + lost.cache_write,
        lost.output,
        None if cost is None or (unpriced and not cost.micros) else cost.micros,
        unpriced,
        estimated,
        round(ms),
        len(exchange.attempts),
        exchange.simulated,
        exchange.snapshot,
    )


#: What keys spent since the first moment given, and of that since the second.
_SPENT: Final = (
    "SELECT client, coalesce(sum(cost), 0), coalesce(sum(CASE WHEN time >= ? THEN cost END), 0)"
    " FROM usage WHERE time >= ? GROUP BY client"
)


def spent(path: Path, now_ms: int) -> dict[str, dict[str, int]]:
    """What each client key has spent in this day and this month (UTC) until now, in micro-USD, by period."""
    now = datetime.fromtimestamp(now_ms / 1000, UTC)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    moments = [int(moment.timestamp()) * 1000 for moment in (midnight, midnight.replace(day=1))]
    connection = sqlite.readable(path)
    if connection is None:
        return {}
    try:
        rows = connection.execute(_SPENT, moments).fetchall()
    finally:
        connection.close()
    return {client: {month_of(now): month, day_of(now): day} for client, month, day in rows}


class Recorder:
    """One database and its thread. `counted` is told of rows written and lost, `say` of each change between failing
    and writing, `committed` which rows have been: each in the recorder's thread (rows without room: in the caller's).
    """

    def __init__(
        self,
        path: Path,
        *,
        say: Callable[[dict[str, object], str], None],
        counted: Callable[[str, int], None],
        committed: Callable[[Sequence[Row]], None] = lambda _: None,
        room: int = ROOM,
        retry_s: float = RETRY_S,
    ) -> None:
        self.path = path
        #: Why nothing can be written now; empty if it can.
        self.problem = ""
        self._say, self._counted, self._committed = say, counted, committed
        self._room, self._retry_s = room, retry_s
        self._lost = 0
        self._queue: SimpleQueue[Row | None] = SimpleQueue()
        self._stop = threading.Event()
        self._connection: sqlite3.Connection | None = None
        self._inode = 0
        self._thread = threading.Thread(target=self._run, name="records", daemon=True)
        self._thread.start()

    def put(self, row: Row) -> None:
        """Queue a row; one that finds no room is lost."""
        if self._queue.qsize() >= self._room:
            self._lose(1)
        else:
            self._queue.put(row)

    def stop(self) -> None:
        """No further row comes: the thread writes what waits, once, and ends."""
        self._stop.set()
        self._queue.put(None)

    def join(self, patience_s: float) -> bool:
        """Whether it has ended. It waits: not on the event loop."""
        self._thread.join(patience_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        more = True
        while more:
            rows, more = self._taken()
            while rows and not self._written(rows):
                if self._stop.wait(self._retry_s):
                    if not self._written(rows):
                        self._lose(len(rows))
                    break
        self._close()
        if self._lost:
            self._say({"event": "records_lost", "file": str(self.path), "lost": self._lost}, "warning")

    def _taken(self) -> tuple[list[Row], bool]:
        """The rows of the next commit, and whether more may come."""
        first = self._queue.get()
        if first is None:
            return [], False
        rows = [first]
        if self._queue.qsize() < BATCH:
            self._stop.wait(PAUSE_S)
        try:
            while len(rows) < BATCH:
                row = self._queue.get_nowait()
                if row is None:
                    return rows, False
                rows.append(row)
        except Empty:
            pass
        return rows, True

    def _written(self, rows: Sequence[Row]) -> bool:
        """Whether they are committed."""
        try:
            self._commit(rows)
        except (sqlite3.Error, sqlite.Unusable, OSError) as exc:
            self._close()
            self._failing(sqlite.words(exc))
            return False
        self._working()
        self._counted("written", len(rows))
        self._committed(rows)
        return True

    def _commit(self, rows: Sequence[Row]) -> None:
        connection = self._open()
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(INSERT, rows)
        connection.execute("COMMIT")

    def _open(self) -> sqlite3.Connection:
        """The connection, a new one if somebody has put another file, or none, in the place of the old one."""
        if self._connection is not None and self._inode == _inode(self.path):
            return self._connection
        self._close()
        self._connection = sqlite.writable(self.path)
        self._inode = _inode(self.path)
        return self._connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()  # and what was not committed is undone
            self._connection = None

    def _failing(self, problem: str) -> None:
        if not self.problem:
            self._say({"event": "records_failing", "file": str(self.path), "problem": problem}, "warning")
        self.problem = problem

    def _working(self) -> None:
        if self.problem:
            self._say({"event": "records_recovered", "file": str(self.path), "lost": self._lost}, "info")
        self.problem, self._lost = "", 0

    def _lose(self, count: int) -> None:
        self._lost += count
        self._counted("lost", count)


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:
        return 0
