"""Bytes under their SHA-256, each once: a folder of files for our user alone."""

import hashlib
import os
import re
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Final

from wasm_host import files

#: Nobody may refer to an object yet that was put so many seconds ago; one that is older and unknown is left over.
GRACE_S: Final = 3600.0
#: No object is larger, in bytes: a module's largest size, and room.
MOST: Final = 1 << 28
_NAME: Final = re.compile(r"[0-9a-f]{64}")


class Objects:
    """A folder, which is made when something is put there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, data: bytes) -> str:
        """Their SHA-256, 64 hex digits. OSError if they cannot be kept."""
        digest = hashlib.sha256(data).hexdigest()
        path = self.folder / digest
        try:
            os.utime(path)  # it is needed again: see GRACE_S
        except FileNotFoundError:
            private_folder(self.folder)
            files.write(path, data, mode=0o600)
        return digest

    def has(self, digest: str) -> bool:
        """Whether something is kept under this name."""
        return (self.folder / digest).is_file()

    def size(self, digest: str) -> int:
        """Bytes; 0 if it is not there."""
        try:
            return (self.folder / digest).stat().st_size
        except OSError:
            return 0

    def get(self, digest: str) -> bytes:
        """The bytes. `files.Unusable` if they are gone, or are others by now."""
        data = files.read(self.folder / digest, MOST)
        if hashlib.sha256(data).hexdigest() != digest:
            raise files.Unusable("is damaged: its SHA-256 is not its name")
        return data

    def forget(self, needed: Collection[str], now_s: float) -> None:
        """Remove what is not needed any more. `now_s` is Unix time."""
        with suppress(OSError):
            for path in self.folder.iterdir():
                if not _NAME.fullmatch(path.name) or path.name in needed:
                    continue
                with suppress(OSError):
                    if path.stat().st_mtime < now_s - GRACE_S:
                        path.unlink()


def private_folder(folder: Path) -> None:
    """Make it, for our user alone; OSError if that cannot be."""
    files.private_folder(folder)
    if folder.stat().st_mode & 0o077:
        folder.chmod(0o700)
