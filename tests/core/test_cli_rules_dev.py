"""`rules dev` as an author uses it, beside a proxy that serves."""

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from command import Cli
from proxy import PATIENCE_S, RunningProxy, running

from core.cli_rules_dev import _promoted, interruptible
from core.rollout import Move
from core.state.rollouts import RolloutFile

RULE = """\
(module (memory (export "memory") 5) (data (i32.const 16) "{\\"abstain\\":true,\\"reason\\":\\"REASON\\"}")
  (func (export "rule_v1_alloc") (param i32) (result i32) (i32.const 1024))
  (func (export "rule_v1_route") (param i32 i32) (result i64) (i64.const 0x1000000021)))
"""


@pytest.fixture
def author(tmp_path: Path) -> Path:
    """A folder with a rule that is built by copying it, beside an empty plugins folder."""
    author = tmp_path / "author"
    author.mkdir()
    (tmp_path / "plugins").mkdir()
    (author / "build.sh").write_text("cp rule.txt mine.wat\n")
    (author / "rule.txt").write_text(RULE.replace("REASON", "first"))
    return author


@contextmanager
def developing(env: Mapping[str, str], author: Path) -> Iterator[tuple["subprocess.Popen[str]", Path]]:
    """The command, watching `author`, and the file that it prints to."""
    command = [sys.executable, "-I", "-m", "core.cli", "rules", "dev", str(author)]
    printed = author.parent / "printed"
    with printed.open("w") as output:
        process = subprocess.Popen(
            [*command, "--plugins", str(author.parent / "plugins")],
            env=dict(env),
            stdout=output,
            stderr=output,
            text=True,
        )
    try:
        yield process, printed
    finally:
        process.kill()
        process.wait()


def wait_until(happened: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + 3 * PATIENCE_S
    while time.monotonic() < deadline:
        if found := happened():
            return found
        time.sleep(0.05)
    raise AssertionError(f"never came: {what}")


def in_trace(proxy: RunningProxy, reason: str) -> dict[str, Any] | None:
    body = {"model": "auto", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    answer = httpx.post(f"{proxy.url}/v1/route", json=body, timeout=PATIENCE_S).json()
    return next((step for step in answer["trace"] if step["detail"].get("reason") == reason), None)


def test_an_edit_shows_in_shadow_and_a_broken_one_changes_nothing(
    clean_env: dict[str, str], author: Path, tmp_path: Path
) -> None:
    with (
        running(clean_env, "--plugins", str(tmp_path / "plugins")) as proxy,
        developing(clean_env, author) as (dev, out),
    ):
        step = wait_until(lambda: in_trace(proxy, "first"), "the rule in the proxy")
        assert (step["outcome"], step["detail"]["rule"]) == ("shadow", "mine")
        (author / "rule.txt").write_text("(module")
        wait_until(lambda: "check  FAILED" in out.read_text(), "the failed check")
        assert in_trace(proxy, "first")
        (author / "rule.txt").write_text(RULE.replace("REASON", "other"))
        step = wait_until(lambda: in_trace(proxy, "other"), "the edited rule in the proxy")
        assert step["outcome"] == "shadow"
        dev.send_signal(signal.SIGINT)
        assert dev.wait(PATIENCE_S) == 0
    printed = out.read_text()
    assert "build  ok      sh build.sh" in printed
    assert "the text is not valid" in printed
    assert printed.count(f"{tmp_path}/plugins/mine.wat in shadow mode, sha256 ") == 2
    assert printed.endswith(f"ended; what was swapped stays in {tmp_path}/plugins, in shadow mode\n")
    assert "Traceback" not in printed


def test_a_signal_ends_a_build_that_hangs(clean_env: dict[str, str], author: Path) -> None:
    (author / "build.sh").write_text("touch began; sleep 60\n")
    with developing(clean_env, author) as (dev, out):
        wait_until((author / "began").exists, "the build")
        dev.send_signal(signal.SIGTERM)
        assert dev.wait(PATIENCE_S) == 0
    assert "ended; what was swapped stays" in out.read_text()


def test_an_interrupt_that_got_lost_is_heard_in_the_next_sleep() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        sleep = interruptible()
        sleep(0)
        with contextlib.suppress(KeyboardInterrupt):  # as Python does in a destructor
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            sleep(0)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_what_it_cannot_begin_with_is_said(clean_env: dict[str, str], author: Path) -> None:
    cli = Cli(clean_env, author)
    code, _, err = cli("rules", "dev", "nothing", "--plugins", author.parent / "plugins")
    assert (code, err) == (
        1,
        "error: nothing: there is no such file or folder; make one with: terraphim-proxy rules new\n",
    )
    code, _, err = cli("rules", "dev", ".")
    assert (code, err) == (1, "error: there is no configuration: name the proxy's plugins folder with --plugins\n")


def test_which_modules_were_promoted(tmp_path: Path) -> None:
    file = RolloutFile(tmp_path)

    def to(stage: str) -> Move:
        at = datetime(2026, 11, 23, tzinfo=UTC)
        return Move(rule="r", module="a" * 64, at=at, action="promote", came_from="shadow", to=stage, by="ann")

    seen = [_promoted(tmp_path, "r", "a" * 64)]
    for stage in ("canary 5%", "shadow", "enforce", "configured"):
        file.change(lambda _, stage=stage: to(stage))  # type: ignore[misc]
        seen.append(_promoted(tmp_path, "r", "a" * 64))
    assert seen == [False, True, False, True, False]
    file.change(lambda _: to("enforce"))
    assert not _promoted(tmp_path, "r", "b" * 64)
    assert not _promoted(tmp_path, "q", "a" * 64)
    file.path.write_text("version = 99\n")
    assert not _promoted(tmp_path, "r", "a" * 64)
