"""Which database takes the records now, as configured, and what is said of it."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final

from core import records
from core.exchange import Exchange
from core.records import Recorder, row_of
from core.schema_state import RecordSettings
from core.state import sqlite

#: Seconds that a stop waits for what is not written yet.
PATIENCE_S: Final = 5.0
NAME: Final = "records.db"


def file_of(settings: RecordSettings, folder: Path) -> Path | None:
    """The database; None if nothing is recorded. `folder` is the state folder."""
    if settings.store == "none":
        return None
    return settings.file or folder / NAME


class Recording:
    """`say` takes log lines and `counted` how many rows were written or lost; see `Recorder`."""

    def __init__(
        self, folder: Path, say: Callable[[dict[str, object], str], None], counted: Callable[[str, int], None]
    ) -> None:
        self._folder, self._say, self._counted = folder, say, counted
        self._recorder: Recorder | None = None

    def use(self, settings: RecordSettings) -> None:
        """This database from now on; the one before writes what it has and is left."""
        path = file_of(settings, self._folder)
        if path == (self._recorder.path if self._recorder else None):
            return
        if self._recorder is not None:
            self._recorder.stop()
        self._recorder = Recorder(path, say=self._say, counted=self._counted) if path else None

    def write(self, exchange: Exchange, seconds: float) -> None:
        """A request is over. Never waits, never raises."""
        if self._recorder is not None:
            self._recorder.put(row_of(exchange, seconds * 1000))

    def spent(self, settings: RecordSettings, now_ms: int) -> dict[str, dict[str, int]]:
        """What each client key has spent in micro-USD, by period (this day, this month), as recorded."""
        path = file_of(settings, self._folder)
        try:
            return records.spent(path, now_ms) if path else {}
        except (sqlite.Unusable, sqlite3.Error) as exc:
            text = f"{path}: what was spent before cannot be read, and budgets begin with nothing spent: {exc}"
            self._say({"event": "problem", "problem": text}, "warning")
            return {}

    def health(self) -> str:
        """`off`, `ok`, or why nothing can be written now."""
        return "off" if self._recorder is None else self._recorder.problem or "ok"

    def close(self) -> None:
        """Write what waits, and leave. It waits: not on the event loop."""
        if self._recorder is not None:
            self._recorder.stop()
            self._recorder.join(PATIENCE_S)
