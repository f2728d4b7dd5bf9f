"""What was learned of models' tokens, over restarts: one small file, one owner.

Who serves on the same state folder first owns the file (an advisory lock, taken again at each save, so that a successor
gets it when its predecessor has gone); others read it at their start and keep to themselves what they learn.
"""

import fcntl
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from core.calibration import Calibration
from wasm_host import files

NAME = "token-ratios.json"
#: A larger file is not ours: 256 models with 25 ratios are 40 KB.
MAX_BYTES = 1024 * 1024


class TokenRatios:
    """The file in `folder`, which is made when there is something to keep. `say` takes what deserves a warning."""

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self._path = folder / NAME
        self._say = say
        self._saved = 0
        self._lock: int | None = None
        self._saving = threading.Lock()
        self.calibration = Calibration(self._read())

    def _read(self) -> dict[str, tuple[int, ...]]:
        """What was kept; nothing if the file is not there, or is none."""
        try:
            data = files.read_if_there(self._path, MAX_BYTES)
            return {} if data is None else msgspec.json.decode(data, type=dict[str, tuple[int, ...]])
        except (files.Unusable, ValueError, msgspec.MsgspecError) as exc:
            self._say(f"{self._path}: what was learned of models' tokens cannot be read and is learned anew: {exc}")
            return {}

    def save(self) -> None:
        """Write what is new since the last time, whole or not at all. It waits for a disk: not on the event loop."""
        with self._saving:
            self._save()

    def _save(self) -> None:
        changes = self.calibration.changes
        if changes == self._saved:
            return
        try:
            files.private_folder(self._path.parent)
            if not self._owned():
                return
            files.write(self._path, msgspec.json.encode(self.calibration.ratios))
        except OSError as exc:
            self._say(f"{self._path}: what was learned of models' tokens cannot be kept: {exc}")
        self._saved = changes

    def _owned(self) -> bool:
        """Whether this process has the lock; asked for without waiting."""
        if self._lock is None:
            descriptor = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(descriptor)
                return False
            self._lock = descriptor
        return True

    def close(self) -> None:
        """Save, and leave the file to the next."""
        self.save()
        if self._lock is not None:
            with suppress(OSError):
                os.close(self._lock)
            self._lock = None
