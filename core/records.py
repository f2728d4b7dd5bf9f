"""Usage records: a row a request, in the order in which they end; `recorder` writes them."""

import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from core.budgets import DAY_MS, day_of, month_of
from core.exchange import NOTHING, Exchange
from core.state import sqlite


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


_OF_TARGETS: Final = "SELECT provider, sum(cost) FROM usage WHERE time >= ? GROUP BY provider"


def spent_at(path: Path, now_ms: int) -> dict[str, int]:
    """What was spent at each provider in this day (UTC) until now, in micro-USD; who has no price spent nothing."""
    connection = sqlite.readable(path)
    if connection is None:
        return {}
    try:
        rows = connection.execute(_OF_TARGETS, (now_ms - now_ms % DAY_MS,)).fetchall()
    finally:
        connection.close()
    return {provider: spent or 0 for provider, spent in rows}


def snapshots(path: Path, since_ms: int) -> frozenset[str]:
    """Digests of the snapshots of the requests since then (Unix time)."""
    connection = sqlite.readable(path)
    if connection is None:
        return frozenset()
    try:
        rows = connection.execute("SELECT DISTINCT snapshot FROM usage WHERE time >= ?", (since_ms,)).fetchall()
    finally:
        connection.close()
    return frozenset(snapshot for (snapshot,) in rows)


class Rows:
    """The table of a database, as a recorder writes it (`recorder.Store`)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection: sqlite3.Connection | None = None
        self._inode = 0

    def write(self, rows: Sequence[Row]) -> None:
        """Commit them together; Unusable."""
        try:
            connection = self._open()
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(INSERT, rows)
            connection.execute("COMMIT")
        except (sqlite3.Error, OSError) as exc:
            raise sqlite.Unusable(sqlite.words(exc)) from None

    def tidy(self) -> None:
        """Rows are kept for ever."""

    def _open(self) -> sqlite3.Connection:
        """The connection, a new one if somebody has put another file, or none, in the place of the old one."""
        if self._connection is not None and self._inode == sqlite.inode(self.path):
            return self._connection
        self.close()
        self._connection = sqlite.writable(self.path)
        self._inode = sqlite.inode(self.path)
        return self._connection

    def close(self) -> None:
        """Leave; what was not committed is undone."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
