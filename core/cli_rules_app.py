"""`terraphim-proxy rules …`: the commands; what they do is in `cli_rules` and `wasm_host`."""

from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from core.cli_common import (
    EXIT_FAILURE,
    Config,
    Json,
    Plugins,
    build_generation,
    cache_folder,
    existing,
    load_config,
    print_json,
    read_file,
    refuse_with,
)
from core.cli_progress import Busy

Module = Annotated[Path, typer.Argument(help="A .wasm or .wat file.")]
Request = Annotated[Path | None, typer.Option("-i", "--input", help="A request of the ABI (JSON).")]
ConfigIfAny = Annotated[
    Path | None, typer.Option("--config", help="Apply this configuration's [rules.NAME]; without it, none.")
]

rules_app = typer.Typer(no_args_is_help=True, help="The WebAssembly rules.")


@rules_app.command("list")
def rules_list(config: Config = None, plugins: Plugins = None, as_json: Json = False) -> None:
    """The rules in the order in which they are asked, and the files that were refused."""
    from core import cli_rules

    generation = build_generation(load_config(config, plugins))
    rows, problems, remarks = cli_rules.listing(generation)
    note = cli_rules.hiding(generation)
    if as_json:
        print_json({"rules": rows, "note": note, "problems": [vars(problem) for problem in [*problems, *remarks]]})
    else:
        print(cli_rules.table(rows))
        if note:
            print(f"note: {note}")
        for remark in remarks:
            print(f"note: {remark}")
        for problem in problems:
            print(f"refused: {problem}")
    raise typer.Exit(EXIT_FAILURE if problems else 0)


@rules_app.command("check")
def rules_check(
    path: Annotated[Path, typer.Argument(help="A .wasm or .wat file, or a folder of them.")],
    config: Config = None,
    as_json: Json = False,
) -> None:
    """What is wrong with a rule, and what to do about it: module, manifest, targets, answer to the example."""
    from core import cli_rules
    from wasm_host import checking

    loaded = load_config(config)
    operators, targets = cli_rules.operators(loaded), cli_rules.configured_targets(loaded)
    with Busy("checking rules"):
        findings = checking.check(existing(path), operators, cache=cache_folder(), targets=targets)
    errors = sum(finding.error for finding in findings)
    if as_json:
        print_json({"findings": findings, "errors": errors, "warnings": len(findings) - errors})
    else:
        for finding in findings:
            print(finding)
        print(f"{path}: {errors} errors, {len(findings) - errors} warnings")
    raise typer.Exit(EXIT_FAILURE if errors else 0)


@rules_app.command("inspect")
def rules_inspect(file: Module, config: Config = None, as_json: Json = False) -> None:
    """What a module is: exports, imports, pure or not, sizes, limits; or why it is refused."""
    from core import cli_rules

    _show(cli_rules.inspect(file, cache_folder(), load_config(config)), as_json=as_json)


@rules_app.command("test")
def rules_test(file: Module, config: ConfigIfAny = None, as_json: Json = False) -> None:
    """Run the manifest's cases, hostile requests, and everything a second time: equal bytes, equal fuel."""
    from core import cli_rules
    from wasm_host.preflight import Refusal

    operator = {} if config is None else cli_rules.operators(load_config(config)).get(file.stem, {})
    with Busy("testing the rule"):
        checks = cli_rules.examine(file, cache_folder(), operator)
    if isinstance(checks, Refusal):
        _show((cli_rules.refusal_facts(file, checks), False), as_json=as_json)
        return
    counts = cli_rules.tally(checks)
    if as_json:
        print_json({**counts, "checks": checks})
    else:
        print("\n".join(cli_rules.report_lines(checks)))
        print(f"{file}: {counts['passed']} passed, {counts['failed']} failed")
    raise typer.Exit(EXIT_FAILURE if counts["failed"] else 0)


@rules_app.command("run")
def rules_run(
    file: Module,
    request: Request = None,
    body: Annotated[Path | None, typer.Option(help="Instead of -i, a request as a client sends it (JSON).")] = None,
    config: Config = None,
    grant: Annotated[list[str] | None, typer.Option(help="A field to grant beside the operator's, repeatable.")] = None,
    as_json: Json = False,
) -> None:
    """Run one rule on one request, in a process of its own: decision, fuel, time, log, what it saw."""
    from core import cli_rules

    if request and body:
        raise typer.BadParameter("takes the place of --input: give one of them", param_hint="--body")
    loaded = load_config(config)
    operator = cli_rules.operators(loaded).get(file.stem, {})
    operator["grant"] = [*operator.get("grant", []), *(grant or [])]
    try:
        if body:
            result = cli_rules.run_body(file, read_file(body), cache_folder(), operator, loaded)
        else:
            result = cli_rules.run(file, _view(request), cache_folder(), operator)
    except ValueError as exc:
        refuse_with(f"{request or body}: {exc}")
    _show(result, as_json=as_json)


@rules_app.command("bench")
def rules_bench(
    file: Module,
    request: Request = None,
    config: Config = None,
    calls: Annotated[int, typer.Option(min=1, max=10_000, help="How many calls.")] = 2000,
    as_json: Json = False,
) -> None:
    """How long one rule takes on one request: percentiles of fresh calls, and of round trips to a worker."""
    from core import cli_rules

    operator = cli_rules.operators(load_config(config)).get(file.stem, {})
    try:
        view = _view(request)
    except ValueError as exc:
        refuse_with(f"{request}: {exc}")
    with Busy("measuring the rule"):
        found = cli_rules.bench(file, view, cache_folder(), operator, calls)
    _show(found, as_json=as_json)


def _view(request: Path | None) -> dict[str, Any]:
    from core import cli_rules

    return cli_rules.read_view(read_file(request) if request else b"")


def _show(result: tuple[dict[str, Any], bool], *, as_json: bool) -> NoReturn:
    """Print facts, and exit 0 if they are good."""
    from core import cli_rules

    facts, ok = result
    if as_json:
        print_json(facts)
    else:
        print(cli_rules.pairs(facts))
    raise typer.Exit(0 if ok else EXIT_FAILURE)
