"""Which recorded decisions a command means: options, filters, and where the records come from."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from core import cli_complete
from core.cli_common import EXIT_FAILURE, EXIT_USAGE, load_config, refuse_with

if TYPE_CHECKING:
    from core.decision_record import Record
    from core.state.sqlite import Unusable

Since = Annotated[str, typer.Option(help="Requests that began then or later: 2026-11-23, 2026-11-23T14:00, 24h.")]
Until = Annotated[str, typer.Option(help="Requests that began before; a day is meant whole.")]
Session = Annotated[str, typer.Option(help="Of this session.")]
Reason = Annotated[str, typer.Option(help="Decided for this reason, or for those that begin so: concept:")]
To = Annotated[str, typer.Option("--target", help="Decided for this target.", autocompletion=cli_complete.targets)]
Rule = Annotated[str, typer.Option(help="That this rule was asked about.", autocompletion=cli_complete.rules)]


class Problems:
    """What could not be read: said at once, and a failure at the end."""

    def __init__(self) -> None:
        self.any = False

    def __call__(self, problem: "Unusable") -> None:
        self.any = True
        print(f"error: {problem} (`terraphim-proxy records verify` looks at all of it)", file=sys.stderr)

    def end(self) -> None:
        """Exit 1 if there were any."""
        if self.any:
            raise typer.Exit(EXIT_FAILURE)


class Wanted(NamedTuple):
    """Which records are meant."""

    since: str = ""
    until: str = ""
    session: str = ""
    reason: str = ""
    target: str = ""
    rule: str = ""
    client: str = ""

    def span(self) -> tuple[int, int]:
        """From when until when, Unix time in ms; exit 2 if one is none."""
        from core.moments import moment_ms
        from core.state.ledger import FOR_EVER

        now = time.time_ns() // 1_000_000
        try:
            since = moment_ms(self.since, now) if self.since else 0
            return since, moment_ms(self.until, now, end=True) if self.until else FOR_EVER
        except ValueError as exc:
            refuse_with(str(exc), EXIT_USAGE)

    def chosen(self) -> "Callable[[Record], bool] | None":
        """Which of them; None if all are meant."""
        return self._fits if any(self[2:]) else None

    def _fits(self, record: "Record") -> bool:
        features, decision = record.inputs.features, record.decision
        return (
            (not self.session or features.session_id == self.session)
            and decision.reason.startswith(self.reason)
            and (not self.target or str(decision.target) == self.target)
            and (not self.client or features.client_key == self.client)
            and (not self.rule or any(outcome.rule == self.rule for outcome in record.asked))
        )


def folder(config: Path | None) -> Path:
    """Where decisions are recorded; exit 1 if they are not."""
    from core import settings
    from core.recording import decisions_of

    found = decisions_of(load_config(config).settings.records, settings.state_dir(settings.environ()))
    if found is None:
        refuse_with('decisions are not recorded: records.decisions = false, or records.store = "none"')
    return found


def records(
    config: Path | None, wanted: Wanted, file: Path | None, broken: "Callable[[Unusable], object]"
) -> "Iterator[Record]":
    """The records that are meant, in their order: of the ledger, or of an export (`-`: standard input). What cannot be
    read of the ledger is given to `broken`; exit 1 if the file is no export.
    """
    since_ms, until_ms = wanted.span()
    if file is None:
        from core.state.ledger import read

        found = read(folder(config), since_ms=since_ms, until_ms=until_ms, broken=broken)
        yield from filter(wanted.chosen(), found)
        return
    from core.state.ledger_export import read_lines

    try:
        with file.open("rb") if str(file) != "-" else nullcontext(sys.stdin.buffer) as source:
            for record in filter(wanted.chosen(), read_lines(source)):
                if since_ms <= record.at_ms < until_ms:
                    yield record
    except OSError as exc:
        refuse_with(f"{file}: {exc.strerror}")
    except ValueError as exc:
        refuse_with(f"{file}: {exc}")


def plains(
    config: Path | None, wanted: Wanted, file: Path | None, broken: "Callable[[Unusable], object]"
) -> Iterator[bytes]:
    """The same as JSON: as it is kept, if nobody must look at a record to see whether it is meant."""
    import msgspec

    from core.state.ledger import entries

    if file is None and wanted.chosen() is None:
        since_ms, until_ms = wanted.span()
        for kept in entries(folder(config), since_ms=since_ms, until_ms=until_ms, broken=broken):
            yield kept.plain
        return
    yield from map(msgspec.json.encode, records(config, wanted, file, broken))
