"""Starts Python processes that can do little, and limits them from within.

A child gets `-I` (nothing is imported from the current directory or the user's site), no environment, `/` as its
folder, its input on stdin, and answers on stdout.
"""

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from wasm_host import abi

#: `-I -m` would not find a package that runs from a source tree, so the child is told where this one is.
_BOOT: Final = (
    "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); "
    "runpy.run_module(sys.argv.pop(1), alter_sys=True, run_name='__main__')"
)
_ROOT: Final = str(Path(__file__).resolve().parent.parent)


class Finished(NamedTuple):
    """How a child ended. `status` is negative for a signal, None if it was killed after its time."""

    status: int | None
    stdout: bytes
    stderr: str

    @property
    def reason(self) -> str:
        """Why it gave no answer: `cpu`, `memory`, `time` or `crash`."""
        if self.status is None:
            return "time"
        if self.status in (-signal.SIGXCPU, -signal.SIGKILL):
            return "cpu"
        return "memory" if "memory" in self.stderr.lower() else "crash"


def command(module: str, args: Sequence[str]) -> list[str]:
    """The command line of `python -m module args` in a process that imports nothing from where it stands."""
    return [sys.executable, "-I", "-c", _BOOT, _ROOT, module, *args]


def run(module: str, args: Sequence[str], stdin: bytes, *, timeout_s: float) -> Finished:
    """Run `python -m module args` as described above, and wait for it."""
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and module
            command(module, args), input=stdin, capture_output=True, env={}, cwd="/", timeout=timeout_s, check=False,
            start_new_session=True,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Finished(None, b"", "")
    return Finished(done.returncode, done.stdout, done.stderr[-4000:].decode(errors="replace"))


def start_worker(connection: int, page: int, verdict: str) -> "subprocess.Popen[bytes]":
    """Start `worker` with these two descriptors, its end of a socket and a board's page. `OSError` if it cannot be.

    `verdict` is what an earlier worker found out about the way to the engine, or empty.
    """
    return subprocess.Popen(  # noqa: S603 - our own interpreter and module
        command("wasm_host.worker", [str(connection), str(page), verdict]), pass_fds=(connection, page), env={},
        cwd="/", start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip


def restrain(*, memory: int, cpu_s: int, niceness: int = 0) -> None:
    """Limit this process for good: address space in bytes, CPU seconds; no core file."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    allow_cpu(cpu_s)
    os.nice(niceness)


def allow_cpu(seconds: int) -> None:
    """Set the CPU limit of this process; it can be raised up to the most that compiling may take."""
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, abi.COMPILE_CPU_MAX + 1))
