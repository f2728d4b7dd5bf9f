"""The last requests of this process, for the page: who asked what, who answered, and why. Pure.

Being told costs a request microseconds: what is shown is made when somebody looks. Until then a request that is over
waits as it is, its words included, as long as all of those are at most `ROOM` characters; then the oldest are packed,
without words. So at most `ROOM` characters and `KEPT` requests of `feed_kept.MOST_BYTES` are held, 40 MiB; usually 4.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final
from weakref import ReferenceType, ref

from core.decision_record import words_in
from core.exchange import Exchange
from core.feed_kept import Kept, kept, packed, packed_summary, unpacked
from core.feed_summary import KNOWN_AGENTS, OTHER, Summary, matching, summary
from core.flow import Edge, Flow
from core.routing.snapshot import Snapshot
from core.series import Series

KEPT: Final = 1000
ROOM: Final = 8 * 1024 * 1024


@dataclass(slots=True)
class Entry:
    """A request: as it is, or packed. `ms` is None while it is open; a snapshot that serves no more is let go."""

    exchange: Exchange | None
    snapshot: ReferenceType[Snapshot] | None
    ms: float | None = None
    size: int = 0
    packed: bytes = b""

    @property
    def kept(self) -> Kept:
        return unpacked(self.packed) if self.exchange is None else kept(self.exchange, self.ms)

    @property
    def summary(self) -> dict[str, Any]:
        return packed_summary(self.packed) if self.exchange is None else summary(self.exchange, self.ms)


class Feed:
    """`in_flight` tells how many requests are under way. `listeners` are given each entry, when it is decided and when
    it is over.
    """

    def __init__(self, in_flight: Callable[[], int], *, keep: int = KEPT, room: int = ROOM) -> None:
        self._in_flight, self._keep, self._room = in_flight, keep, room
        #: By request id, in the order in which they were decided.
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        #: Those that are over and not packed, the oldest first, and the characters that they hold.
        self._waiting: OrderedDict[str, Entry] = OrderedDict()
        self._held = 0
        self.flow, self.series = Flow(), Series()
        self.total = self.errors = 0
        self.listeners: list[Callable[[Entry], None]] = []

    def decided(self, exchange: Exchange, snapshot: Snapshot) -> None:
        """It is about to be answered."""
        entry = Entry(exchange, ref(snapshot))
        self._add(exchange.request_id, entry)
        self.series.began(exchange.began_ms, self._in_flight())
        for listener in self.listeners:
            listener(entry)

    def over(self, exchange: Exchange, seconds: float, snapshot: Snapshot) -> None:
        """It took so many seconds. One that failed before it was decided is new."""
        name, error = exchange.request_id, bool(exchange.error) or exchange.status >= 400
        entry = self._entries.get(name)
        if entry is None:
            entry = Entry(exchange, ref(snapshot))
            if exchange.decision is None:  # else it took so long that a thousand have come since
                self._add(name, entry)
        entry.ms, entry.size = seconds * 1000, _size(exchange)
        self.total += 1
        self.errors += error
        self._count(exchange, snapshot, entry.ms, error=error)
        if name in self._entries:
            self._waiting[name] = entry
            self._held += entry.size
            while self._held > self._room:
                self._pack()
        for listener in self.listeners:
            listener(entry)

    def _add(self, name: str, entry: Entry) -> None:
        self._entries[name] = entry
        if len(self._entries) > self._keep:
            gone, _ = self._entries.popitem(last=False)
            if waited := self._waiting.pop(gone, None):
                self._held -= waited.size

    def _pack(self) -> None:
        _, entry = self._waiting.popitem(last=False)
        self._held -= entry.size
        entry.packed, entry.exchange = packed(entry.kept), None

    def _count(self, exchange: Exchange, snapshot: Snapshot, ms: float, *, error: bool) -> None:
        now_ms, used = exchange.began_ms + int(ms), exchange.usage
        step = self.series.ended(now_ms, ms, exchange.first_ms, error=error)
        if exchange.lost.input or exchange.lost.output:
            used = used.plus(exchange.lost)
        micros = exchange.cost.micros if exchange.cost else 0
        step.input += used.input
        step.output += used.output
        step.micros += micros
        decision = exchange.decision
        if decision is not None:
            edge = Edge(_client(exchange), decision.phase, decision.reason, _target(exchange, snapshot))
            self.flow.add(edge, now_ms, error=error, micros=micros, tokens=used.input + used.output)

    def __len__(self) -> int:
        return len(self._entries)

    def newest(self, limit: int, before: str = "", query: str = "") -> list[Summary]:
        """Summaries, the newest first: those older than the request `before`, if it is still here, that match."""
        entries = reversed(self._entries.items())
        if before in self._entries:
            for name, _ in entries:
                if name == before:
                    break
        wanted = matching(query)
        return list(islice(filter(wanted, (entry.summary for _, entry in entries)), limit))

    def find(self, name: str) -> tuple[Kept, Snapshot | None] | None:
        """A request, and the snapshot that decided it unless it is gone."""
        entry = self._entries.get(name)
        if entry is None:
            return None
        return entry.kept, entry.snapshot() if entry.snapshot else None


def _size(exchange: Exchange) -> int:
    """Characters that it holds only because it is kept, or more: a model's name stands in its trace, too."""
    features = exchange.inputs.features if exchange.inputs else None
    if features is None:
        return 0
    return words_in(exchange) + 4 * len(features.model) + (sum(map(len, features.tools)) if features.tools else 0)


def _client(exchange: Exchange) -> str:
    if exchange.client_key:
        return exchange.client_key
    agent = exchange.inputs.features.agent if exchange.inputs else ""
    return agent if agent in KNOWN_AGENTS else OTHER


def _target(exchange: Exchange, snapshot: Snapshot) -> str:
    target = exchange.answered_by or (exchange.decision.target if exchange.decision else None)
    if target is None:
        return ""
    name = str(target)
    return name if target in snapshot.targets else f"{target.provider},{OTHER}"
