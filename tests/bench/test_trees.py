"""Process trees, of real processes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench import children, trees

#: Starts a child, prints its pid, and waits; both hold some memory of their own.
PARENT = """
import subprocess, sys, time
held = bytearray(b"x") * 20_000_000
child = subprocess.Popen([sys.executable, "-I", "-S", "-c", sys.argv[1]], stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
time.sleep(60)
"""
#: Ignores what asks it to end.
CHILD = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
held = bytearray(b"x") * 20_000_000
while time.process_time() < 0.2:
    pass
print(flush=True)
time.sleep(60)
"""


@contextmanager
def family(home: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    command = [sys.executable, "-I", "-S", "-c", PARENT, CHILD]
    process = subprocess.Popen(command, env=children.environment(home), stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process, trees.stopped(process):
        yield process, int(process.stdout.readline())


def test_a_tree_is_a_process_with_its_descendants(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trees, "_GRACE_S", 0.1)
    with family(tmp_path) as (process, child):
        assert trees.pids(process.pid) == [process.pid, child]
        assert {process.pid, child} < set(trees.pids(os.getpid()))
        assert trees.cpu_s(process.pid) >= trees.cpu_s(child) >= 0.19
        assert trees.own_pss_mb(child) > 20
        assert trees.pss_mb(process.pid) > 40
    assert process.returncode is not None
    gone = Path(f"/proc/{child}/status")
    assert children.until(lambda: not gone.exists() or "State:\tZ" in gone.read_text(), 10)


def test_who_is_gone_has_nothing() -> None:
    process = subprocess.Popen(["/bin/true"])
    process.wait()
    assert (trees.pids(process.pid), trees.cpu_s(process.pid), trees.pss_mb(process.pid)) == ([], 0, 0)
