"""`usage`: what was used and what it cost, by key, model, provider or day."""

import sqlite3
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Final

from msgspec import Struct

from core.cli_common import EXIT_USAGE, refuse_with
from core.recording import file_of
from core.schema import Settings
from core.settings import state_dir
from core.state import sqlite

#: What rows are summed by, as SQL.
BY: Final = {
    "key": "client",
    "model": "CASE provider WHEN '' THEN '' ELSE provider || ',' || model END",
    "provider": "provider",
    "day": "date(time / 1000, 'unixepoch')",
}
#: Sums over a group's rows, as SQL.
SUMS: Final = {
    "requests": "count(*)",
    "failed": "coalesce(sum(status >= 400), 0)",
    "input": "coalesce(sum(input), 0)",
    "cache_read": "coalesce(sum(cache_read), 0)",
    "cache_write": "coalesce(sum(cache_write), 0)",
    "output": "coalesce(sum(output), 0)",
    "cost_micro_usd": "coalesce(sum(cost), 0)",
    "unpriced": "coalesce(sum(unpriced), 0)",
    "estimated": "coalesce(sum(estimated), 0)",
    "simulated": "coalesce(sum(simulated), 0)",
}


class Line(Struct):
    """One group's sums. `unpriced` requests have a part without a known price, and cost more than is said here.
    `failed` counts those that ended with an error status, those whose client left (499) included.
    """

    name: str
    requests: int
    failed: int
    input: int
    cache_read: int
    cache_write: int
    output: int
    cost_micro_usd: int
    unpriced: int
    estimated: int
    simulated: int


class Report(Struct):
    """Days are the first and the last one (UTC). `file` is empty if nothing is recorded."""

    file: str
    recorded: bool
    by: str
    since: str
    until: str
    lines: list[Line]
    total: Line


def report(settings: Settings, env: Mapping[str, str], by: str, since: str, until: str) -> Report:
    """Exit 2 for what is no such group or day, 1 for a database that cannot be read."""
    if by not in BY:
        refuse_with(f"--by: {by!r} is none of {', '.join(BY)}", EXIT_USAGE)
    today = datetime.now(UTC).date()
    first, last = _day("--since", since, today.replace(day=1)), _day("--until", until, today)
    path = file_of(settings.records, state_dir(env))
    none = Line("total", *(0 for _ in SUMS))
    found = Report(str(path or ""), False, by, str(first), str(last), [], none)
    if path is not None:
        try:
            _read(found, path, _ms(first), _ms(last + timedelta(days=1)))
        except (sqlite.Unusable, sqlite3.Error) as exc:
            refuse_with(f"{path}: {exc}")
    return found


def _read(found: Report, path: Path, begin: int, end: int) -> None:
    connection = sqlite.readable(path)
    if connection is None:
        return
    found.recorded = True
    sums, order = ", ".join(SUMS.values()), "name" if found.by == "day" else "sum(cost) DESC, name"
    try:
        connection.execute("BEGIN")  # lines and total are of one moment
        rows = connection.execute(
            f"SELECT {BY[found.by]} AS name, {sums} FROM usage WHERE time >= ? AND time < ?"  # noqa: S608  # our words
            f" GROUP BY name ORDER BY {order}",
            (begin, end),
        )
        found.lines = [Line(*row) for row in rows]
        total = connection.execute(
            f"SELECT 'total', {sums} FROM usage WHERE time >= ? AND time < ?",  # noqa: S608
            (begin, end),
        )
        found.total = Line(*total.fetchone())
    finally:
        connection.close()


def _day(option: str, given: str, otherwise: date) -> date:
    try:
        return date.fromisoformat(given) if given else otherwise
    except ValueError:
        refuse_with(f"{option}: {given!r} is no day like {otherwise}", EXIT_USAGE)


def _ms(day: date) -> int:
    return int(datetime.combine(day, time(), UTC).timestamp()) * 1000


def text(found: Report) -> str:
    """The report for people."""
    if not found.file:
        return 'nothing is recorded: records.store = "none"'
    if not found.recorded:
        return f"no requests were recorded yet: {found.file} is not there"
    head = [found.by, "requests", "failed", "input", "cache read", "cache write", "output", "cost USD"]
    rows = [head, *(_cells(line, found.by) for line in (*found.lines, found.total))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = [f"{found.since} to {found.until} (UTC)"]
    lines += [
        "  ".join(
            cell.rjust(width) if at else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    return "\n".join([*lines, *_notes(found.total)])


def _cells(line: Line, by: str) -> list[str]:
    counts = (line.requests, line.failed, line.input, line.cache_read, line.cache_write, line.output)
    return [line.name or ("(no key)" if by == "key" else "(nobody)"), *map(str, counts), money(line)]


def money(line: Line) -> str:
    """US dollars; `?` where something has no price: alone, or behind what is known."""
    known = f"{line.cost_micro_usd // 1_000_000}.{line.cost_micro_usd % 1_000_000:06}"
    if not line.unpriced:
        return known
    return f"{known} + ?" if line.cost_micro_usd else "?"


def _notes(total: Line) -> list[str]:
    """What must be known to read the figures."""
    notes = (
        (total.unpriced, "without a known price (?): set providers.NAME.models.MODEL.price"),
        (total.estimated, "whose provider did not say what they used: counted with what is certain"),
        (total.simulated, "simulated: they cost nothing"),
    )
    return [f"{count} of {total.requests} requests {what}" for count, what in notes if count]
