"""Counts of the last while, by time: a fixed number of steps, whatever is counted. Pure: time is a parameter."""

from array import array


class Ring:
    """The last `steps` steps of `step_ms` each, the present one included. Times are milliseconds of any one clock."""

    __slots__ = ("_counts", "_latest", "step_ms")

    def __init__(self, step_ms: int, steps: int) -> None:
        self.step_ms = step_ms
        self._counts = array("q", bytes(8 * steps))
        #: The number of the step that was added to last.
        self._latest = 0

    def add(self, now_ms: int, count: int = 1) -> None:
        """So many more now. A clock that went back a little counts where it was; by more than all steps, anew."""
        self._move(now_ms)
        self._counts[self._latest % len(self._counts)] += count

    def counts(self, now_ms: int) -> list[int]:
        """Of each step, the oldest first, the present one last."""
        steps = len(self._counts)
        last = now_ms // self.step_ms
        return [self._at(number) for number in range(last - steps + 1, last + 1)]

    def total(self, now_ms: int) -> int:
        """Of all steps together."""
        return sum(self.counts(now_ms))

    def _at(self, number: int) -> int:
        steps = len(self._counts)
        return self._counts[number % steps] if self._latest - steps < number <= self._latest else 0

    def _move(self, now_ms: int) -> None:
        step, steps = now_ms // self.step_ms, len(self._counts)
        if step == self._latest:
            return
        if abs(step - self._latest) >= steps:
            self._counts = array("q", bytes(8 * steps))
            self._latest = step
        while self._latest < step:
            self._latest += 1
            self._counts[self._latest % steps] = 0
