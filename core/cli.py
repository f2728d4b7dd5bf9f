"""The command line. Heavy imports wait until a command needs them, so that `--help` is quick."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core import (
    __version__,
    cli_complete,
    cli_new,  # noqa: F401 - registers `rules new`
    cli_rollout,  # noqa: F401 - registers `rules promote`, `rollback` and `status`
)
from core.cli_backtest import backtest
from core.cli_common import (
    EXIT_CONFIG,
    EXIT_FAILURE,
    EXIT_USAGE,
    Config,
    Json,
    Plugins,
    Taxonomy,
    build_generation,
    load_config,
    print_json,
    read_file,
    refuse,
)
from core.cli_records import records_app
from core.cli_replay import replay
from core.cli_rollback import config_rollback
from core.cli_rules_app import rules_app
from core.cli_rules_dev import rules_dev
from core.cli_run import run
from core.cli_snapshot import snapshot_app
from core.cli_statusline import statusline
from core.cli_top import top
from core.cli_traffic import traffic
from core.cli_trust import trust_app

if TYPE_CHECKING:
    from core.errors import Problem

# Plain help: rich would take longer to import than all the rest of `--help`.
app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)
taxonomy_app = typer.Typer(no_args_is_help=True, help="The markdown taxonomy.")
config_app = typer.Typer(no_args_is_help=True, help="The configuration.")
rules_app.command("dev")(rules_dev)
rules_app.add_typer(trust_app)
app.add_typer(rules_app, name="rules")
app.add_typer(records_app, name="records")
app.command()(replay)
app.command()(traffic)
app.command(context_settings={"allow_interspersed_args": False})(run)
app.command()(top)
app.command()(statusline)
app.command("backtest")(backtest)
app.add_typer(taxonomy_app, name="taxonomy")
app.add_typer(config_app, name="config")
app.add_typer(snapshot_app, name="snapshot")
config_app.command("rollback")(config_rollback)


def main() -> None:
    """Entry point of `terraphim-proxy`."""
    app()


def _version(wanted: bool) -> None:
    if wanted:
        print(f"terraphim-proxy {__version__}")
        raise typer.Exit


Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing of how far a long task is.")]
Version = Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")]


@app.callback()
def options(version: Version = False, quiet: Quiet = False) -> None:  # noqa: ARG001  # its callback has done it
    """An LLM proxy whose routing its users program: WebAssembly rules, a markdown taxonomy, runtime facts."""
    if quiet:
        from core import cli_progress

        cli_progress.hush()


def _workers(wanted: str | None) -> str | None:
    if wanted is not None and wanted != "auto" and not (wanted.isdecimal() and 1 <= int(wanted) <= 64):
        raise typer.BadParameter("a number from 1 to 64, or auto")
    return wanted


@app.command()
def serve(
    *,
    config: Config = None,
    plugins: Plugins = None,
    taxonomy: Taxonomy = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on; wins over the configuration.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port to listen on (0: any); wins over the configuration.")
    ] = None,
    replace: Annotated[
        int | None, typer.Option(min=1, help="Process that serves there now: take over from it, and let it finish.")
    ] = None,
    workers: Annotated[
        str | None,
        typer.Option(
            metavar="N|auto",
            callback=_workers,
            help="Processes that serve the port together (auto: one for each processor); wins over the configuration.",
        ),
    ] = None,
    member: Annotated[int | None, typer.Option(hidden=True, help="The line to the supervisor of a worker.")] = None,
) -> None:
    """Serve on 127.0.0.1:3456 (or as configured) until interrupted."""
    import gc

    gc.disable()  # what the imports make is there to stay: `serve` freezes it, and collects again from then on
    from core import starting
    from core.errors import ConfigError

    count = int(workers) if workers and workers.isdecimal() else workers
    try:
        code = starting.serve(starting.Command(config, plugins, taxonomy, host, port, count), replace, member)
    except ConfigError as exc:
        refuse(exc)
    raise typer.Exit(code)


@app.command()
def check(config: Config = None, plugins: Plugins = None, taxonomy: Taxonomy = None, as_json: Json = False) -> None:
    """Check configuration, rules and taxonomy; prints all mistakes at once."""
    from core import settings
    from core.errors import ConfigError

    problems: list[Problem] = []
    try:
        loaded = settings.load(config, settings.environ(), plugins=plugins, taxonomy=taxonomy)
    except ConfigError as exc:
        problems, code, summary = exc.problems, EXIT_CONFIG, {}
    else:
        generation = build_generation(loaded)
        problems = [*loaded.warnings, *generation.snapshot.problems]
        code = EXIT_FAILURE if generation.snapshot.problems else 0
        summary = {
            "snapshot": generation.snapshot.id,
            "targets": len(generation.snapshot.targets),
            "rules": len(generation.snapshot.rules.rules),
            "concepts": len(generation.snapshot.taxonomy.concepts),
        }
    if as_json:
        print_json({**summary, "problems": [vars(problem) for problem in problems]})
    else:
        for problem in problems:
            print(problem)
        mistakes = f"{len(problems)} mistake{'s' * (len(problems) > 1)}"
        print(", ".join(f"{key} {value}" for key, value in summary.items()) or mistakes)
    raise typer.Exit(code)


@app.command()
def doctor(
    config: Config = None,
    plugins: Plugins = None,
    online: Annotated[bool, typer.Option("--online", help="Ask the providers too, without a key.")] = False,
    fix: Annotated[bool, typer.Option("--fix", help="Make files of ours private again; asks before each.")] = False,
    as_json: Json = False,
) -> None:
    """What is amiss here, and what mends it: keys, clients' variables, port, versions, limits, files, sandbox."""
    from core import cli_doctor, settings

    if fix:
        for done in cli_doctor.mend(config, settings.environ(), lambda path: typer.confirm(f"{path}: for you alone?")):
            print(done, file=sys.stderr)
    report = cli_doctor.examine(config, settings.environ(), plugins=plugins, online=online)
    if as_json:
        print_json(report)
    else:
        print(cli_doctor.text(report))
    raise typer.Exit(cli_doctor.exit_code(report))


@app.command()
def explain(
    what: Annotated[
        str,
        typer.Argument(
            metavar="FILE|RECORD",
            help="A request body (JSON), - for standard input, or the id of a request on record.",
            autocompletion=cli_complete.requests,
        ),
    ],
    *,
    config: Config = None,
    plugins: Plugins = None,
    taxonomy: Taxonomy = None,
    dialect: Annotated[str, typer.Option(help="anthropic, openai or openai-responses; found out when left out.")] = "",
    key: Annotated[str, typer.Option(help="Name of the client's key that the request would carry.")] = "",
    session: Annotated[
        str, typer.Option(help="The session so far: the `session` of the rules' request, as JSON.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Show where a request would go or went, and why; calls nobody."""
    from core import cli_explain

    if cli_explain.is_record(what):
        if dialect or key or session:
            print("error: --dialect, --key and --session: a request on record has its own", file=sys.stderr)
            raise typer.Exit(EXIT_USAGE)
        answer = cli_explain.recorded(load_config(config, plugins, taxonomy), what)
    else:
        body = sys.stdin.buffer.read() if what == "-" else read_file(Path(what))
        loaded = load_config(config, plugins, taxonomy)
        if key and key not in (names := [each.name for each in loaded.settings.server.keys]):
            print(f"error: no client's key is named {key!r}; there are: {', '.join(names) or 'none'}", file=sys.stderr)
            raise typer.Exit(EXIT_USAGE)
        try:
            remembered = cli_explain.session_of(session, time.time_ns() // 1_000_000)
        except ValueError as exc:
            print(f"error: --session: {exc}", file=sys.stderr)
            raise typer.Exit(EXIT_USAGE) from None
        answer = cli_explain.explain(build_generation(loaded), body, dialect, key, remembered)
    if as_json:
        print_json(answer)
    else:
        print(cli_explain.text(answer))
    raise typer.Exit(EXIT_FAILURE if "refusal" in answer.get("decision", {}) or "error" in answer else 0)


@app.command()
def transformers(as_json: Json = False) -> None:
    """List the transformers that a provider or a model may name, with what they touch and their options."""
    from core import cli_transformers

    rows = cli_transformers.rows()
    if as_json:
        print_json(rows)
    else:
        print(cli_transformers.text(rows))


@app.command()
def usage(
    config: Config = None,
    by: Annotated[str, typer.Option("--by", help="key, model, provider or day.")] = "key",
    since: Annotated[str, typer.Option("--since", help="First day (UTC), YYYY-MM-DD; the month's first.")] = "",
    until: Annotated[str, typer.Option("--until", help="Last day (UTC), YYYY-MM-DD; today.")] = "",
    as_json: Json = False,
) -> None:
    """What was used and what it cost, from the usage records; also while the proxy runs."""
    from core import cli_usage, settings

    found = cli_usage.report(load_config(config).settings, settings.environ(), by, since, until)
    if as_json:
        print_json(found)
    else:
        print(cli_usage.text(found))


@taxonomy_app.command("lint")
def taxonomy_lint(config: Config = None, taxonomy: Taxonomy = None, as_json: Json = False) -> None:
    """Shadowed, colliding, too short, generic and duplicate patterns, unknown and missing routes, missing examples."""
    from core.rolegraph import load_taxonomy
    from core.shown_taxonomy import findings as lint

    config_in_force = load_config(config, None, taxonomy).settings
    found = load_taxonomy(config_in_force.taxonomy.dir or Path())
    findings = lint(found, config_in_force)
    if as_json:
        print_json([vars(finding) for finding in findings])
    else:
        for finding in findings:
            print(finding)
        print(f"{len(found.concepts)} files, {len(findings)} findings")
    raise typer.Exit(EXIT_FAILURE if findings else 0)


@taxonomy_app.command("test")
def taxonomy_test(config: Config = None, taxonomy: Taxonomy = None, as_json: Json = False) -> None:
    """Run every `example::` (must route here) and `not::` (must not) of the taxonomy."""
    from core.rolegraph import load_taxonomy, test_report

    loaded = load_config(config, None, taxonomy)
    found = load_taxonomy(loaded.settings.taxonomy.dir or Path())
    if not found.concepts:  # nothing was tested, which is no success
        for problem in found.problems or [f"{loaded.settings.taxonomy.dir}: no concept in this folder"]:
            print(f"error: {problem}", file=sys.stderr)
        raise typer.Exit(EXIT_FAILURE)
    report = test_report(found)
    if as_json:
        print_json({"checked": report.checked, "failures": [vars(failure) for failure in report.failures]})
    else:
        for failure in report.failures:
            print(failure)
        print(f"{report.checked - len(report.failures)} passed, {len(report.failures)} failed")
    raise typer.Exit(EXIT_FAILURE if report.failures else 0)


@config_app.command("path")
def config_show_path(config: Config = None) -> None:
    """Which configuration file would be used."""
    from core import settings

    found = settings.config_path(config, settings.environ())
    print(found or "none: the embedded default")


@config_app.command("show")
def config_show(config: Config = None, plugins: Plugins = None, taxonomy: Taxonomy = None) -> None:
    """The whole configuration in force, defaults included, without secrets (JSON)."""
    print_json(load_config(config, plugins, taxonomy).settings.model_dump(mode="json"))


if __name__ == "__main__":
    main()
