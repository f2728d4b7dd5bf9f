"""docs/commands.md names every command once, with its options, and the exit codes; request headers have a line each."""

import re
from collections.abc import Iterator
from typing import Any

import typer
from documents import DOCS, codes, keys, table
from facts import ROOT

from core import cli, cli_common, cli_run
from core.identity import SESSION_HEADERS

COMMANDS = DOCS / "commands.md"


def commands(group: Any = None, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(name, command) of all that can be run, as typer knows them."""
    root: Any = group or typer.main.get_command(cli.app)
    for name, command in root.commands.items():
        inner = getattr(command, "commands", None)
        if not inner or command.invoke_without_command:
            yield f"{prefix}{name}", command
        if inner:
            yield from commands(command, f"{prefix}{name} ")


def options(command: Any) -> list[str]:
    """As they are written, in the order of `--help`."""
    return [
        name
        for parameter in command.params
        if parameter.param_type_name == "option" and not parameter.hidden
        for name in (*parameter.opts, *parameter.secondary_opts)
        if name != "--help"
    ]


def test_every_command_is_documented_once_with_its_options() -> None:
    rows = table(COMMANDS, "command")
    documented = {row[0].strip("`"): codes(row[2]) for row in rows}
    assert len(documented) == len(rows)
    assert documented == {name: options(command) for name, command in commands()}


def test_the_programs_own_options_are_documented() -> None:
    rows = table(COMMANDS, "option of `terraphim-proxy`")
    assert [code for row in rows for code in codes(row[0])] == options(typer.main.get_command(cli.app))


def test_every_command_and_every_option_says_what_it_is() -> None:
    silent = [name for name, command in commands() if not command.help]
    for name, command in commands():
        silent += [f"{name} {each.name}" for each in command.params if not getattr(each, "help", None)]
    assert silent == []


def test_exit_codes_are_documented() -> None:
    documented = [int(code) for row in table(COMMANDS, "exit code") for code in row[0].split(", ")]
    known = [0, cli_common.EXIT_FAILURE, cli_common.EXIT_USAGE, cli_common.EXIT_CONFIG]
    assert documented == [*known, cli_run.EXIT_NOT_RUNNABLE, cli_run.EXIT_NOT_FOUND]


def test_what_prints_data_prints_json() -> None:
    """These print nothing, JSON anyway, text for a shell or another program, or what another program says."""
    others = {"serve", "run", "rules new", "rules dev", "records show", "records export"}
    others |= {"config rollback", "config path", "config show", "statusline"}
    assert {name for name, command in commands() if "--json" not in options(command)} == others


#: Where a client's headers are read; `headers` is another's elsewhere.
READERS = (
    "identity", "features", "edge", "admin_door", "client_address", "client_body", "models", "explain/__init__", "app",
    "web/door", "web/static", "web/site",
)  # fmt: skip


def test_every_request_header_that_is_read_is_documented_once() -> None:
    sources = [path for name in READERS if (path := ROOT / "core" / f"{name}.py").exists()]
    text = "\n".join(path.read_text() for path in sources)
    named = re.findall(r'headers\.get\(\s*"([a-z0-9_-]+)"', text) + re.findall(
        r'"([a-z0-9-]+)" in (?:\w+\.)?headers', text
    )
    documented = keys(DOCS / "operations.md", "request header")
    assert len(documented) == len(set(documented))
    assert set(documented) == {*named, *SESSION_HEADERS}
