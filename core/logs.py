"""The log: one JSON object a line on stderr, written by a thread of its own.

A full pipe must not stop the proxy, so the queue is bounded: what does not fit is dropped and counted.
"""

import logging
import queue
import sys
import threading
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TextIO

import msgspec

_CLOSE = object()


class LogWriter:
    """Writes lines in order; `dropped` counts those that found the queue full."""

    def __init__(self, stream: TextIO | None = None, *, now: Callable[[], datetime] | None = None, size: int = 10_000):
        self._stream = stream or sys.stderr
        self._now = now or (lambda: datetime.now(UTC))
        self._queue: queue.Queue[object] = queue.Queue(maxsize=size)
        self._thread = threading.Thread(target=self._write, name="log", daemon=True)
        self.dropped = 0
        self._thread.start()

    def log(self, fields: dict[str, object], level: str = "info") -> None:
        """Queue one line. Never waits, never raises."""
        try:
            self._queue.put_nowait({"time": self._now(), "level": level, **fields})
        except queue.Full:
            self.dropped += 1

    def _write(self) -> None:
        while (item := self._queue.get()) is not _CLOSE:
            try:
                # msgspec escapes control characters, so no value can fake a line of its own.
                self._stream.write(msgspec.json.encode(item, enc_hook=str).decode() + "\n")
                if self._queue.empty():
                    self._stream.flush()
            except (OSError, ValueError):
                self.dropped += 1

    def close(self) -> None:
        """Write what is queued and stop; gives up after a second if nobody reads."""
        try:
            self._queue.put(_CLOSE, timeout=1)
        except queue.Full:
            return
        self._thread.join(timeout=1)


class _Library(logging.Handler):
    """What libraries log, as lines of ours. Of an exception its type and place: its message may hold a user's words."""

    def __init__(self, log: LogWriter) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        said = str(record.msg).partition("\n")[0][:200]  # not its arguments, nor asyncio's second line
        fields: dict[str, object] = {"event": "library", "logger": record.name, "message": said}
        if record.exc_info and record.exc_info[0]:
            fields["type"] = record.exc_info[0].__name__
            fields["where"] = "".join(traceback.format_tb(record.exc_info[2], limit=-4))
        self._log.log(fields, record.levelname.lower())


def take_over(log: LogWriter) -> None:
    """Send the warnings and errors of all libraries to `log`: theirs would be plain text between its lines."""
    logging.getLogger().handlers[:] = [_Library(log)]
