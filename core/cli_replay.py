"""`replay`: recorded decisions are made again, and compared byte by byte."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core import cli_complete
from core.cli_chosen import Problems, Reason, Rule, Session, Since, To, Until, Wanted, folder, plains, records
from core.cli_common import EXIT_FAILURE, EXIT_USAGE, Config, Json, print_json, refuse_with

if TYPE_CHECKING:
    from core.decision_record import Record
    from core.lab.replay import Replay
    from core.lab.replaying import Means, Part


def replay(
    ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID]...", help="Requests; all records without.", autocompletion=cli_complete.requests),
    ] = None,
    *,
    config: Config = None,
    since: Since = "",
    until: Until = "",
    session: Session = "",
    reason: Reason = "",
    target: To = "",
    rule: Rule = "",
    file: Annotated[Path | None, typer.Option("--from", help="Records of this export; - for standard input.")] = None,
    snapshot: Annotated[
        str,
        typer.Option(
            help="Decide by this saved snapshot, whoever decided then.", autocompletion=cli_complete.snapshots
        ),
    ] = "",
    show: Annotated[bool, typer.Option("--show", help="Both sides' bytes, with ids.")] = False,
    as_json: Json = False,
) -> None:
    """Make recorded decisions again, their rules included, and compare the bytes; exit 1 if any differs."""
    from core.lab.cores import ProcessDied
    from core.lab.replay import DIFFERS
    from core.snapshots import SnapshotError

    wanted, problems = Wanted(since, until, session, reason, target, rule), Problems()
    if show and not ids:
        refuse_with("--show needs the ids of requests", EXIT_USAGE)
    try:
        if ids:
            found = list(_each(_means(snapshot), _named(ids, config, wanted, file, problems)))
            _print_each(found, show=show, as_json=as_json)
            differs = sum(each.verdict == DIFFERS for each in found)
        else:
            whole, speed = _all(_means(snapshot), plains(config, wanted, file, problems))
            _print_sum(whole, speed, as_json=as_json)
            differs = whole.verdicts.get(DIFFERS, 0)
    except (SnapshotError, ProcessDied) as exc:
        refuse_with(str(exc))
    raise typer.Exit(EXIT_FAILURE if differs or problems.any else 0)


def _means(by: str) -> "Means":
    from core import settings, snapshots
    from core.lab.replaying import Means

    env = settings.environ()
    return Means(settings.state_dir(env) / snapshots.NAME, settings.cache_dir(env), by)


def _named(
    ids: list[str], config: Path | None, wanted: Wanted, file: Path | None, problems: Problems
) -> "Iterator[Record]":
    """The records of these requests; exit 1 if one is not there."""
    from core.state.ledger import find
    from core.state.sqlite import Unusable

    exported: dict[str, Record] = {}
    if file is not None:
        chosen = (record for record in records(config, wanted, file, problems) if record.request_id in ids)
        exported = {record.request_id: record for record in chosen}
    for name in ids:
        try:
            record = exported.get(name) if file else find(folder(config), name)
        except Unusable as exc:
            refuse_with(str(exc))
        if record is None:
            where = "is in the file" if file else "is kept: see terraphim-proxy records list"
            refuse_with(f"no record of {name} {where}")
        yield record


def _each(means: "Means", found: "Iterable[Record]") -> "Iterator[Replay]":
    from core.lab.replaying import Replayer
    from wasm_host.sandbox import Sandbox

    with Sandbox() as sandbox:
        replayer = Replayer(means, sandbox)
        for record in found:
            yield replayer.replay(record)


def _all(means: "Means", plain: Iterator[bytes]) -> "tuple[Part, float]":
    """What came of all records, and how many a second."""
    from core.cli_progress import Progress
    from core.lab.cores import chunks, spread
    from core.lab.replaying import added, begin

    with Progress("records") as progress:

        def told(parts: "Iterable[Part]") -> "Iterator[Part]":
            for part in parts:
                progress.more(sum(part.verdicts.values()))
                yield part

        whole = added(told(spread(begin, means, chunks(plain))))
        return whole, progress.per_second


def _print_each(found: "list[Replay]", *, show: bool, as_json: bool) -> None:
    from core.lab.replay_text import facts_of, text_of

    if as_json:
        print_json([facts_of(each, show=show) for each in found])
    else:
        print("\n\n".join(text_of(each, show=show) for each in found))


def _print_sum(whole: "Part", speed: float, *, as_json: bool) -> None:
    from core.lab.replay_text import sum_of, sum_text

    facts: dict[str, Any] = sum_of(whole) | {"records_per_second": round(speed)}
    if as_json:
        print_json(facts)
    else:
        print(sum_text(facts))
