import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from core.replacing import NAME, NotReplaceableError, Predecessor

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="SKIPPED: /proc and pidfd of Linux")

#: Called as the argument says; `ready` when it is.
PROGRAM = """\
import os, pathlib, sys, time
pathlib.Path("/proc/self/comm").write_text(sys.argv[1])
if "stranger" in sys.argv:
    os.setuid(65534)
print("ready", flush=True)
time.sleep(60)
"""


@contextmanager
def running(*args: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-I", "-c", PROGRAM, *args]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={}) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def refusal(pid: int) -> str:
    with pytest.raises(NotReplaceableError) as refused:
        Predecessor(pid)
    return str(refused.value)


def test_the_predecessor_is_told_to_leave() -> None:
    with running(NAME, "serve") as process, Predecessor(process.pid) as predecessor:
        predecessor.leave()
        assert process.wait(10) == -15


def test_one_that_has_gone_by_itself_is_no_mistake() -> None:
    with running(NAME, "serve") as process, Predecessor(process.pid) as predecessor:
        process.kill()
        process.wait(10)
        predecessor.leave()


@pytest.mark.parametrize("args", [("terraphim-prox", "serve"), (NAME, "check"), ("python3", NAME)])
def test_other_programs_are_left_alone(args: tuple[str, ...]) -> None:
    with running(*args) as process:
        assert "is no `terraphim-proxy serve`" in refusal(process.pid)
        assert process.poll() is None


def test_nobody_has_two_successors() -> None:
    with running(NAME, "serve") as process:
        with Predecessor(process.pid):
            assert "already" in refusal(process.pid)
        with Predecessor(process.pid):
            pass


@pytest.mark.skipif(os.geteuid() != 0, reason="SKIPPED: needs root")
def test_another_users_is_left_alone() -> None:
    with running(NAME, "serve", "stranger") as process:
        assert "another user" in refusal(process.pid)
        assert process.poll() is None


def test_no_process_at_all() -> None:
    assert "there is no process" in refusal(2**31 - 1)
    assert "there is no process" in refusal(2**63)
    assert "is no `terraphim-proxy serve`" in refusal(os.getpid())
