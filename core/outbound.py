"""A connection's transport as uvicorn sees it, and what its client takes of what it is sent."""

import asyncio
import socket
import struct
from array import array
from collections.abc import Callable
from contextlib import suppress
from fcntl import ioctl
from termios import FIONREAD
from typing import Any


class Outbound(asyncio.Transport):
    """Counts what is written, and leaves closing to the connection. `raw` is the transport itself."""

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None], closing: Callable[[], bool]) -> None:
        super().__init__()
        self.raw = transport
        self._written = 0
        self._taken, self._taken_at = -1, 0.0
        self._write = transport.write
        self.close = close  # type: ignore[method-assign]
        self.is_closing = closing  # type: ignore[method-assign]
        self.pause_reading = transport.pause_reading  # type: ignore[method-assign]
        self.resume_reading = transport.resume_reading  # type: ignore[method-assign]
        self.get_extra_info = transport.get_extra_info  # type: ignore[method-assign]
        self.get_write_buffer_size = transport.get_write_buffer_size  # type: ignore[method-assign]
        self.abort = transport.abort  # type: ignore[method-assign]

    def write(self, data: Any) -> None:
        """As the transport does."""
        self._written += len(data)
        self._write(data)

    def stalled(self, now: float) -> float | None:
        """How many seconds bytes have waited of which the client took none; None if none wait. Ask now and again."""
        waiting = self.get_write_buffer_size()
        if not waiting:
            self._taken = -1
            return None
        taken = self._written - waiting
        if taken != self._taken:
            self._taken, self._taken_at = taken, now
        return now - self._taken_at

    def forget_unsent(self) -> None:
        """Closing resets the connection, and the kernel does not go on offering what nobody takes."""
        with suppress(OSError):
            self.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def has_input(self) -> bool:
        """Whether the kernel has bytes of this connection that nobody has read."""
        there = array("i", [0])
        with suppress(OSError):
            ioctl(self.get_extra_info("socket").fileno(), FIONREAD, there)
        return there[0] > 0
