"""A program that is forked is the one that a user starts."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import forks
import msgspec
import pytest
from command import Cli
from forks import Server
from proxy import PATIENCE_S, running


@pytest.fixture
def server() -> Iterator[Server]:
    own = Server()
    yield own
    own.close()


@pytest.fixture
def nowhere() -> Iterator[tuple[int, int, int]]:
    """Streams that say nothing and hear nothing."""
    nothing = os.open(os.devnull, os.O_RDWR)
    yield (nothing, nothing, nothing)
    os.close(nothing)


def test_it_says_what_a_fresh_one_says(clean_env: dict[str, str], tmp_path: Path) -> None:
    forked, fresh = Cli(clean_env, tmp_path), Cli(clean_env, tmp_path, fresh=True)
    for args in (["config", "show"], ["serve", "--nonsense"], ["explain", "-", "--json"], ["config", "path"], []):
        assert forked(*args, stdin=b"{}") == fresh(*args, stdin=b"{}"), args


def test_one_knows_nothing_of_another(clean_env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[server]\nport = 1\n")
    (tmp_path / "below").mkdir()
    told = Cli({**clean_env, "TERRAPHIM_CONFIG": "config.toml"}, tmp_path)
    assert told("config", "path")[1] == "config.toml\n"
    assert Cli(clean_env, tmp_path / "below")("config", "path")[1] == "none: the embedded default\n"
    assert told("config", "path", "--config", "below")[1] == "below\n"


def test_the_machines_environment_is_not_there(
    server: Server, clean_env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERRAPHIM_SERVER__PORT", "1")  # before the server starts
    monkeypatch.setattr(forks, "current", server)
    cli = Cli(clean_env, tmp_path)
    assert _port(cli) == 3456
    cli.env["TERRAPHIM_SERVER__PORT"] = "2"
    assert _port(cli) == 2


def _port(cli: Cli) -> int:
    return int(msgspec.json.decode(cli("config", "show")[1])["server"]["port"])


def test_how_it_ended_is_known_and_a_signal_to_the_dead_is_none(clean_env: dict[str, str]) -> None:
    with running(clean_env) as proxy:
        assert proxy.process.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            proxy.process.wait(0.01)
        proxy.process.send_signal(signal.SIGKILL)
        assert proxy.process.wait(PATIENCE_S) == -signal.SIGKILL
        proxy.process.terminate()
        assert proxy.process.poll() == proxy.process.returncode == -signal.SIGKILL


def test_an_interrupt_is_heard(clean_env: dict[str, str]) -> None:
    with running(clean_env) as proxy:
        proxy.process.send_signal(signal.SIGINT)
        assert proxy.process.wait(PATIENCE_S) == 0


def test_nothing_outlives_the_server(
    server: Server, clean_env: dict[str, str], tmp_path: Path, nowhere: tuple[int, int, int]
) -> None:
    program = server.start(["serve", "--port", "0"], env=clean_env, cwd=tmp_path, streams=nowhere)
    assert program.poll() is None
    server.close()
    deadline = time.monotonic() + PATIENCE_S
    while Path(f"/proc/{program.pid}/cmdline").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not Path(f"/proc/{program.pid}/cmdline").exists()


def test_a_server_that_is_gone_is_told(
    server: Server, clean_env: dict[str, str], tmp_path: Path, nowhere: tuple[int, int, int]
) -> None:
    server.start(["config", "path"], env=clean_env, cwd=tmp_path, streams=nowhere).wait(PATIENCE_S)
    assert server._process is not None
    server._process.kill()
    with pytest.raises((RuntimeError, OSError)):
        server.start(["config", "path"], env=clean_env, cwd=tmp_path, streams=nowhere)


def test_without_a_server_programs_are_started_afresh(
    clean_env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forks, "current", None)
    assert Cli(clean_env, tmp_path)("config", "path") == (0, "none: the embedded default\n", "")
    with running(clean_env) as proxy:
        assert isinstance(proxy.process, subprocess.Popen)
