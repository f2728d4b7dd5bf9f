"""The process that a rolling restart replaces: who it is, and how it is told to leave."""

import os
import signal
import socket
from contextlib import suppress
from pathlib import Path

#: What the kernel calls a process that serves; 15 characters is the most that it keeps.
NAME = "terraphim-proxy"
_PROC = Path("/proc")


class NotReplaceableError(Exception):
    """Why this process cannot be replaced, for the operator."""


def name_process(name: str = NAME) -> None:
    """Call this process `terraphim-proxy` for `ps`, `pgrep` and a successor, however it was started."""
    with suppress(OSError):  # no Linux
        (_PROC / "self" / "comm").write_text(name)


class Predecessor:
    """A `terraphim-proxy serve` of this user. NotReplaceableError if it is anything else, or is being replaced.

    The process is held by a descriptor, so that a number that is used anew cannot be taken for it. Keep the block open
    as long as the successor lives: two successors would share the port without an end.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        try:
            self._process = os.pidfd_open(pid)
        except (OSError, AttributeError, OverflowError) as exc:
            raise NotReplaceableError(f"there is no process {pid}: {exc}") from None
        try:
            self._judge(pid)
        except NotReplaceableError:
            os.close(self._process)
            raise

    def _judge(self, pid: int) -> None:
        if pid == os.getpid() or not _serves(pid):
            raise NotReplaceableError(f"process {pid} is no `terraphim-proxy serve`; find it with: pgrep {NAME}")
        if _user(pid) != os.geteuid():
            raise NotReplaceableError(f"process {pid} belongs to another user; only its own may replace it")
        self._claim = socket.socket(socket.AF_UNIX)
        try:
            self._claim.bind(f"\0{NAME}/replaces/{pid}")
        except OSError:
            self._claim.close()
            raise NotReplaceableError(f"process {pid} is being replaced already") from None

    @property
    def descriptor(self) -> int:
        """Readable when it has ended."""
        return self._process

    def leave(self) -> None:
        """Tell it to finish what it has."""
        with suppress(ProcessLookupError):  # it has gone by itself
            signal.pidfd_send_signal(self._process, signal.SIGTERM)

    def __enter__(self) -> "Predecessor":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._process)
        self._claim.close()


def _serves(pid: int) -> bool:
    try:
        name = (_PROC / str(pid) / "comm").read_text().rstrip("\n")
        return name == NAME and b"serve" in (_PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return False


def _user(pid: int) -> int:
    """The effective user, from a file that everybody may read; -1 if it has gone."""
    with suppress(OSError, StopIteration):
        lines = (_PROC / str(pid) / "status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("Uid:")).split()[2])
    return -1
