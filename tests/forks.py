"""The program in processes of its own, without the second in which each would import it anew.

A server imports what `serve` needs, once, and forks for every start; the child then runs `core.cli` as
`python -I -m core.cli` does, with the environment, folder and descriptors that it is given. Nothing runs in the server
but this file, and it has no thread, so a child has nothing of anybody else's.
"""

import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import IO, Any, Final

#: A wish is one packet (bytes).
_LARGEST: Final = 1 << 17
_MODULE: Final = "core.cli"


class Fork:
    """A started program, with what a `Popen` has."""

    def __init__(self, server: "Server", pid: int, args: Sequence[str], stderr: IO[str] | None) -> None:
        self.pid, self.args, self.stderr = pid, list(args), stderr
        self.returncode: int | None = None
        self._server, self._process = server, os.pidfd_open(pid)

    def poll(self) -> int | None:
        """How it ended; None if it has not."""
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        """How it ended: the exit status, or the signal below zero. TimeoutExpired if not within so many seconds."""
        ended = self._ended(timeout)
        if ended is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return ended

    def send_signal(self, number: int) -> None:
        """Nothing if it has ended."""
        if self.returncode is None:
            signal.pidfd_send_signal(self._process, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _ended(self, within_s: float | None) -> int | None:
        if self.returncode is None:
            waiting = select.poll()
            waiting.register(self._process, select.POLLIN)
            if waiting.poll(None if within_s is None else within_s * 1000):
                self.returncode = self._server.reap(self.pid)
                os.close(self._process)
        return self.returncode


class Server:
    """What forks, started at the first wish."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def start(
        self,
        args: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path | None,
        streams: tuple[int, int, int],
        stderr: IO[str] | None = None,
    ) -> Fork:
        """`terraphim-proxy args` with these descriptors as its streams; `stderr` reads what it writes there."""
        wish = {"args": list(args), "env": dict(env), "cwd": str(cwd or Path.cwd())}
        return Fork(self, self._ask(wish, streams), args, stderr)

    def reap(self, pid: int) -> int:
        """How a child ended that has: see `Fork.wait`."""
        return self._ask({"reap": pid})

    def close(self) -> None:
        """End it, and all that it forked."""
        with self._lock:
            if self._process is not None:
                self._line.close()
                self._process.wait()
                self._process = None

    def _ask(self, wish: dict[str, Any], streams: Sequence[int] = ()) -> int:
        with self._lock:
            if self._process is None:
                self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                with theirs:
                    # `serve` is what another process looks for before it replaces a proxy.
                    command = [sys.executable, "-I", __file__, "serve", str(theirs.fileno())]
                    self._process = subprocess.Popen(command, env={"LANG": "C.UTF-8"}, pass_fds=[theirs.fileno()])
            socket.send_fds(self._line, [json.dumps(wish).encode()], streams)
            answer = self._line.recv(100)
        if not answer:
            raise RuntimeError("the server of forks has ended")
        return int(answer)


#: Who forks for this process, if anybody does.
current: Server | None = None


@contextmanager
def serving() -> Iterator[Server]:
    """Programs are forked in this block."""
    global current  # noqa: PLW0603 - one for the process, as its children are
    current = Server()
    try:
        yield current
    finally:
        current.close()
        current = None


def _wishes(line: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Forks for each, and returns in the children only: what is to be run, and its three descriptors."""
    children = set[int]()
    while True:
        packet, streams, *_ = socket.recv_fds(line, _LARGEST, 3)
        if not packet:
            for child in children:
                os.kill(child, signal.SIGKILL)
            os._exit(0)
        wish = json.loads(packet)
        if "reap" in wish:
            children.discard(wish["reap"])
            answer = os.waitstatus_to_exitcode(os.waitpid(wish["reap"], 0)[1])
        elif answer := os.fork():
            children.add(answer)
        else:
            return wish, streams
        for stream in streams:
            os.close(stream)
        line.send(b"%d" % answer)


def _become(wish: dict[str, Any], streams: list[int]) -> None:
    """A process as if it had just been started."""
    for place, stream in enumerate(streams):
        os.dup2(stream, place)
        os.close(stream)
    os.environ.clear()
    os.environ.update(wish["env"])
    os.chdir(wish["cwd"])
    sys.argv[1:] = wish["args"]
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _main() -> None:
    import core.cli_complete  # noqa: PLC0415 - what takes long to import, and not `core.cli`, which the child runs
    import core.serving  # noqa: F401, PLC0415

    if len(list(Path("/proc/self/task").iterdir())) != 1:
        raise RuntimeError("an import has started a thread, which no child would have")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever interrupts the tests is heard by them
    gc.freeze()  # a child's collections leave these pages as they are
    with socket.socket(fileno=int(sys.argv[2])) as line:
        wish = _wishes(line)
    _become(*wish)
    runpy.run_module(_MODULE, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _main()
