"""Files in folders where strangers may put some: read whole, once, regular ones only, never more than expected.

Links, FIFOs and devices are refused without following or waiting for them. What is judged later (hashed, verified,
compiled) are the bytes that were read here; nothing reads a file a second time.
"""

import os
import stat
import tempfile
from pathlib import Path


class Unusable(Exception):
    """A file that cannot be used now: what is wrong with it, and what to do next."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def read(path: Path, limit: int, *, too_large: str = "this is not such a file") -> bytes:
    """A regular file's bytes, at most `limit`. `Unusable` for anything else; `too_large` is what to do then."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as exc:
        if path.is_symlink():
            raise Unusable("is a symbolic link", "copy the file itself into the folder") from None
        raise Unusable(f"cannot be read: {exc.strerror}", "check its permissions") from None
    try:
        data = _read_regular(path, handle, limit)
    except OSError as exc:
        raise Unusable(f"cannot be read: {exc.strerror}", "copy it again") from None
    finally:
        os.close(handle)
    if len(data) > limit:
        raise Unusable(f"is larger than {limit} bytes", too_large)
    return data


def read_if_there(path: Path, limit: int) -> bytes | None:
    """As `read`, but None if nothing has this name; a link that leads nowhere is something."""
    return read(path, limit) if os.path.lexists(path) else None


def private_folder(folder: Path) -> None:
    """Make it, and each that is missing above it, for our user alone; `mkdir` alone would let others into these."""
    for missing in reversed([each for each in (folder, *folder.parents) if not each.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)


def write(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Replace a file whole, with this mode: who looks meanwhile sees the old one or the new one. `OSError`."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            os.fchmod(file.fileno(), mode)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _read_regular(path: Path, handle: int, limit: int) -> bytes:
    """At most `limit` + 1 bytes of an open file."""
    info = os.fstat(handle)
    if not stat.S_ISREG(info.st_mode):
        raise Unusable("is not a regular file", "put a regular file there")
    if info.st_mode & stat.S_IWOTH:
        raise Unusable("everybody may write to it", f"run: chmod o-w {path}")
    with os.fdopen(handle, "rb", closefd=False) as file:
        return file.read(limit + 1)
