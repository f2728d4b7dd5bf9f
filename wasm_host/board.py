"""A page of memory on which a worker notes what it is doing, so that its parent can see how long it has been at it.

The worker writes before each call and after each message; the parent reads whenever it likes. A read may be torn, so
the parent acts only on what it has seen twice.
"""

import fcntl
import mmap
import os
import struct
from typing import Final, NamedTuple

_NOTE: Final = struct.Struct("<QQQ")
_IDLE: Final = 2**64 - 1


class Note(NamedTuple):
    """Which call of which ask has run since when (nanoseconds of CLOCK_MONOTONIC)."""

    ask: int
    call: int
    since_ns: int


class Board:
    """One side's view of the page behind a descriptor, which may be closed afterwards."""

    def __init__(self, descriptor: int) -> None:
        self._page = mmap.mmap(descriptor, mmap.PAGESIZE, mmap.MAP_SHARED)

    def write(self, ask: int, call: int, since_ns: int) -> None:
        """This call begins."""
        _NOTE.pack_into(self._page, 0, ask, call, since_ns)

    def idle(self) -> None:
        """Nothing runs."""
        _NOTE.pack_into(self._page, 0, _IDLE, 0, 0)

    def read(self) -> Note | None:
        """What runs, if anything does."""
        note = Note(*_NOTE.unpack_from(self._page, 0))
        return None if note.ask == _IDLE else note

    def close(self) -> None:
        self._page.close()


def make() -> int:
    """A descriptor of a fresh page that says idle."""
    descriptor = os.memfd_create("board", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(descriptor, mmap.PAGESIZE)
    # A worker that could shrink it would end the parent, which reads where nothing is.
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    os.pwrite(descriptor, _NOTE.pack(_IDLE, 0, 0), 0)
    return descriptor
