import json
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from command import Cli
from proxy import RunningProxy
from told import telling

from core import cli_statusline
from core.status_line import short_of

INPUT = json.dumps({"session_id": "abc", "cwd": "/", "model": {"id": "claude-opus", "display_name": "Opus"}}).encode()
SUMMARY = {
    "session": short_of("abc"),
    "answered_by": "one,main",
    "reason": "default",
    "state": "done",
    "cost_micro_usd": 5,
}


@pytest.fixture
def cli(clean_env: dict[str, str], tmp_path: Path) -> Cli:
    state = tmp_path / "state" / "terraphim-proxy"
    state.mkdir(parents=True)
    (state / "admin-token").write_text("t" * 43)
    return Cli(clean_env | {"XDG_STATE_HOME": str(tmp_path / "state")}, tmp_path)


def line(cli: Cli, url: str, *more: str | Path, stdin: bytes = INPUT) -> str:
    cli.env["ANTHROPIC_BASE_URL"] = url
    code, out, told = cli("statusline", "--wait", "15", *more, stdin=stdin)
    assert (code, told, out.count("\n")) == (0, "", 1)
    return out.rstrip("\n")


def test_one_line_of_the_session(cli: Cli) -> None:
    with telling({"/admin/requests": {"requests": [SUMMARY], "kept": 1}}) as plane:
        assert line(cli, plane.url) == "one,main · default · $0"
        assert line(cli, plane.url, stdin=b"{}") == "one,main · default · $0"
        assert line(cli, plane.url, stdin=b'{"session_id": "x"}') == "proxy up, no request of this session yet"
    assert plane.heard[0] == (f"/admin/requests?limit=1000&q=session:{short_of('abc')}", f"Bearer {'t' * 43}")


def test_nobody_and_nonsense(cli: Cli, tmp_path: Path) -> None:
    assert line(cli, "http://127.0.0.1:1") == "proxy down"
    for url in ("https://api.anthropic.com", "nonsense", "http://127.0.0.1:x"):
        assert line(cli, url) == "no proxy of ours at ANTHROPIC_BASE_URL"
    assert "this machine only" in line(cli, "http://192.0.2.1:1"), "the token must not leave the machine"
    answers: list[Any] = [[], {"requests": 1}, {"requests": [1]}, {}]
    for answer in answers:
        with telling({"/admin/requests": answer}) as plane:
            assert line(cli, plane.url) == "no proxy of ours at ANTHROPIC_BASE_URL"
    with telling({}) as plane:
        assert "refuses the admin token (404)" in line(cli, plane.url)
    assert line(cli, "http://127.0.0.1:1", "--token-file", tmp_path / "none").startswith("no admin token")


def test_one_that_says_nothing(cli: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert line(cli, url, "--wait", "0.3") == "proxy down (no answer in 0.3 s)"


def test_input_that_is_closed(cli: Cli) -> None:
    command = f"exec '{sys.executable}' -I -m core.cli statusline --wait 15 --url http://127.0.0.1:1 <&-"
    done = subprocess.run(["sh", "-c", command], env=cli.env, capture_output=True, check=False, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"proxy down\n", b"")


def test_localhost_is_nobody_elses_port(cli: Cli) -> None:
    """A resolver gives `::1`, too: whoever listens there was not judged, and gets no token."""
    with socket.socket(socket.AF_INET6) as theirs:
        try:
            theirs.bind(("::1", 0))
        except OSError:
            pytest.skip("no IPv6 here")
        theirs.listen()
        theirs.setblocking(False)
        assert line(cli, f"http://localhost:{theirs.getsockname()[1]}") == "proxy down"
        with pytest.raises(BlockingIOError):
            theirs.accept()


def test_an_alarm_at_the_last_moment_is_no_fault(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It comes when the line is there already, just before it is switched off."""

    def timer(_: int, seconds: float) -> None:
        if not seconds:
            signal.raise_signal(signal.SIGALRM)

    before = signal.getsignal(signal.SIGALRM)
    monkeypatch.setattr(cli_statusline, "_line", lambda *_: "the line")
    monkeypatch.setattr(signal, "setitimer", timer)
    try:
        cli_statusline.statusline(wait=15)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert capsys.readouterr().out == "the line\n"


def test_input_that_never_ends_is_not_waited_for(cli: Cli) -> None:
    """Bounded in bytes here; in time by the alarm."""
    with telling({"/admin/requests": {"requests": [SUMMARY], "kept": 1}}) as plane:
        assert line(cli, plane.url, stdin=b"x" * (2 << 20)) == "one,main · default · $0"


def test_a_session_of_the_real_proxy(cli: Cli, embedded: RunningProxy, session_env: dict[str, str]) -> None:
    body = {"model": "auto", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    headers = {"x-claude-code-session-id": "abc", "anthropic-version": "2023-06-01"}
    httpx.post(f"{embedded.url}/v1/messages", json=body, headers=headers).raise_for_status()
    cli.env["XDG_STATE_HOME"] = f"{session_env['HOME']}/.local/state"
    shown = line(cli, embedded.url)
    assert shown.startswith("anthropic,claude-sonnet-4-6 · default · $0")
    assert shown.endswith("SIMULATED")
    other = line(cli, embedded.url, stdin=b'{"session_id": "another-one"}')
    assert other == "proxy up, no request of this session yet"
