"""When a worker that died is started again. Pure: seconds are parameters."""

from dataclasses import dataclass
from typing import Final

#: The first time at once, then after so long, doubled each time up to the longest, in seconds.
FIRST_S: Final = 0.5
LONGEST_S: Final = 30.0
#: Who lived so long (seconds) died of something else than the one before it.
WELL_S: Final = 60.0


@dataclass
class Restarts:
    """The history of one worker's place."""

    count: int = 0
    _in_a_row: int = 0

    def wait_s(self, lived_s: float) -> float:
        """It died after so many seconds: how long nobody takes its place."""
        self.count += 1
        self._in_a_row = 1 if lived_s >= WELL_S else self._in_a_row + 1
        return 0.0 if self._in_a_row == 1 else min(LONGEST_S, FIRST_S * 2 ** (self._in_a_row - 2))


def covering(ready: list[bool]) -> list[tuple[int, ...]]:
    """For each worker, whose listeners it accepts from beside its own: those of the workers before it that are not
    ready, so that each listener has one that accepts from it, if anybody is ready.
    """
    count = len(ready)
    covered: list[list[int]] = [[] for _ in ready]
    for number in range(count):
        if not ready[number] and any(ready):
            other = next(each for step in range(1, count) if ready[each := (number + step) % count])
            covered[other].append(number)
    return [tuple(each) for each in covered]
