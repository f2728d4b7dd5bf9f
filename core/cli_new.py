"""`terraphim-proxy rules new`: a folder with a rule in the language of choice."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from core.cli_common import EXIT_FAILURE
from core.cli_rules_app import rules_app


@rules_app.command("new")
def rules_new(
    name: Annotated[str, typer.Argument(help="The rule's name: a-z, 0-9, _ and -.")],
    lang: Annotated[str, typer.Option(help="wat, c, cpp, zig, rust, assemblyscript, go or js.")],
    into: Annotated[Path, typer.Option(help="Where the folder is made.")] = Path(),
) -> None:
    """Make a folder with a rule that works: source, build script, manifest with cases, requests to try it with."""
    from wasm_host import scaffold

    try:
        scaffold.write(into, lang, name)
    except scaffold.Unusable as exc:
        raise typer.BadParameter(str(exc)) from None
    except OSError as exc:
        print(f"error: {exc.filename}: {exc.strerror}; choose another folder with --into", file=sys.stderr)
        raise typer.Exit(EXIT_FAILURE) from None
    chosen, folder = scaffold.LANGUAGES[lang], into / name
    print(
        f"{folder} holds a rule in {chosen.title}: {chosen.source} is yours, README.md explains the rest\n"
        f"  build it:  sh {folder}/build.sh\n"
        f"  test it:   terraphim-proxy rules test {folder}/{name}{chosen.suffix}"
    )
