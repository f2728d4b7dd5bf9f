"""How long a stream's provider was waited for between two chunks of content, sorted by length: pure."""

from bisect import bisect_left

from core.telemetry import GEN_AI_CHUNK

_BOUNDS = GEN_AI_CHUNK.buckets


class Gaps:
    """Of one stream. A chunk costs a search in a short list; who counts for all streams is told once, at the end."""

    __slots__ = ("_began", "counts", "total_s")

    def __init__(self) -> None:
        #: By the bounds of `telemetry.GEN_AI_CHUNK`, and their sum in seconds.
        self.counts = [0] * (len(_BOUNDS) + 1)
        self.total_s = 0.0
        self._began = False

    def content(self, waited_s: float) -> None:
        """A chunk with content came after so many seconds; before the first of them there is no gap."""
        if self._began:
            self.counts[bisect_left(_BOUNDS, waited_s)] += 1
            self.total_s += waited_s
        self._began = True
