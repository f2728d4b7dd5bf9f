"""`top`: the proxy as it works, in a terminal. `q` or Ctrl-C ends it."""

import sys
from contextlib import suppress
from typing import Annotated

import typer

from core.cli_common import EXIT_FAILURE, Config, Json, TokenFile, Url

Once = Annotated[bool, typer.Option("--once", help="Print one picture and end, also where there is no terminal.")]


def top(
    config: Config = None, url: Url = "", token_file: TokenFile = None, once: Once = False, as_json: Json = False
) -> None:
    """Watch requests, targets and rules of the running proxy. With --json a line each second, with --once only one."""
    from core.cli_admin import admin_of
    from core.cli_top_live import watch

    try:
        watch(admin_of(config, url, token_file), once=once, as_json=as_json)
    except KeyboardInterrupt:
        raise typer.Exit from None
    except BrokenPipeError:
        with suppress(OSError):
            sys.stdout.close()
        raise typer.Exit(EXIT_FAILURE) from None
