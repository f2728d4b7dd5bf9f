"""The log: one JSON object a line on stderr, written by a thread of its own.

A full pipe must not stop the proxy, so what waits is bounded: what does not fit is dropped and counted. Lines are
written together, a few milliseconds late: waking the thread for each would cost as much as deciding the request.
"""

import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TextIO

import msgspec

#: Seconds for which lines are gathered.
GATHER_S = 0.02


class LogWriter:
    """Writes lines in order; `dropped` counts those that found no room."""

    def __init__(self, stream: TextIO | None = None, *, now: Callable[[], datetime] | None = None, size: int = 10_000):
        self._stream = stream or sys.stderr
        self._now = now or (lambda: datetime.now(UTC))
        self._size = size
        self._waiting: deque[dict[str, object]] = deque()
        self._wake = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self.dropped = 0
        self._thread.start()

    def log(self, fields: dict[str, object], level: str = "info") -> None:
        """Queue one line. Never waits, never raises."""
        if len(self._waiting) >= self._size:
            self.dropped += 1
            return
        self._waiting.append({"time": self._now(), "level": level, **fields})
        if not self._wake.is_set():
            self._wake.set()

    def _run(self) -> None:
        closed = False
        while not closed:
            self._wake.wait()
            if not self._closed:
                time.sleep(GATHER_S)
            self._wake.clear()  # before anything is looked at: what comes from now on wakes again
            closed = self._closed
            self._write()

    def _write(self) -> None:
        lines = [self._line(self._waiting.popleft()) for _ in range(len(self._waiting))]
        try:
            self._stream.write("".join(lines))
            self._stream.flush()
        except (OSError, ValueError):
            self.dropped += len(lines)

    def _line(self, fields: dict[str, object]) -> str:
        """One line; empty for what JSON cannot say."""
        try:
            # msgspec escapes control characters, so no value can fake a line of its own.
            return msgspec.json.encode(fields, enc_hook=str).decode() + "\n"
        except ValueError:
            self.dropped += 1
            return ""

    def close(self) -> None:
        """Write what is queued and stop; gives up after a second if nobody reads."""
        self._closed = True
        self._wake.set()
        self._thread.join(timeout=1)
