"""`records`: what was decided, as it was recorded: shown, exported, and verified."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core import cli_complete
from core.cli_chosen import Problems, Reason, Rule, Session, Since, To, Until, Wanted, folder
from core.cli_common import EXIT_FAILURE, EXIT_USAGE, Config, Json, print_json, refuse_with

if TYPE_CHECKING:
    from core.decision_record import Record
    from core.state.ledger_file import Witness
    from core.state.ledger_verify import Report

records_app = typer.Typer(no_args_is_help=True, help="Recorded decisions.")


@records_app.command("list")
def list_(
    *,
    config: Config = None,
    since: Since = "",
    until: Until = "",
    session: Session = "",
    reason: Reason = "",
    target: To = "",
    rule: Rule = "",
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    as_json: Json = False,
) -> None:
    """The newest records first, a line each."""
    from itertools import islice

    from core.state.ledger import read

    wanted, problems = Wanted(since, until, session, reason, target, rule), Problems()
    since_ms, until_ms = wanted.span()
    found = read(folder(config), since_ms=since_ms, until_ms=until_ms, newest_first=True, broken=problems)
    rows = [_row(record) for record in islice(filter(wanted.chosen(), found), limit)]
    if as_json:
        print_json(rows)
    else:
        print("\n".join(map(_text, rows)) or "no such record")
    problems.end()


def _row(record: "Record") -> dict[str, Any]:
    from core.moments import shown

    decision, result = record.decision, record.result
    return {
        "time": shown(record.at_ms),
        "request_id": record.request_id,
        "reason": decision.reason,
        "decided": str(decision.target) if decision.target else None,
        "answered_by": str(result.answered_by) if result.answered_by else None,
        "status": result.status,
        "tokens": record.inputs.features.token_count,
        "cost_micro_usd": result.cost.micros if result.cost and not result.cost.unpriced else None,
        "ms": result.ms,
        "session": record.inputs.features.session_id,
        "client": record.inputs.features.client_key,
        "snapshot": record.snapshot[:12],
    }


def _text(row: dict[str, Any]) -> str:
    answered = "" if row["answered_by"] == row["decided"] else f", answered by {row['answered_by'] or 'nobody'}"
    where = f"{row['decided'] or 'refused'} ({row['reason']}){answered}"
    return (
        f"{row['time']}  {row['request_id']}  {row['status']:>3}  {row['tokens']:>7} tokens  {row['ms']:>6} ms  {where}"
    )


@records_app.command("show")
def show(
    request_id: Annotated[
        str, typer.Argument(metavar="ID", help="The request's id.", autocompletion=cli_complete.requests)
    ],
    config: Config = None,
) -> None:
    """One record, whole (JSON)."""
    import msgspec

    from core.state import sqlite
    from core.state.ledger import locate

    try:
        kept = locate(folder(config), request_id)
    except sqlite.Unusable as exc:
        refuse_with(str(exc))
    if kept is None:
        refuse_with(
            f"no record of {request_id!r}: `terraphim-proxy records list` shows those that there are", EXIT_FAILURE
        )
    place = {"file": kept.file, "number": kept.row.number, "hash": kept.row.hash.hex()}
    print_json({**place, "record": msgspec.Raw(kept.plain)})


@records_app.command("export")
def export(
    file: Annotated[Path, typer.Argument(help="Where to; - for standard output.")] = Path("-"),
    *,
    config: Config = None,
    since: Since = "",
    until: Until = "",
    session: Session = "",
    reason: Reason = "",
    target: To = "",
    rule: Rule = "",
) -> None:
    """The records as lines of JSON, the oldest first, with what `verify`, `replay` and `backtest` need."""
    from core.cli_progress import counted
    from core.state.ledger_export import lines

    wanted, problems = Wanted(since, until, session, reason, target, rule), Problems()
    since_ms, until_ms = wanted.span()
    found = lines(folder(config), since_ms=since_ms, until_ms=until_ms, chosen=wanted.chosen(), broken=problems)
    try:
        if str(file) == "-":
            sys.stdout.buffer.writelines(counted(found, "records"))
        else:
            with _private(file) as out:
                out.writelines(counted(found, "records"))
    except BrokenPipeError:
        raise typer.Exit(EXIT_FAILURE) from None
    except OSError as exc:
        refuse_with(f"{file}: {exc.strerror}")
    problems.end()


@contextmanager
def _private(file: Path) -> Iterator[Any]:
    """A file for our user alone, whole or not at all."""
    import os
    import tempfile

    handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=".", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as out:
            yield out
        Path(temporary).replace(file)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


@records_app.command("head")
def head(config: Config = None, as_json: Json = False) -> None:
    """How far each file goes now: keep this elsewhere, and `verify --head` tells whether records were taken away."""
    from core.state import sqlite
    from core.state.ledger import heads

    try:
        found = heads(folder(config))
    except sqlite.Unusable as exc:
        refuse_with(str(exc))
    if as_json:
        print_json(found)
    else:
        print("\n".join(map(str, found)))


@records_app.command("verify")
def verify(
    file: Annotated[Path | None, typer.Argument(help="An export; the records themselves if left out.")] = None,
    *,
    config: Config = None,
    head: Annotated[
        list[str] | None, typer.Option("--head", help="A line of `records head`, or a file of them; repeatable.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Whether the records are as they were written; each that was changed, taken away, doubled or moved is named.

    Records that were written anew up to the last one, or cut off there, are seen only with a head that was kept.
    """
    from core.cli_progress import Busy
    from core.state import sqlite

    kept = _heads(head or [])
    try:
        with Busy("verifying records"):
            found = _exported(file, kept) if file else _verified(folder(config), kept)
    except (sqlite.Unusable, OSError, ValueError) as exc:
        refuse_with(f"{file}: {exc}" if file else str(exc))
    if as_json:
        print_json(found)
    else:
        print(_told(found, heads=bool(kept)))
    raise typer.Exit(EXIT_FAILURE if found.faults else 0)


def _heads(given: list[str]) -> "list[Witness]":
    from core.state.ledger_verify import parse_heads

    found = []
    for each in given:
        text = each
        with suppress(OSError, UnicodeError):
            text = Path(each).read_text()
        try:
            found += parse_heads(text)
        except ValueError as exc:
            refuse_with(f"--head: {exc}", EXIT_USAGE)
    return found


def _verified(where: Path, kept: "list[Witness]", *, partial: bool = False) -> "Report":
    from core.state.ledger_verify import verify

    return verify(where, kept, partial=partial)


def _exported(file: Path, kept: "list[Witness]") -> "Report":
    from core.state.ledger_export import load

    with TemporaryDirectory() as temporary, file.open("rb") as source:
        faults, partial = load(source, Path(temporary))
        report = _verified(Path(temporary), kept, partial=partial)
    report.faults = [*faults, *report.faults]
    return report


def _told(report: "Report", *, heads: bool) -> str:
    lines = [str(fault) for fault in report.faults]
    lines += [f"{file}: deleted because of its age or size, as the next file says" for file in report.removed]
    if report.partial:
        lines.append(
            f"{report.partial} records follow others that were not exported: nothing says that these are whole"
        )
    wrong = f"{len(report.faults)} things are wrong" if report.faults else "as they were written"
    lines.append(f"{report.records} records in {len(report.heads)} files: {wrong}")
    if not heads:
        lines.append("without --head: whether the last records of a file were cut off or written anew cannot be seen")
    return "\n".join(lines)
