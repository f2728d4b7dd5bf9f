"""Decisions on their way into the ledger: what a request leaves behind becomes a record in the recorder's thread."""

import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from core.decision_record import decode, record_of, words_in
from core.exchange import Exchange
from core.recorder import Counted, Recorder, Say
from core.redaction import NOTHING, Redactor
from core.routing.snapshot import Snapshot
from core.schema_state import RecordSettings
from core.state.ledger import Entry, Keep, Ledger, entry_of

#: Bytes of requests' words that may wait.
ROOM_BYTES: Final = 64 * 1024 * 1024


class Over(Struct, frozen=True):
    """A request that is over: `snapshot` decided it, `bytes` is about what its words take."""

    exchange: Exchange
    snapshot: Snapshot
    ms: float
    known: Redactor
    capture: bool
    bytes: int


class DecisionRecorder:
    """The ledger that is written now, if any. What waits is bounded in number and in bytes."""

    def __init__(self, say: Say, counted: Counted, *, room_bytes: int = ROOM_BYTES) -> None:
        self._say, self._counted, self._room = say, counted, room_bytes
        self._settings: tuple[Path, Keep] | None = None
        self._capture = False
        self._waiting = Waiting()
        self.recorder: Recorder[Over] | None = None

    def use(self, settings: RecordSettings, folder: Path | None) -> None:
        """Record there from now on; what waits for the ledger before is written by that."""
        self._capture = settings.capture
        keep = Keep(settings.max_age_days, settings.max_mb * 1024 * 1024)
        wanted = (folder, keep) if folder else None
        if wanted == self._settings:
            return
        if self.recorder is not None:
            self.recorder.stop()
        self._settings, self.recorder, self._waiting = wanted, None, Waiting()
        if folder is not None:
            self.recorder = Recorder(
                Decisions(folder, keep, self._say), say=self._say, counted=self._counted, committed=self._waiting.left
            )

    def put(self, exchange: Exchange, snapshot: Snapshot, seconds: float, known: Redactor = NOTHING) -> None:
        """A request is over. Never waits, never raises. `known` knows every secret: none is kept."""
        if self.recorder is None or exchange.inputs is None:
            return
        over = Over(exchange, snapshot, seconds * 1000, known, self._capture, words_in(exchange))
        if self._waiting.bytes + over.bytes > self._room:
            self.recorder.lose(1)
        elif self.recorder.put(over):
            self._waiting.came(over)

    def health(self) -> str:
        """`off`, `ok`, or why nothing can be written now."""
        return "off" if self.recorder is None else self.recorder.problem or "ok"


class Waiting:
    """Bytes that wait for one recorder: what came, counted by who puts, less what left, counted by who writes."""

    def __init__(self) -> None:
        self._came = self._left = 0

    @property
    def bytes(self) -> int:
        return self._came - self._left

    def came(self, over: Over) -> None:
        self._came += over.bytes

    def left(self, overs: Sequence[Over]) -> None:
        self._left += sum(over.bytes for over in overs)


class Decisions:
    """A ledger that is given requests (`recorder.Store`)."""

    def __init__(self, folder: Path, keep: Keep, say: Say) -> None:
        self._ledger, self._say = Ledger(folder, keep), say
        self.path, self.tidy, self.close = folder, self._ledger.tidy, self._ledger.close

    def write(self, overs: Sequence[Over]) -> None:
        """Make their records and commit them; Unusable."""
        self._ledger.append([entry for over in overs if (entry := self._entry(over))])

    def _entry(self, over: Over) -> Entry | None:
        try:
            record = record_of(over.exchange, over.snapshot, over.ms, capture=over.capture, known=over.known)
            return _without_keys(entry_of(record), over.known) if record else None
        except Exception as exc:  # noqa: BLE001  # one request must not end all recording; its words may be in the error
            where = "".join(traceback.format_tb(exc.__traceback__, limit=-4))
            fields = {"request_id": over.exchange.request_id, "type": type(exc).__name__, "where": where}
            self._say({"event": "bug", **fields}, "error")
            return None


def _without_keys(entry: Entry, known: Redactor) -> Entry:
    """A client may call a tool like a key. ValueError if nothing is left that is a record."""
    if not known.holds(entry.plain.decode()):
        return entry
    plain = known.data(entry.plain)
    return entry_of(decode(plain))
