"""Who asked, what decided, who answered: counted by minute, for the picture of the flow. Pure.

Names are configured ones, so that nobody fills this with names of his own. Kept are the last hour by minute and the
last day by quarter of an hour, each with at most `EDGES` edges: the rest is one edge of "other". An edge takes less
than 300 bytes, so all of it at most 50 MB, and usually a thousandth of that.
"""

from collections import deque
from collections.abc import Iterable
from typing import Any, Final

from core.exchange import Target
from core.feed_summary import OTHER

#: In one bucket, and in one answer.
EDGES: Final = 1000
SHOWN: Final = 2000
MINUTE_MS: Final = 60_000
#: Minutes that are kept one by one, minutes of a quarter, and quarters.
HOUR: Final = 60
QUARTER: Final = 15
QUARTERS: Final = 96
#: The windows that may be asked for, in minutes.
WINDOWS: Final = (5, 60, 1440)


#: One way through the proxy: client, phase, reason, and who was asked. A plain tuple, for it is made for every request.
Edge = tuple[str, str, str, Target | None]
_REST: Final[Edge] = (OTHER, OTHER, OTHER, Target(OTHER, OTHER))
#: count, errors, micro-USD, tokens
_Sums = list[int]
_Bucket = tuple[int, dict[Edge, _Sums]]


class Flow:
    """Told of each request that is over."""

    def __init__(self) -> None:
        self._minutes: deque[_Bucket] = deque(maxlen=HOUR + 1)
        #: The minutes that have left the hour, by quarters.
        self._quarters: deque[_Bucket] = deque(maxlen=QUARTERS + 1)

    def add(self, edge: Edge, now_ms: int, error: int, micros: int, tokens: int) -> None:
        """One request, which is over now. A clock that was put back counts into the last minute; if by more than a
        quarter of an hour, it was wrong before, and what it counted then is forgotten.
        """
        number = now_ms // MINUTE_MS
        if self._minutes and self._minutes[-1][0] - number > QUARTER:
            _forget(self._minutes, number)
            _forget(self._quarters, number // QUARTER)
        if not self._minutes or self._minutes[-1][0] < number:
            self._turn(number)
        edges = self._minutes[-1][1]
        sums = edges.get(edge)
        if sums is None:
            sums = edges.setdefault(edge if len(edges) < EDGES else _REST, [0, 0, 0, 0])
        sums[0] += 1
        sums[1] += error
        sums[2] += micros
        sums[3] += tokens

    def _turn(self, number: int) -> None:
        """A new minute; the one that leaves the hour goes into its quarter."""
        if len(self._minutes) > HOUR:
            old, edges = self._minutes.popleft()
            quarter = old // QUARTER
            if not self._quarters or self._quarters[-1][0] < quarter:
                self._quarters.append((quarter, {}))
            _merge(self._quarters[-1][1], edges.items(), EDGES)
        self._minutes.append((number, {}))

    def shown(self, minutes: int, now_ms: int) -> dict[str, Any]:
        """The edges of the last minutes (one of `WINDOWS`), the busiest first. A window begins where a bucket does."""
        first = now_ms // MINUTE_MS - minutes + 1
        first -= first % QUARTER if minutes > HOUR else 0
        buckets = [edges for number, edges in self._minutes if number >= first]
        if minutes > HOUR:
            buckets += [edges for number, edges in self._quarters if number * QUARTER >= first]
        sums: dict[Edge, _Sums] = {}
        for edges in buckets:
            _merge(sums, edges.items())
        ranked = sorted(sums.items(), key=lambda each: (-each[1][0], str(each[0])))
        if len(ranked) > SHOWN:
            few = dict(ranked[: SHOWN - 1])
            _merge(few, ((_REST, each) for _, each in ranked[SHOWN - 1 :]))
            ranked = list(few.items())
        return {"edges": [_edge(edge, each) for edge, each in ranked], "from_ms": first * MINUTE_MS, "to_ms": now_ms}


def _forget(buckets: deque[_Bucket], after: int) -> None:
    while buckets and buckets[-1][0] > after:
        buckets.pop()


def _merge(into: dict[Edge, _Sums], edges: Iterable[tuple[Edge, _Sums]], room: int = 1 << 30) -> None:
    """Add these; when there are `room` edges, what is new is the rest."""
    for edge, sums in edges:
        name = edge if edge in into or len(into) < room else _REST
        there = into.get(name)
        into[name] = list(sums) if there is None else [a + b for a, b in zip(there, sums, strict=True)]


def _edge(edge: Edge, sums: _Sums) -> dict[str, Any]:
    client, phase, reason, target = edge
    count, errors, micros, tokens = sums
    name = OTHER if edge == _REST else str(target or "")
    return {
        "client": client,
        "phase": phase,
        "reason": reason,
        "target": name,
        "count": count,
        "errors": errors,
        "cost_micro_usd": micros,
        "tokens": tokens,
    }
