"""`run`: a client with the environment that makes it ask this proxy. It takes the place of this process."""

import os
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal, NoReturn

import typer

from core.cli_common import EXIT_FAILURE, EXIT_USAGE, Config, Url, load_config, refuse_with

if TYPE_CHECKING:
    from core.cli_proxy import Address
    from core.client_environment import Change, Kind
    from core.settings import Loaded

#: What shells say for a program that cannot be run, and for one that is not there.
EXIT_NOT_RUNNABLE, EXIT_NOT_FOUND = 126, 127
#: Signals that Python ignores: a client must find them as they were.
_GIVEN_BACK: Final = ("SIGPIPE", "SIGXFSZ")

Client = Annotated[
    list[str] | None, typer.Argument(metavar="PROGRAM [ARGUMENTS]…", help="After --: claude, codex, or any other.")
]
ClientKind = Literal["claude", "codex", "any"]
Shell = Literal["sh", "fish"]


def run(
    client: Client = None,
    *,
    config: Config = None,
    url: Url = "",
    key: Annotated[str, typer.Option(help="Name of the client's key to show; the first of server.keys else.")] = "",
    request_class: Annotated[
        str,
        typer.Option("--class", help="Say of all requests that they are of this class: auxiliary is background work."),
    ] = "",
    kind: Annotated[
        ClientKind | None, typer.Option("--as", help="Which client it is, if its name does not tell.")
    ] = None,
    serve: Annotated[bool, typer.Option("--serve", help="Start the proxy in the background if none answers.")] = False,
    show: Annotated[
        bool, typer.Option("--print", help="Run nothing: print what a shell evaluates; terraphim_off undoes it.")
    ] = False,
    shell: Annotated[Shell, typer.Option(help="For --print.")] = "sh",
) -> None:
    """Run a client so that it asks this proxy: `run -- claude`. Variables that contradict are left out.

    Standard error names what was changed. The client takes the place of this command: signals and exit code are its.
    """
    from core import settings
    from core.client_environment import Target, changes, kind_of

    command = client or []
    if not command and not show:
        refuse_with("what shall be run? For example: terraphim-proxy run -- claude", EXIT_USAGE)
    loaded, env = load_config(config), settings.environ()
    address = _address(loaded, url)
    secret, expression = _key(loaded, key, shell)
    _answering(address, loaded, env, serve=serve)
    chosen: Kind = kind or kind_of(command[0] if command else "any")
    try:
        changed = changes(env, Target(address.url, address.host, secret), chosen, request_class=request_class)
    except ValueError as exc:
        refuse_with(f"--class: {exc}", EXIT_USAGE)
    given = command[1:]
    more = _arguments(chosen, address, changed, env, given, request_class)
    if show:
        _print(changed, env, shell, expression, more)
        return
    _say(changed, more, address)
    after = {**env, **{name: value for name, value in changed if value is not None}}
    for name in (name for name, value in changed if value is None):
        after.pop(name, None)
    _become([command[0], *more, *given], after)


def _address(loaded: "Loaded", url: str) -> "Address":
    from core.cli_proxy import listening_at, parse

    if not url:
        return listening_at(loaded.settings.server.host, loaded.settings.server.port)
    try:
        return parse(url)
    except ValueError as exc:
        refuse_with(f"--url: {url!r}: {exc}", EXIT_USAGE)


def _key(loaded: "Loaded", name: str, shell: str) -> tuple[str, str]:
    """The key that the client shows, and how a shell finds it."""
    from core.client_environment import NO_KEY
    from core.credentials import placed

    entries = loaded.settings.server.keys
    entry = next((each for each in entries if not name or each.name == name), None)
    if entry is None:
        if name:
            known = ", ".join(each.name for each in entries) or "none"
            refuse_with(f"--key: no client's key is named {name!r}; there are: {known}", EXIT_USAGE)
        return NO_KEY, ""
    secret = next(secret for secret, owner in loaded.secrets.clients.items() if owner == entry.name)
    ref = entry.refs[0]
    if ref.env:
        return secret, f'"${ref.env}"'
    file = shlex.quote(str(placed(ref, loaded.path.parent if loaded.path else Path())))
    return secret, f"(cat {file})" if shell == "fish" else f'"$(cat {file})"'


def _answering(address: "Address", loaded: "Loaded", env: Mapping[str, str], *, serve: bool) -> None:
    """Exit 1 if no proxy of ours answers, and none could be started."""
    from core.cli_background import start
    from core.cli_proxy import NoProxyError, NothingThereError, health

    try:
        told = health(address)
    except NothingThereError as exc:
        if not serve:
            hint = "start it with `terraphim-proxy serve`, or let `run --serve` do it"
            refuse_with(f"no proxy answers at {address.url} ({exc}): {hint}", EXIT_FAILURE)
        try:
            pid, told = start(address, loaded.path and loaded.path.absolute(), env, loaded.state or Path())
        except NoProxyError as failed:
            refuse_with(str(failed), EXIT_FAILURE)
        _tell(f"a proxy serves in the background now, as process {pid} (ends with: kill {pid})")
    except NoProxyError as exc:
        refuse_with(f"{address.url}: {exc}; choose another port with server.port or --url", EXIT_FAILURE)
    if told.get("simulated") is True:
        _tell("answers are SIMULATED: the proxy has no provider's key")


def _arguments(
    kind: str,
    address: "Address",
    changed: "Sequence[Change]",
    env: Mapping[str, str],
    given: Sequence[str],
    request_class: str,
) -> list[str]:
    """What the client must be told on its command line."""
    from core.client_environment import codex_arguments

    if kind == "codex":
        return codex_arguments(address.url, given, request_class=request_class)
    if kind != "claude":
        return []
    from core.cli_clients import claude_files
    from core.client_files import MANAGED, overriding

    after = {**env, **dict(changed)}
    files = claude_files(env, Path.cwd())
    if above := overriding([file for file in files if file.place == str(MANAGED)], after, request_class):
        _tell(f"{MANAGED} sets {', '.join(above)}, and wins over everything: ask who manages this machine")
    if helped := [file.place for file in files if file.key_helper]:
        _tell(f"{', '.join(helped)}: apiKeyHelper makes a key that Claude Code may show instead of the proxy's")
    over = overriding(files, after, request_class)
    if over and any(each == "--settings" or each.startswith("--settings=") for each in given):
        _tell(f"settings files of Claude Code set {', '.join(over)}: take them out of there, they win")
        return []
    return ["--settings", _settings(over, env)] if over else []


def _settings(over: Mapping[str, str], env: Mapping[str, str]) -> str:
    """What `--settings` is given: JSON, or a file of ours where it holds a secret, for everybody on a machine can read
    command lines.
    """
    from hashlib import sha256

    from core.client_files import SETTINGS, holds_secret, settings_argument
    from core.settings import state_dir
    from wasm_host import files

    said = settings_argument(over)
    if not holds_secret(over):
        return said
    file = state_dir(env) / SETTINGS.format(sha256(said.encode()).hexdigest()[:12])
    try:
        files.private_folder(file.parent)
        files.write(file, said.encode(), mode=0o600)
    except OSError as exc:
        refuse_with(f"{file}: {exc.strerror}: Claude Code's settings with the proxy's key cannot be kept there")
    return str(file)


def _tell(text: str) -> None:
    print(f"terraphim-proxy: {text}", file=sys.stderr)


def _say(changed: "Sequence[Change]", more: Sequence[str], address: "Address") -> None:
    """Names only: values may be keys."""
    put = ", ".join(name for name, value in changed if value is not None)
    away = ", ".join(name for name, value in changed if value is None)
    _tell(f"{address.url}; set: {put or 'nothing'}; left out: {away or 'nothing'}")
    if more:
        _tell(f"added to the command line: {', '.join(each for each in more if each.startswith('-'))}")


def _print(
    changed: "Sequence[Change]", env: Mapping[str, str], shell: "Shell", expression: str, more: Sequence[str]
) -> None:
    from core.client_environment import shell_lines

    for line in shell_lines(changed, env, shell, expression):
        print(line)
    if more:
        print(f"# and on its command line: {shlex.join(more)}")


def _become(command: Sequence[str], env: Mapping[str, str]) -> NoReturn:
    """The client takes the place of this process; exit 127 or 126 if it cannot."""
    import signal

    program = shutil.which(command[0], path=env.get("PATH", os.defpath))
    if program is None:
        refuse_with(f"{command[0]}: no such program (looked for in PATH)", EXIT_NOT_FOUND)
    for name in _GIVEN_BACK:
        with suppress(AttributeError, ValueError, OSError):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execve(program, list(command), dict(env))  # noqa: S606  # what the user asked for
    except OSError as exc:
        refuse_with(f"{program}: {exc.strerror}", EXIT_NOT_RUNNABLE)
