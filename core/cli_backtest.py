"""`backtest`: what a candidate would have decided of recorded requests, and what that would have cost."""

import sys
from collections.abc import Iterator
from hashlib import sha256
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import typer

from core.cli_chosen import Reason, Rule, Session, Since, To, Until, Wanted, plains
from core.cli_common import EXIT_FAILURE, EXIT_USAGE, Config, Json, load_config, print_json, refuse, refuse_with

if TYPE_CHECKING:
    from core.lab.backtest import Given
    from core.lab.bounds import Bound
    from core.lab.candidate import Candidate, Parts
    from core.lab.report import Report
    from core.settings import Loaded
    from core.state.sqlite import Unusable

#: What a record's decision is compared with: the candidate in its own snapshot, or in the present configuration.
Base = Literal["record", "current"]
With = Annotated[
    list[Path] | None,
    typer.Option(
        "--with",
        help="What is tried, repeatable: a rule (.wasm, .wat), a taxonomy (folder, .md), a configuration (.toml), "
        "a folder of these.",
    ),
]
From = Annotated[Path | None, typer.Option("--from", help="An export of records in the ledger's place; - for stdin.")]
Bounded = Annotated[str, typer.Option(help="Exit 1 above so many, or above so much: 0, 3%.")]


class Output(NamedTuple):
    """Where the report goes beside the terminal."""

    as_json: bool
    markdown: Path | None
    html: Path | None

    def check(self) -> None:
        """Exit 2 if several things want standard output."""
        if self.as_json + [self.markdown, self.html].count(Path("-")) > 1:
            refuse_with("only one of --json, --markdown - and --html - can have standard output", EXIT_USAGE)

    def write(self, found: "Report", bounds: "list[Bound]", broken: list[str]) -> None:
        """All that is wanted; the text for people, unless something else has standard output."""
        from core.lab.report_html import html
        from core.lab.report_markdown import markdown
        from core.lab.report_text import text

        said = [f"--{bound.name} {bound.text}" for bound in bounds]
        for file, form in ((self.markdown, markdown), (self.html, html)):
            if file is not None:
                _put(file, form(found, broken, said))
        if self.as_json:
            print_json(found)
        elif Path("-") not in (self.markdown, self.html):
            print(text(found, broken))


def backtest(
    *,
    candidate: With = None,
    base: Annotated[
        Base, typer.Option(help="Put it into each record's snapshot, or into what is configured.")
    ] = "record",
    config: Config = None,
    file: From = None,
    since: Since = "",
    until: Until = "",
    session: Session = "",
    reason: Reason = "",
    target: To = "",
    rule: Rule = "",
    key: Annotated[str, typer.Option(help="Of the client's key of this name.")] = "",
    limit: Annotated[int | None, typer.Option(min=1, help="The first so many.")] = None,
    cores: Annotated[int | None, typer.Option(min=1, help="Processes; as many as there are cores.")] = None,
    snapshots: Annotated[
        Path | None, typer.Option(help="Folder of saved snapshots, in the state folder's place.")
    ] = None,
    max_flips: Bounded = "",
    max_cost: Annotated[str, typer.Option(help="Exit 1 if it costs more: +5%, or so many dollars.")] = "",
    max_faults: Bounded = "",
    max_refusals: Bounded = "",
    min_replayable: Annotated[str, typer.Option(help="Exit 1 if fewer could be decided again: 90%.")] = "",
    as_json: Json = False,
    markdown: Annotated[Path | None, typer.Option(help="Write Markdown for a pull request; - for stdout.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write one page with plots; - for stdout.")] = None,
) -> None:
    """Decide recorded requests again with a candidate: what flips, what it costs, which rules win, lose and fail."""
    output = Output(as_json, markdown, html)
    output.check()
    limits = {"max-flips": max_flips, "max-cost": max_cost, "max-faults": max_faults, "max-refusals": max_refusals}
    bounds = _bounds({**limits, "min-replayable": min_replayable})
    if not candidate and base == "record":
        refuse_with("give a candidate: --with RULE.wasm, or --base current for what is configured now", EXIT_USAGE)
    found = _found(
        _given(candidate or [], base, config, snapshots),
        (path.name for path in candidate or []),
        base,
        plains(config, Wanted(since, until, session, reason, target, rule, key), file, _unread),
        limit,
        cores,
    )
    broken = [said for bound in bounds if (said := bound.broken(found))]
    output.write(found, bounds, broken)
    if broken:
        print("\n".join(f"exceeded: {each}" for each in broken), file=sys.stderr)
    raise typer.Exit(EXIT_FAILURE if broken else 0)


def _bounds(texts: dict[str, str]) -> "list[Bound]":
    from core.lab.bounds import bound

    try:
        return [bound(name, text) for name, text in texts.items() if text]
    except ValueError as exc:
        refuse_with(str(exc), EXIT_USAGE)


def _given(paths: list[Path], base: Base, config: Path | None, snapshots: Path | None) -> "Given":
    """What the processes need; exit 1 if a candidate is none, 78 if its configuration is wrong."""
    from core import settings
    from core import snapshots as saved
    from core.errors import ConfigError
    from core.lab.backtest import Given
    from core.lab.candidate import Unfit, read

    env = settings.environ()
    try:
        candidate = read(paths)
        current = _current(load_config(config)) if base == "current" else None
    except ConfigError as exc:
        refuse(exc)
    except Unfit as exc:
        refuse_with(str(exc))
    return Given(
        candidate=candidate,
        snapshots=snapshots or settings.state_dir(env) / saved.NAME,
        cache=settings.cache_dir(env),
        current=current,
        keys=_keys(candidate, current),
    )


def _current(loaded: "Loaded") -> "Parts":
    from core.lab.candidate import Parts, plugin_files, texts_of

    plugins, taxonomy = loaded.settings.plugins.dir, loaded.settings.taxonomy.dir
    return Parts(
        loaded.settings,
        texts_of(taxonomy) if taxonomy and taxonomy.is_dir() else {},
        plugin_files(plugins) if plugins and plugins.is_dir() else {},
    )


def _keys(candidate: "Candidate", current: "Parts | None") -> dict[str, tuple[str, ...]] | None:
    """What clients' keys may ask, if that is another configuration's word."""
    settings = candidate.settings or (current.settings if current else None)
    return {each.name: each.targets for each in settings.server.keys} if settings else None


def _unread(problem: "Unusable") -> None:
    """What cannot be read ends it: no gap looks like a result."""
    refuse_with(f"{problem} (`terraphim-proxy records verify` looks at all of it)")


def _found(
    given: "Given", names: Iterator[str], base: Base, plains: Iterator[bytes], limit: int | None, cores: int | None
) -> "Report":
    """The report; exit 1 if there is no record, or if the candidate cannot be used."""
    from core.cli_progress import Progress
    from core.lab import backtest as lab
    from core.lab.candidate import Unfit, named
    from core.lab.cores import ProcessDied
    from core.lab.report import report
    from core.processors import available

    first = next(plains, None)
    if first is None:
        refuse_with("there is no such record: `terraphim-proxy records list` shows those that there are")
    try:
        for remark in lab.remarks(given, first):
            print(f"note: {remark}", file=sys.stderr)
        with Progress("records") as progress:
            tally = lab.run(given, islice(chain([first], plains), limit), cores=cores, told=progress.more)
            rate = progress.per_second
    except (Unfit, ProcessDied) as exc:
        refuse_with(str(exc))
    print(f"{tally.records:,} records, {rate:,.0f} a second on {cores or available()} cores", file=sys.stderr)
    return report(tally, list(names) or ["the present configuration"], sha256(named(given.candidate)).hexdigest(), base)


def _put(file: Path, content: str) -> None:
    if str(file) == "-":
        print(content, end="")
        return
    from wasm_host import files

    try:
        files.write(file, content.encode())
    except OSError as exc:
        refuse_with(f"{file}: {exc.strerror}")
