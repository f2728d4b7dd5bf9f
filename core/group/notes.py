"""What workers told all others, for those that begin later: the last word on each key, as long as it counts. Pure."""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from core.group.messages import Tell, Told

#: So many are kept, the oldest word out first.
MOST: Final = 20_000


class Notes:
    """`clock` gives seconds and never goes back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, most: int = MOST) -> None:
        self._clock, self._most = clock, most
        self._notes: OrderedDict[tuple[str, bytes], tuple[bytes, float]] = OrderedDict()

    def take(self, told: Tell) -> None:
        """A worker said so."""
        name = told.topic, told.key
        self._notes[name] = told.data, self._clock() + told.seconds
        self._notes.move_to_end(name)
        if len(self._notes) > self._most:
            self._notes.popitem(last=False)

    def all(self) -> list[Told]:
        """What counts now, the oldest word first; what does not is forgotten."""
        now = self._clock()
        for name in [name for name, (_, until) in self._notes.items() if until <= now]:
            del self._notes[name]
        return [Told(topic, key, data, until - now) for (topic, key), (data, until) in self._notes.items()]
