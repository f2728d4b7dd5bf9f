"""The log: one line an event on stderr, JSON or for people, written by a thread of its own.

`log_chain` makes the lines; this is the sink behind it. A full pipe must not stop the proxy, so the queue is bounded,
in lines and in bytes: what does not fit is dropped and counted, and the log says so when it flows again. Lines are
finished and written together, for waking the thread costs a request more than its line does.
"""

import logging
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from io import FileIO
from queue import SimpleQueue
from types import TracebackType
from typing import Protocol

from core import log_chain
from core.log_chain import LEVELS, Finish, Terminal
from core.redaction import Redactor
from core.schema_observe import LogSettings

_CLOSE = b""
#: Lines are written together, up to about so many bytes: one call for many when they come fast.
BATCH = 64 * 1024
#: Lines that come within so many seconds are written together; an error's line waits for nothing.
TOGETHER_S = 0.02
_URGENT = frozenset(LEVELS[LEVELS.index("error") :])
#: Seconds until a full descriptor that does not block is tried again.
AGAIN_S = 0.02


class Writable(Protocol):
    """What a log is written to."""

    def write(self, data: memoryview, /) -> int | None:
        """How many bytes it took; None if it would have to wait, and does not."""
        ...


class LogWriter:
    """Writes lines in order; `dropped` counts those that found no room or could not be written.

    A line is encoded by whoever logs it, so that what waits is counted in bytes, and finished by the thread. It writes
    to the descriptor itself: Python's own stderr has a lock, which nobody may hold for ever when the process ends.
    """

    def __init__(
        self,
        stream: Writable | None = None,
        *,
        now: Callable[[], datetime] | None = None,
        terminal: Terminal = Terminal(),  # noqa: B008  # a value
        lines: int = 10_000,
        size: int = 16 * 1024 * 1024,
    ):
        self._stream: Writable = stream or FileIO(sys.stderr.fileno(), "w", closefd=False)
        self._front = log_chain.Front(now or (lambda: datetime.now(UTC)))
        self._terminal = terminal
        self._known: tuple[Redactor, ...] = ()
        self._always: tuple[Redactor, ...] = ()
        self.use(LogSettings(), None)
        self._room = threading.Lock()
        self._lines, self._size = lines, size  # left of each
        self._queue: SimpleQueue[bytes] = SimpleQueue()
        #: Somebody cannot wait for what comes together.
        self._urgent = threading.Event()
        self._more = False  # more waits than was taken last
        self._thread = threading.Thread(target=self._write, name="log", daemon=True)
        self.dropped = 0
        self._thread.start()

    def use(self, settings: LogSettings, known: Redactor | None) -> None:
        """These from now on. What was secret before is still taken out: requests of that time are under way."""
        console = settings.format == "console" or (settings.format == "auto" and self._terminal.here)
        if known is not None and known not in self._known:
            self._known = (known, *self._known[:1])
        self._console = console
        self._refinish()
        self._silent = frozenset(LEVELS[: LEVELS.index(settings.level)])

    def _refinish(self) -> None:
        known = (*self._always, *self._known)
        self._finish = Finish(known, console=self._console, colours=self._terminal.colours)

    def hide(self, secrets: Iterable[str]) -> None:
        """These are taken out, whatever the configuration says later on."""
        self._always = (Redactor(secrets),)
        self._refinish()

    def log(self, fields: dict[str, object], level: str = "info") -> None:
        """Queue one line, unless its level is below the configured one. Never waits, never raises."""
        if level in self._silent:
            return
        line = self._front.line(fields, level)
        with self._room:
            if not self._lines or len(line) > self._size:
                self.dropped += 1
                return
            self._lines -= 1
            self._size -= len(line)
        self._queue.put(line)
        if level in _URGENT:
            self._urgent.set()

    def _write(self) -> None:
        told, ended = 0, False
        while not ended:
            lines, ended = self._taken()
            try:
                self._write_all(self._finished(lines))
                if told < (dropped := self.dropped):
                    told, missing = dropped, dropped - told
                    said = self._front.line({"event": "log_dropped", "lines": missing}, "warning")
                    self._write_all(self._finish(said))
            except (OSError, ValueError):
                with self._room:
                    self.dropped += len(lines)

    def _finished(self, lines: list[bytes]) -> bytes:
        try:
            return self._finish.together(lines)
        except Exception:  # noqa: BLE001  # the thread must not end, whatever a line holds
            return b"".join(map(self._alone, lines))

    def _alone(self, line: bytes) -> bytes:
        try:
            return self._finish(line)
        except Exception:  # noqa: BLE001  # this is the one
            with self._room:
                self.dropped += 1
            return b""

    def _taken(self) -> tuple[list[bytes], bool]:
        """What waits, up to `BATCH` bytes, and whether it is the last; waits for the first, and for what comes soon."""
        lines: list[bytes] = []
        size, line = 0, self._queue.get()
        if line is not _CLOSE and not self._more:
            self._urgent.wait(TOGETHER_S)
        self._urgent.clear()
        self._more = False
        while line is not _CLOSE:
            lines.append(line)
            size += len(line)
            self._more = size >= BATCH
            if self._more or self._queue.empty():
                break
            line = self._queue.get()
        with self._room:
            self._lines += len(lines)
            self._size += size
        return lines, line is _CLOSE

    def _write_all(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            if (taken := self._stream.write(rest)) is None:  # others who have the descriptor may have set it so
                time.sleep(AGAIN_S)
            else:
                rest = rest[taken:]

    def close(self) -> None:
        """Write what is queued and stop; gives up after a second if nobody reads."""
        self._queue.put(_CLOSE)
        self._urgent.set()
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
    """Send the warnings and errors of all libraries to `log`, and what nobody caught: they would be plain text between
    its lines, with messages that may hold anything.
    """
    logging.getLogger().handlers = [_Library(log)]
    threading.excepthook = lambda failed: _unhandled(log, failed.exc_type, failed.exc_traceback)
    sys.unraisablehook = lambda failed: _unhandled(log, failed.exc_type, failed.exc_traceback)


def _unhandled(log: LogWriter, kind: type[BaseException], trace: TracebackType | None) -> None:
    """What nobody caught, in a thread or while something was taken down."""
    if kind is not SystemExit:
        where = "".join(traceback.format_tb(trace, limit=-4))
        log.log({"event": "bug", "type": kind.__name__, "where": where}, "error")
