"""How far a long command is: one line on standard error, if somebody looks at it."""

import sys
import time
from collections.abc import Callable
from typing import Final, TextIO

#: Seconds between two looks of the line.
EVERY_S: Final = 0.2
_CLEAR: Final = "\r\x1b[K"


class Progress:
    """`with Progress("records") as progress: progress.more(200)`; nothing is written to what is no terminal."""

    def __init__(self, things: str, *, file: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._things, self._clock = things, clock
        self._file = sys.stderr if file is None else file
        self._shown = self._file.isatty()
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
