"""Processes that write lines to one stream take turns: a pipe takes more than 4 KiB of one in several pieces.

A turn is a record lock on a file that has no name: it belongs to the process, and ends with it.
"""

import fcntl
import os
import sys
import time
from collections.abc import Callable
from io import FileIO

from core.logs import AGAIN_S, Writable


def made() -> int:
    """A descriptor of a file to lock, for the processes that are to share it. OSError if the system has none."""
    return os.memfd_create("terraphim-turns")


class Turns:
    """A stream that takes everything that it is given in one turn. `descriptor` is one of `made`."""

    def __init__(
        self, descriptor: int, stream: Writable | None = None, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._descriptor = descriptor
        self._stream: Writable = stream or FileIO(sys.stderr.fileno(), "w", closefd=False)
        self._sleep = sleep

    def write(self, data: memoryview, /) -> int:
        """All of it; OSError as the stream's own."""
        rest = data
        fcntl.lockf(self._descriptor, fcntl.LOCK_EX)
        try:
            while rest:
                if (taken := self._stream.write(rest)) is None:
                    self._sleep(AGAIN_S)
                else:
                    rest = rest[taken:]
        finally:
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN)
        return len(data)
