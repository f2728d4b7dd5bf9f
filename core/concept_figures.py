"""How often the concepts of the taxonomy were found, by time. Pure: time is a parameter.

Counted is what the pattern phase found for requests that were to be answered: concepts with routes, in the order of
their rank. A request that was decided before that phase counts nowhere.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from core.exchange import Found
from core.ring import Ring

#: An hour, in steps of ten seconds.
STEP_MS: Final = 10_000
STEPS: Final = 360
#: So many concepts are counted; a taxonomy of more is counted in part.
MOST: Final = 2000


class ConceptCounts(NamedTuple):
    """`recent` are the counts of the last hour's steps, the oldest first, and empty if it was never found; `last_ms` is
    when it was found last, None if never.
    """

    recent: list[int]
    total: int
    last_ms: int | None


class _Record:
    __slots__ = ("last_ms", "ring", "total")

    def __init__(self) -> None:
        self.ring, self.total, self.last_ms = Ring(STEP_MS, STEPS), 0, 0


class ConceptFigures:
    """Of the concepts of one taxonomy, by their files' paths. Memory is taken for those that are found."""

    def __init__(self) -> None:
        self._paths: frozenset[str] = frozenset()
        self._records: dict[str, _Record] = {}

    def keep(self, paths: Iterable[str]) -> None:
        """These are the concepts now; those that stay keep their counts."""
        self._paths = frozenset(sorted(paths)[:MOST])
        self._records = {path: record for path, record in self._records.items() if path in self._paths}

    def found(self, matches: Sequence[Found], now_ms: int) -> None:
        """A request's words named these."""
        for match in matches:
            record = self._records.get(match.path)
            if record is None:
                if match.path not in self._paths:
                    continue
                record = self._records[match.path] = _Record()
            record.ring.add(now_ms)
            record.total += 1
            record.last_ms = now_ms

    def of(self, path: str, now_ms: int) -> ConceptCounts:
        """What is known of one."""
        record = self._records.get(path)
        if record is None:
            return ConceptCounts([], 0, None)
        return ConceptCounts(record.ring.counts(now_ms), record.total, record.last_ms)
