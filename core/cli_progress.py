"""How far a long command is: one line on standard error, if somebody looks at it."""

import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final, TextIO, TypeVar

#: Seconds between two looks of the line.
EVERY_S: Final = 0.2
_CLEAR: Final = "\r\x1b[K"
_T = TypeVar("_T")
_hushed = threading.Event()


def hush() -> None:
    """From now on nothing is shown in this process (`--quiet`)."""
    _hushed.set()


def _looks(file: TextIO) -> bool:
    """Whether somebody looks at it, and wants to."""
    return file.isatty() and not _hushed.is_set()


class Progress:
    """`with Progress("records") as progress: progress.more(200)`; nothing is written to what is no terminal."""

    def __init__(self, things: str, *, file: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._things, self._clock = things, clock
        self._file = sys.stderr if file is None else file
        self._shown = _looks(self._file)
        self._began = self._last = clock()
        self.done = 0

    def more(self, count: int) -> None:
        """So many more are done."""
        self.done += count
        now = self._clock()
        if self._shown and now - self._last >= EVERY_S:
            self._last = now
            print(f"{_CLEAR}{self.done} {self._things}, {self.per_second:.0f}/s", end="", file=self._file, flush=True)

    @property
    def per_second(self) -> float:
        """Of those that are done, since it began."""
        return self.done / max(self._clock() - self._began, 1e-9)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            print(_CLEAR, end="", file=self._file, flush=True)


def counted(items: Iterable[_T], things: str) -> Iterator[_T]:
    """The items, while their number is shown."""
    with Progress(things) as progress:
        for item in items:
            yield item
            progress.more(1)


class Busy:
    """`with Busy("compiling rules"):` for what cannot say how far it is: after a while, for how long it has worked."""

    def __init__(self, what: str, *, file: TextIO | None = None, every_s: float = 0.5) -> None:
        self._what, self._every_s = what, every_s
        self._file = sys.stderr if file is None else file
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> None:
        if _looks(self._file):
            self._thread = threading.Thread(target=self._show, daemon=True)
            self._thread.start()

    def _show(self) -> None:
        began = time.monotonic()
        while not self._over.wait(self._every_s):
            said = f"{_CLEAR}{self._what}, {time.monotonic() - began:.0f} s"
            print(said, end="", file=self._file, flush=True)

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()
            print(_CLEAR, end="", file=self._file, flush=True)
