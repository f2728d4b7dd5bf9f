"""The last requests of this process, for the page: who asked what, who answered, and why. Pure.

Being told costs a request microseconds: what is shown is made when somebody looks. Until then a request that is over
waits as it is, its words included, as long as all of those are at most `ROOM` characters; then the oldest are packed,
without words. So at most `ROOM` characters and `KEPT` requests of `feed_kept.MOST_BYTES` are held, 40 MiB; usually 4.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final
from weakref import ReferenceType, ref

from core.decision_record import words_in
from core.exchange import Exchange, Target
from core.feed_kept import Kept, kept, packed, packed_summary, unpacked
from core.feed_summary import KNOWN_AGENTS, OTHER, Summary, matching, summary
from core.flow import Flow
from core.routing.snapshot import Snapshot
from core.series import Series

KEPT: Final = 1000
ROOM: Final = 8 * 1024 * 1024
TOOL: Final = 64


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
        exchange = self.exchange  # another thread may pack it now
        return unpacked(self.packed) if exchange is None else kept(exchange, self.ms)

    @property
    def summary(self) -> dict[str, Any]:
        exchange = self.exchange
        return packed_summary(self.packed) if exchange is None else summary(exchange, self.ms)


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
        now_ms, used, lost, cost = exchange.began_ms + int(ms), exchange.usage, exchange.lost, exchange.cost
        step = self.series.ended(now_ms, ms, exchange.first_ms, error)
        read, written, micros = used.input + lost.input, used.output + lost.output, cost.micros if cost else 0
        step.input += read
        step.output += written
        step.micros += micros
        decision, inputs = exchange.decision, exchange.inputs
        if decision is None:
            return
        client, target = exchange.client_key, exchange.answered_by or decision.target
        if not client:
            agent = inputs.features.agent if inputs else ""
            client = agent if agent in KNOWN_AGENTS else OTHER
        if target is not None and target not in snapshot.targets:
            target = Target(target.provider, OTHER)
        edge = (client, decision.phase, decision.reason, target)
        self.flow.add(edge, now_ms, error, micros, read + written)

    def __len__(self) -> int:
        return len(self._entries)

    def newest(self, before: str = "") -> list[Entry]:
        """The newest first: all, or those older than the request `before` if it is still here."""
        entries = reversed(self._entries.items())
        if before in self._entries:
            for name, _ in entries:
                if name == before:
                    break
        return [entry for _, entry in entries]

    def find(self, name: str) -> tuple[Kept, Snapshot | None] | None:
        """A request, and the snapshot that decided it unless it is gone."""
        entry = self._entries.get(name)
        if entry is None:
            return None
        return entry.kept, entry.snapshot() if entry.snapshot else None


def found(entries: Iterable[Entry], limit: int, query: str = "") -> list[Summary]:
    """The summaries of those that match. It takes long for many: for a thread."""
    return list(islice(filter(matching(query), (entry.summary for entry in entries)), limit))


def _size(exchange: Exchange) -> int:
    """Characters that it holds only because it is kept, about: names of tools, and what was known of targets, are
    counted as `TOOL` each.
    """
    inputs = exchange.inputs
    return words_in(exchange) + TOOL * (len(inputs.features.tools) + len(inputs.states)) if inputs else 0
