import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from command import Cli
from proxy import PATIENCE_S, RunningProxy, running

from core import cli_run, client_files
from core.cli_proxy import Address
from core.client_environment import Change

SHOW = "import json, os, sys; print(json.dumps([dict(os.environ), sys.argv[1:]]))"


@pytest.fixture
def cli(clean_env: dict[str, str], tmp_path: Path) -> Cli:
    return Cli(clean_env, tmp_path)


def program(folder: Path, name: str, text: str = SHOW) -> Path:
    """An executable of this name that runs Python."""
    path = folder / name
    path.write_text(f"#!{sys.executable} -I\n{text}\n")
    path.chmod(0o755)
    return path


def shown(out: str) -> tuple[dict[str, str], list[str]]:
    env, arguments = json.loads(out)
    return env, arguments


def test_claude_asks_the_proxy_and_keeps_its_exit_code(cli: Cli, embedded: RunningProxy, tmp_path: Path) -> None:
    cli.env |= {"ANTHROPIC_API_KEY": "sk-real-canary", "CLAUDE_CODE_USE_VERTEX": "1", "MINE": "a=b\n\udcffc"}
    claude = program(tmp_path, "claude", f"{SHOW}; sys.exit(7)")
    code, out, told = cli("run", "--url", embedded.url, "--", claude, "-p", "--config", "x")
    env, arguments = shown(out)
    assert (code, arguments) == (7, ["-p", "--config", "x"])
    assert env.pop("LC_CTYPE", None) in {None, "C.UTF-8"}  # Python's own
    assert env == {name: value for name, value in cli.env.items() if name[:5] not in {"ANTHR", "CLAUD"}} | {
        "ANTHROPIC_BASE_URL": embedded.url,
        "ANTHROPIC_AUTH_TOKEN": "none-needed",
        "CLAUDE_CODE_GATEWAY_HINT_HEADERS": "1",
    }
    assert "left out: ANTHROPIC_API_KEY, CLAUDE_CODE_USE_VERTEX" in told
    assert "SIMULATED" in told
    assert "sk-real-canary" not in told


def test_settings_files_are_answered(cli: Cli, embedded: RunningProxy, tmp_path: Path) -> None:
    claude = program(tmp_path, "claude")
    (tmp_path / ".claude").mkdir()
    settings = {"env": {"ANTHROPIC_BASE_URL": "http://evil.test", "ANTHROPIC_API_KEY": "sk-canary"}}
    (tmp_path / ".claude" / "settings.json").write_text(json.dumps(settings))
    _, out, told = cli("run", "--url", embedded.url, "--", claude, "x")
    _, (flag, value, last) = shown(out)
    assert (flag, last) == ("--settings", "x")
    assert json.loads(value) == {"env": {"ANTHROPIC_BASE_URL": embedded.url, "ANTHROPIC_API_KEY": ""}}
    assert "sk-canary" not in told
    _, out, told = cli("run", "--url", embedded.url, "--", claude, "--settings", "{}")
    assert shown(out)[1] == ["--settings", "{}"]
    assert "set ANTHROPIC_BASE_URL, ANTHROPIC_API_KEY: take them out" in told


def test_codex_is_told_on_its_command_line(cli: Cli, embedded: RunningProxy, tmp_path: Path) -> None:
    _, out, _ = cli("run", "--url", embedded.url, "--class", "auxiliary", "--", program(tmp_path, "codex"), "exec", "x")
    env, arguments = shown(out)
    assert env["TERRAPHIM_KEY"] == "none-needed"
    assert arguments[0] == "-c"
    assert f"{embedded.url}/v1" in arguments[1]
    assert arguments[-2:] == ["exec", "x"]


def test_a_hint_reaches_the_phases(cli: Cli, embedded: RunningProxy, tmp_path: Path) -> None:
    """A program that sends the headers it is told to is a background job then."""
    ask = (
        "import os, urllib.request as u; name, _, value = os.environ['ANTHROPIC_CUSTOM_HEADERS'].partition(': '); "
        "r = u.Request(os.environ['ANTHROPIC_BASE_URL'] + '/v1/messages', "
        """b'{"model": "auto", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}', """
        "{name: value, 'content-type': 'application/json'}); print(u.urlopen(r).headers['x-terraphim-reason'])"
    )
    script = program(tmp_path, "agent", ask)
    assert cli("run", "--url", embedded.url, "--class", "auxiliary", "--", script)[1] == "background\n"


CONFIG = """\
[[server.keys]]
name = "laptop"
key = { env = "LAPTOP" }
[[server.keys]]
name = "ci"
key = { file = "ci.key" }
[providers.anthropic]
dialect = "loopback"
[routing]
default = "anthropic,m"
"""


@pytest.fixture
def keyed(cli: Cli, tmp_path: Path) -> Iterator[RunningProxy]:
    (tmp_path / "config.toml").write_text(CONFIG)
    (tmp_path / "ci.key").write_text("secret-of-ci-01234567\n")
    (tmp_path / "ci.key").chmod(0o600)
    cli.env |= {"LAPTOP": "secret-of-laptop-01", "TERRAPHIM_CONFIG": str(tmp_path / "config.toml")}
    with running(cli.env) as proxy:
        yield proxy


def test_the_clients_key_is_shown_to_the_proxy_and_to_nobody_else(
    cli: Cli, keyed: RunningProxy, tmp_path: Path
) -> None:
    script = program(tmp_path, "agent")
    for more, secret in ((), "secret-of-laptop-01"), (("--key", "ci"), "secret-of-ci-01234567"):
        _, out, told = cli("run", "--url", keyed.url, *more, "--", script)
        env, _ = shown(out)
        assert env["ANTHROPIC_AUTH_TOKEN"] == env["OPENAI_API_KEY"] == secret
        assert "secret-" not in told
        code, out, _ = cli("run", "--url", keyed.url, *more, "--print")
        assert (code, "secret-" in out) == (0, False)
        shell = ["sh", "-c", f'{out}\necho "$ANTHROPIC_AUTH_TOKEN"']
        assert subprocess.run(shell, env=cli.env, capture_output=True, check=True).stdout.decode().strip() == secret
    code, _, told = cli("run", "--url", keyed.url, "--key", "none", "--", script)
    assert (code, "there are: laptop, ci" in told) == (2, True)


def test_a_key_stands_on_no_command_line(cli: Cli, keyed: RunningProxy, tmp_path: Path) -> None:
    """Where a settings file has to be answered with the key: everybody on the machine could read it there."""
    claude = program(tmp_path, "claude")
    (tmp_path / ".claude").mkdir()
    (tmp_path / ".claude" / "settings.json").write_text('{"env": {"ANTHROPIC_AUTH_TOKEN": "sk-canary"}}')
    _, out, told = cli("run", "--url", keyed.url, "--", claude)
    _, (flag, place) = shown(out)
    file = Path(place)
    assert (flag, file.stat().st_mode & 0o777) == ("--settings", 0o600)
    assert json.loads(file.read_text()) == {"env": {"ANTHROPIC_AUTH_TOKEN": "secret-of-laptop-01"}}
    assert "secret-" not in told
    code, out, _ = cli("run", "--url", keyed.url, "--as", "claude", "--print")
    assert (code, place in out, "secret-" in out) == (0, True, False)
    file.chmod(0o644)
    _, told, _ = cli("doctor")
    assert f"chmod 600 {file}" in told
    file.unlink()
    file.parent.rename(tmp_path / "moved")
    file.parent.write_text("no folder")
    code, out, told = cli("run", "--url", keyed.url, "--", claude)
    assert (code, out, str(file) in told) == (1, "", True)


def test_who_manages_the_machine_has_the_last_word(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    managed = tmp_path / "managed.json"
    managed.write_text('{"env": {"ANTHROPIC_BASE_URL": "http://elsewhere.test"}}')
    monkeypatch.setattr(client_files, "MANAGED", managed)
    wanted = [Change("ANTHROPIC_BASE_URL", "http://127.0.0.1:1")]
    cli_run._arguments("claude", Address("127.0.0.1", 1), wanted, cli.env, [], "")
    assert f"{managed} sets ANTHROPIC_BASE_URL" in capsys.readouterr().err


def test_nothing_runs_without_a_proxy(cli: Cli, tmp_path: Path) -> None:
    script = program(tmp_path, "agent")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        code, out, told = cli("run", "--url", f"http://127.0.0.1:{port}", "--serve", "--", script)
        assert (code, out) == (1, "")
        assert "too long" in told
    code, out, told = cli("run", "--url", f"http://127.0.0.1:{port}", "--", script)
    assert (code, out) == (1, "")
    assert "run --serve" in told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [((), "what shall be run"), (("--url", "https://x", "--", "x"), "--url"), (("--as", "x", "--", "y"), "--as"),
     (("--shell", "csh", "--print"), "--shell")],
)  # fmt: skip
def test_wrong_use(cli: Cli, arguments: tuple[str, ...], told: str) -> None:
    code, out, err = cli("run", *arguments)
    assert (code, out) == (2, "")
    assert told in err


def test_a_class_that_is_no_word(cli: Cli, embedded: RunningProxy) -> None:
    code, _, err = cli("run", "--url", embedded.url, "--class", "a\nx-b: c", "--", "true")
    assert (code, "--class" in err) == (2, True)


def test_programs_that_cannot_be_run(cli: Cli, embedded: RunningProxy, tmp_path: Path) -> None:
    assert cli("run", "--url", embedded.url, "--", "no-such-program-here")[0] == 127
    broken = tmp_path / "broken"
    broken.write_bytes(b"\x7fELF nothing")
    broken.chmod(0o755)
    assert cli("run", "--url", embedded.url, "--", broken)[0] == 126


def test_signals_reach_the_client(cli: Cli, embedded: RunningProxy, tmp_path: Path) -> None:
    """It is this very process: nobody stands between, and SIGPIPE is what it was."""
    waits = "import signal, time; print(signal.getsignal(signal.SIGPIPE), flush=True); time.sleep(60)"
    script = tmp_path / "agent"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -I -c "{waits}"\n')
    script.chmod(0o755)
    command = [sys.executable, "-I", "-m", "core.cli", "run", "--url", embedded.url, "--", str(script)]
    with subprocess.Popen(command, env=cli.env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) in {-signal.SIGINT, 1}  # Python's KeyboardInterrupt, as it likes


def test_a_proxy_in_the_background(cli: Cli, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    cli.env["TERRAPHIM_SERVER__PORT"] = str(port)
    script = program(tmp_path, "agent")
    code, out, told = cli("run", "--serve", "--", script)
    pid = int(told.partition("as process ")[2].partition(" ")[0])
    try:
        assert (code, shown(out)[0]["ANTHROPIC_BASE_URL"]) == (0, f"http://127.0.0.1:{port}")
        again = cli("run", "--serve", "--", script)
        assert (again[0], "in the background" in again[2]) == (0, False)
        log = Path(cli.env["HOME"]) / ".local" / "state" / "terraphim-proxy" / "serve.log"
        assert log.stat().st_mode & 0o777 == 0o600
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)


def test_a_proxy_that_cannot_start_says_why(cli: Cli) -> None:
    code, out, told = cli("run", "--serve", "--url", "http://127.0.0.2:1", "--", "true")
    assert (code, out) == (1, "")
    assert "it did not start: error: environment or command line: server.host" in told
