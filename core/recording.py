"""Which databases take what is recorded now, as configured, and what is said of it: usage, and decisions."""

import sqlite3
from pathlib import Path
from typing import Final

from core import records
from core.decision_recorder import DecisionRecorder
from core.exchange import Exchange
from core.recorder import Counted, Recorder, Say
from core.records import Row, Rows, row_of
from core.redaction import NOTHING, Redactor
from core.routing.snapshot import Snapshot
from core.schema_state import RecordSettings
from core.state import ledger, sqlite

#: Seconds that a stop waits for what is not written yet.
PATIENCE_S: Final = 5.0
NAME: Final = "records.db"
DECISIONS: Final = "decisions"


def file_of(settings: RecordSettings, folder: Path) -> Path | None:
    """The database of usage; None if nothing is recorded. `folder` is the state folder."""
    if settings.store == "none":
        return None
    return settings.file or folder / NAME


def decisions_of(settings: RecordSettings, folder: Path) -> Path | None:
    """The folder of decisions; None if they are not recorded. `folder` is the state folder."""
    if settings.store == "none" or not settings.decisions:
        return None
    return settings.decisions_dir or folder / DECISIONS


def snapshots_of(settings: RecordSettings, folder: Path) -> frozenset[str] | None:
    """Digests of the snapshots that decisions on record were made with; None if that cannot be known now."""
    decisions, usage = decisions_of(settings, folder), file_of(settings, folder)
    if decisions is None or usage is None:
        return frozenset()
    try:
        begun = ledger.oldest(decisions)
        return frozenset() if begun is None else records.snapshots(usage, begun)
    except (sqlite.Unusable, sqlite3.Error):
        return None


class Recording:
    """`say` takes log lines, `counted` how many rows of usage were written or lost, and `decided` how many decisions;
    see `Recorder`.
    """

    def __init__(self, folder: Path, say: Say, counted: Counted, decided: Counted = lambda *_: None) -> None:
        self._folder, self._say, self._counted = folder, say, counted
        self._recorder: Recorder[Row] | None = None
        self.decisions = DecisionRecorder(say, decided)

    def use(self, settings: RecordSettings) -> None:
        """These from now on; those before write what they have and are left."""
        self.decisions.use(settings, decisions_of(settings, self._folder))
        path = file_of(settings, self._folder)
        if path == (self._recorder.path if self._recorder else None):
            return
        if self._recorder is not None:
            self._recorder.stop()
        self._recorder = Recorder(Rows(path), say=self._say, counted=self._counted) if path else None

    def write(self, exchange: Exchange, snapshot: Snapshot, seconds: float, known: Redactor = NOTHING) -> None:
        """A request is over. Never waits, never raises. `known` knows every secret."""
        if self._recorder is not None:
            self._recorder.put(row_of(exchange, seconds * 1000))
        self.decisions.put(exchange, snapshot, seconds, known)

    def spent(self, settings: RecordSettings, now_ms: int) -> dict[str, dict[str, int]]:
        """What each client key has spent in micro-USD, by period (this day, this month), as recorded."""
        path = file_of(settings, self._folder)
        try:
            return records.spent(path, now_ms) if path else {}
        except (sqlite.Unusable, sqlite3.Error) as exc:
            text = f"{path}: what was spent before cannot be read, and budgets begin with nothing spent: {exc}"
            self._say({"event": "problem", "problem": text}, "warning")
            return {}

    def spent_at(self, settings: RecordSettings, now_ms: int) -> dict[str, int] | None:
        """What was spent at each provider today (UTC), as recorded; None if that is not known. It waits."""
        path = file_of(settings, self._folder)
        try:
            return records.spent_at(path, now_ms) if path else None
        except (sqlite.Unusable, sqlite3.Error):
            return None

    def health(self) -> str:
        """`off`, `ok`, or why nothing can be written now."""
        return "off" if self._recorder is None else self._recorder.problem or "ok"

    def close(self) -> None:
        """Write what waits, and leave. It waits: not on the event loop."""
        recorders = [recorder for recorder in (self._recorder, self.decisions.recorder) if recorder]
        for recorder in recorders:
            recorder.stop()
        for recorder in recorders:
            recorder.join(PATIENCE_S)
