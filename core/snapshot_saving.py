"""The proxy's part of saved snapshots: each generation that serves is saved, and which one that is can be asked."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from functools import partial
from pathlib import Path
from typing import Final

from core import swap_lock
from core.generation import Generation, Saving
from core.recording import snapshots_of
from core.settings import Loaded
from core.snapshots import SnapshotError, SnapshotStore
from core.state.objects import private_folder

#: Beside the saved ones: a file a process, which it holds locked, with the name of what it serves.
SERVING: Final = "serving"


class SnapshotSaving(Saving):
    """`say` takes log lines. Nothing here stops a proxy from serving."""

    def __init__(self, store: SnapshotStore, say: Callable[[dict[str, object], str], None]) -> None:
        self._store, self._say = store, say
        self._mark: int | None = None

    def reading(self) -> AbstractContextManager[None]:
        """Not while a rollback changes the files."""
        return swap_lock.reading(self._store.folder)

    def keep(self, loaded: Loaded, data: bytes) -> None:
        """See `SnapshotStore.keep`."""
        self._store.keep(loaded, data)

    def save(self, generation: Generation) -> None:
        """This one serves now. Not for the event loop."""
        records = generation.loaded.settings.records
        self._store.needed = partial(snapshots_of, records, self._store.folder.parent)
        try:
            entry = self._store.save(generation, served=True, most=records.keep_snapshots)
            self._marked(entry.name)
        except (SnapshotError, OSError) as exc:
            fields = {"event": "snapshot_not_saved", "snapshot": generation.snapshot.id, "problem": str(exc)}
            self._say({**fields}, "warning")

    def close(self) -> None:
        """Nothing is served any more."""
        if self._mark is not None:
            self._file.unlink(missing_ok=True)
            os.close(self._mark)
            self._mark = None

    @property
    def _file(self) -> Path:
        return self._store.folder / SERVING / str(os.getpid())

    def _marked(self, name: str) -> None:
        if self._mark is None:
            private_folder(self._file.parent)
            self._mark = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._mark, fcntl.LOCK_EX)
        os.pwrite(self._mark, f"{name}\n".encode(), 0)


def serving(folder: Path) -> dict[int, str]:
    """Process to the name of the saved snapshot that it serves. A mark that nobody holds is a dead process's."""
    return dict(_marks(folder / SERVING))


def _marks(folder: Path) -> Iterator[tuple[int, str]]:
    for path in sorted(folder.glob("*")):
        with suppress(OSError, ValueError), path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                yield int(path.name), file.read(100).decode().strip()
            else:
                path.unlink()
