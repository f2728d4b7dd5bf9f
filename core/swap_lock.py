"""Several files that change together: who reads them waits until all have changed.

One file in the state folder is held by readers (shared) and by who changes the files (alone), who writes into it what
for. If he dies in the middle of it, that stays, and readers refuse what is half of each until it is done again.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from core.errors import ConfigError, Problem
from core.state.objects import private_folder

NAME: Final = "rollback.lock"
#: How long somebody waits for the others, in seconds, and between two tries.
PATIENCE_S: Final = 5.0
PAUSE_S: Final = 0.01


@contextmanager
def reading(folder: Path, sleep: Callable[[float], None] = time.sleep) -> Iterator[None]:
    """Nobody changes the files in this block. ConfigError if somebody does for long, or did not finish.

    Where there is no lock, and none can be made, nobody else could have one either.
    """
    path = folder / NAME
    try:
        descriptor = _opened(path)
    except OSError:
        yield
        return
    try:
        if not _held(descriptor, fcntl.LOCK_SH, sleep):
            raise ConfigError([Problem(str(path), 0, "a rollback is under way")], awaited=(path,))
        if what := os.pread(descriptor, 200, 0).decode("utf-8", "replace").strip():
            hint = f"run: terraphim-proxy config rollback {what}"
            problem = Problem(str(path), 0, f"the rollback to {what} did not finish: the files are half of each", hint)
            raise ConfigError([problem], awaited=(path,))
        yield
    finally:
        os.close(descriptor)


@contextmanager
def changing(folder: Path, what: str, sleep: Callable[[float], None] = time.sleep) -> Iterator[None]:
    """Nobody reads the files in this block, which is to end well. OSError if that cannot be; TimeoutError is one."""
    path = folder / NAME
    descriptor = _opened(path)
    try:
        if not _held(descriptor, fcntl.LOCK_EX, sleep):
            raise TimeoutError(f"{path}: another process holds it")
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, what.encode(), 0)
        os.fsync(descriptor)
        yield
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def _opened(path: Path) -> int:
    private_folder(path.parent)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def _held(descriptor: int, how: int, sleep: Callable[[float], None]) -> bool:
    for _ in range(round(PATIENCE_S / PAUSE_S)):
        try:
            fcntl.flock(descriptor, how | fcntl.LOCK_NB)
        except BlockingIOError:
            sleep(PAUSE_S)
        else:
            return True
    return False
