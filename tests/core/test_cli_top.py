import fcntl
import json
import os
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from command import Cli
from proxy import PATIENCE_S, RunningProxy
from told import event, telling

from core.cli_admin import Admin
from core.cli_proxy import Address, NoProxyError
from core.cli_top_live import events

TOKEN = "t" * 43
OVERVIEW = {"version": "0.1.0", "snapshot": "a" * 12, "started_ms": 1, "requests": {"total": 7, "errors": 1}}
REQUEST = {"id": "req_1", "at_ms": 1, "requested": "auto", "answered_by": "one,main", "state": "done", "status": 200}
ANSWERS = {"/admin/overview": OVERVIEW, "/admin/requests": {"requests": [REQUEST], "kept": 1}}
TICK = event("tick", {"now_ms": 1000, "in_flight": 2, "requests": 8, "errors": 1})


@pytest.fixture
def cli(clean_env: dict[str, str], tmp_path: Path) -> Cli:
    state = Path(clean_env["HOME"]) / ".local" / "state" / "terraphim-proxy"
    state.mkdir(parents=True, mode=0o700)
    (state / "admin-token").write_text(f"{TOKEN}\n")
    return Cli(clean_env, tmp_path)


def test_one_picture(cli: Cli) -> None:
    with telling(ANSWERS | {"/admin/rules": {"rules": [{"name": "cheap"}]}}) as plane:
        code, out, told = cli("top", "--once", "--url", plane.url)
    assert (code, told) == (0, "")
    assert "one,main" in out
    assert "cheap" in out
    assert "\x1b" not in out
    assert {token for _, token in plane.heard} == {f"Bearer {TOKEN}"}


def test_without_a_terminal_it_is_one_picture(cli: Cli) -> None:
    with telling(ANSWERS) as plane:
        code, out, told = cli("top", "--url", plane.url)
    assert (code, "one,main" in out, told) == (0, True, "no terminal: one picture, as with --once\n")


def test_one_line_of_json(cli: Cli) -> None:
    with telling(ANSWERS) as plane:
        code, out, _ = cli("top", "--once", "--json", "--url", plane.url)
    found = json.loads(out)
    assert (code, found["requests"], found["errors"], out.count("\n")) == (0, 7, 1, 1)


def test_no_proxy_no_token_and_somebody_else(cli: Cli, tmp_path: Path) -> None:
    code, out, told = cli("top", "--once", "--url", "http://127.0.0.1:1")
    assert (code, out, "nobody listens" in told) == (1, "", True)
    code, _, told = cli("top", "--once", "--url", "http://192.0.2.1:1")
    assert (code, "this machine only" in told) == (1, True)
    code, _, told = cli("top", "--once", "--token-file", tmp_path / "none")
    assert (code, "no admin token" in told) == (1, True)
    assert cli("top", "--once", "--url", "x")[0] == 2
    with telling({}) as plane:
        code, _, told = cli("top", "--once", "--url", plane.url)
    assert (code, "404" in told) == (1, True)


def test_lines_until_somebody_ends_it_and_after_a_restart(cli: Cli) -> None:
    """The first feed ends; the next process counts anew."""
    second = event("hello", OVERVIEW | {"started_ms": 2}) + event("tick", {"now_ms": 1, "requests": 3, "errors": 0})
    with telling(ANSWERS, [TICK, second]) as plane:
        command = [sys.executable, "-I", "-m", "core.cli", "top", "--json", "--url", plane.url]
        with subprocess.Popen(command, env=cli.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            lines = [json.loads(process.stdout.readline()) for _ in range(2)]
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE_S) == 0
            assert process.stderr.read() == b""
    assert [line["requests"] for line in lines] == [8, 3]


def test_a_feed_without_sense_is_said_and_not_the_end() -> None:
    deep = b"event: tick\ndata: " + b"[" * 100_000 + b"\n\n"
    for feed in (deep, b"event: tick\ndata: {\n\n", b"data: \xff\n\n"):
        with telling({}, [feed]) as plane, pytest.raises(NoProxyError, match="no proxy of ours"):
            list(events(Admin(Address("127.0.0.1", plane.port), "t")))


def test_a_closed_pipe_ends_it_quietly(cli: Cli) -> None:
    with telling(ANSWERS, [TICK * 2000]) as plane:
        command = [sys.executable, "-I", "-m", "core.cli", "top", "--json", "--url", plane.url]
        with subprocess.Popen(command, env=cli.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.readline()
            process.stdout.close()
            assert process.wait(PATIENCE_S) == 1
            assert process.stderr.read() == b""


@contextmanager
def terminal(cli: Cli, *arguments: str) -> Iterator[tuple[int, subprocess.Popen[bytes], Callable[[str], str]]]:
    """A terminal of 30 lines; `until(text)` gives what was written when this stands in it."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    command = [sys.executable, "-I", "-m", "core.cli", *arguments]
    env = cli.env | {"TERM": "xterm-256color", "NO_COLOR": "1"}
    with subprocess.Popen(
        command, env=env, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as process:
        written = b""

        def until(text: str) -> str:
            nonlocal written
            deadline = time.monotonic() + PATIENCE_S
            while text not in written.decode("utf-8", "replace"):
                if time.monotonic() > deadline:
                    raise AssertionError(f"{text!r} is not in {written[-500:]!r}")
                if select.select([ours], [], [], 0.1)[0]:
                    with suppress(OSError):
                        written += os.read(ours, 65536)
            return written.decode("utf-8", "replace")

        try:
            yield ours, process, until
        finally:
            process.kill()
            os.close(theirs)
            os.close(ours)


def test_live_until_q(cli: Cli) -> None:
    """It draws on a screen of its own, says that the proxy is away, finds it again, and gives the terminal back."""
    with telling(ANSWERS, [event("hello", OVERVIEW) + TICK]) as plane, terminal(cli, "top", "--url", plane.url) as top:
        ours, process, until = top
        until("one,main")
        fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 12, 60, 0, 0))
        os.write(ours, b"xq")
        until("\x1b[?1049l")
        assert process.wait(PATIENCE_S) == 0
        assert termios.tcgetattr(ours)[3] & termios.ICANON  # lines again, with an echo


def test_live_while_the_proxy_is_away(cli: Cli) -> None:
    with terminal(cli, "top", "--url", "http://127.0.0.1:1") as (_, process, until):
        until("nobody listens there")
        process.send_signal(signal.SIGINT)
        until("\x1b[?1049l")
        assert process.wait(PATIENCE_S) == 0


def test_the_real_proxy(cli: Cli, embedded: RunningProxy, session_env: dict[str, str]) -> None:
    body = {"model": "a-name-of-mine", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    httpx.post(f"{embedded.url}/v1/messages", json=body).raise_for_status()
    token = f"{session_env['HOME']}/.local/state/terraphim-proxy/admin-token"
    code, out, _ = cli("top", "--once", "--url", embedded.url, "--token-file", token)
    assert (code, "anthropic,claude-sonnet-4-6" in out, "SIMULATED" in out) == (0, True, True)
    command = [sys.executable, "-I", "-m", "core.cli", "top", "--json", "--url", embedded.url, "--token-file", token]
    with subprocess.Popen(command, env=cli.env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 0
    assert told["requests"] >= 1
