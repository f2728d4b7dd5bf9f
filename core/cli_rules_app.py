"""`terraphim-proxy rules …`: the commands; what they do is in `cli_rules` and `wasm_host`."""

from pathlib import Path
from typing import Annotated

import typer

from core.cli_common import (
    EXIT_FAILURE,
    Config,
    Json,
    Plugins,
    build_generation,
    cache_folder,
    load_config,
    print_json,
    read_file,
)

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


@rules_app.command("inspect")
def rules_inspect(file: Annotated[Path, typer.Argument(help="A .wasm or .wat file.")], as_json: Json = False) -> None:
    """What a module is: exports, imports, pure or not, sizes, limits; or why it is refused."""
    from core import cli_rules

    facts, ok = cli_rules.inspect(file, cache_folder())
    if as_json:
        print_json(facts)
    else:
        print(cli_rules.pairs(facts))
    raise typer.Exit(0 if ok else EXIT_FAILURE)


@rules_app.command("run")
def rules_run(
    file: Annotated[Path, typer.Argument(help="A .wasm or .wat file.")],
    request: Annotated[Path | None, typer.Option("-i", "--input", help="A request of the ABI (JSON).")] = None,
    as_json: Json = False,
) -> None:
    """Run one rule on one request, in a process of its own: decision, fuel, time, log."""
    from core import cli_rules

    view = read_file(request) if request else b""
    facts, ok = cli_rules.run(file, view, cache_folder())
    if as_json:
        print_json(facts)
    else:
        print(cli_rules.pairs(facts))
    raise typer.Exit(0 if ok else EXIT_FAILURE)
