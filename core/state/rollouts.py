"""The file of moves (`core.rollout`) in the state folder, which commands and proxies change.

Who changes it reads it again under a lock, so that of two changes at once neither is lost; who only reads sees one
whole state.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from core.rollout import Move, Rollouts, parse, render
from wasm_host import files

NAME: Final = "rollout.toml"
#: A larger file is not ours: fifty moves of each of a hundred rules are 2 MiB.
MAX_BYTES: Final = 8 << 20
#: Seconds that a change waits for another one.
PATIENCE_S: Final = 5.0
_ADVICE: Final = "mend it, or remove it: then the modes of the configuration count"


class RolloutFile:
    """The file in `folder`, which is made when there is something to write."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME

    def read(self) -> Rollouts:
        """All moves; none if there is no file. `files.Unusable` if it is none of ours."""
        try:
            data = files.read_if_there(self.path, MAX_BYTES)
            return Rollouts() if data is None else parse(data)
        except ValueError as exc:
            raise files.Unusable(str(exc), _ADVICE) from None

    def change(self, step: Callable[[Rollouts], Move]) -> Move:
        """Add the move that `step` makes of what is there; what `step` raises is raised, and nothing changes.

        `files.Unusable` if the file cannot be read or written. It waits: not on the event loop.
        """
        try:
            files.private_folder(self.path.parent)
            with self._locked():
                rollouts = self.read()
                move = step(rollouts)
                files.write(self.path, render(rollouts.then(move)), mode=0o600)
        except OSError as exc:
            raise files.Unusable(f"cannot be written: {exc.strerror}", "look at the folder's permissions") from None
        return move

    @contextmanager
    def _locked(self) -> Iterator[None]:
        handle = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            deadline = time.monotonic() + PATIENCE_S
            while not _taken(handle):
                if time.monotonic() > deadline:
                    raise files.Unusable("another process is changing it and does not end", "try again")
                time.sleep(0.01)
            yield
        finally:
            os.close(handle)


def _taken(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
