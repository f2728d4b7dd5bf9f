"""Where the lines of all workers meet: what one asks is answered, what one tells all the others hear."""

import time
from collections.abc import Callable
from typing import Any

from core.group.line import Line
from core.group.messages import Asking, Room, Said, Settle, Spent, Tell, Told
from core.group.notes import Notes
from core.group.store import Store
from core.state.limits_memory import monotonic_ms


class Hub:
    """Of one supervisor. A worker's name is one that no other worker ever has. For the clocks see `Store`."""

    def __init__(self, clock: Callable[[], int] = monotonic_ms, seconds: Callable[[], float] = time.monotonic) -> None:
        self._store, self._notes = Store(clock, seconds), Notes(seconds)
        self._lines: dict[str, Line[Any]] = {}

    def join(self, name: str, line: Line[Any]) -> None:
        """One more worker; it hears what still counts of what others told."""
        self._lines[name] = line
        for note in self._notes.all():
            line.say(note)

    def leave(self, name: str) -> None:
        """It is gone, and what it held with it."""
        self._lines.pop(name, None)
        self._store.gone(name)

    def say(self, message: Any, *, but: str = "") -> None:
        """To all workers but one."""
        for name, line in self._lines.items():
            if name != but:
                line.say(message)

    def heard(self, name: str, message: Tell | Asking) -> None:
        """A worker says so."""
        if isinstance(message, Tell):
            self._notes.take(message)
            self.say(Told(message.topic, message.key, message.data, message.seconds), but=name)
            return
        answer = self._store.asked(name, message)
        if answer is not None and not isinstance(message, Settle | Spent | Room) and name in self._lines:
            self._lines[name].say(Said(message.number, answer))
