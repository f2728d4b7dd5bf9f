"""A rule under work: where its sources are, how it is built, which module comes out, and when something changed.

A folder is built by its `build.sh`, else by its `Makefile`, else it is text that needs no build. The module is the one
with a manifest beside it (`NAME.toml`), else the only one.
"""

import hashlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from msgspec import Struct

from wasm_host.abi import SUFFIXES

#: A first build may install a toolchain (seconds).
BUILD_S: Final = 900
#: Characters of a build's output that are kept: its last ones.
OUTPUT: Final = 4000
_FILES_MAX: Final = 2000
_HASHED_MAX: Final = 1 << 20
#: Folders and files that builds make. What begins with a dot is not looked at either.
_MADE: Final = frozenset({"build", "dist", "target", "node_modules", "zig-out", "__pycache__"})
_MADE_SUFFIXES: Final = frozenset({".wasm", ".o", ".a", ".part"})


class NoModule(Exception):
    """No module to work on: what was looked for, and what to do."""


class Workshop(Struct, frozen=True):
    """`folder` holds the sources; `command` builds them (empty: nothing to build); `file` is the module, if named."""

    folder: Path
    command: tuple[str, ...] = ()
    file: Path | None = None

    def module(self) -> Path:
        """The module that the sources make. `NoModule` if there is none, or more than one."""
        if self.file is not None:
            if not self.file.is_file():
                raise NoModule(f"{self.file}: there is no such file; name a .wasm, a .wat or a folder")
            return self.file
        made = sorted(path for path in self.folder.iterdir() if path.suffix in SUFFIXES and path.name[0] != ".")
        named = [path for path in made if path.with_suffix(".toml").is_file()]
        found = named or [path for path in made if path.suffix == ".wasm"] or made
        if len(found) == 1:
            return found[0]
        which = f"{', '.join(path.name for path in found)} could each be it" if found else "there is no module in it"
        raise NoModule(f"{self.folder}: {which}; name the file, or let one manifest NAME.toml stand beside NAME.wasm")

    def sources(self) -> Iterator[Path]:
        """What a person edits, `_FILES_MAX` at most."""
        if not self.command and self.file is not None:
            yield from (self.file, self.file.with_suffix(".toml"))
            return
        try:
            module = self.module() if self.command else None
        except NoModule:
            module = None
        count = 0
        for root, folders, names in os.walk(self.folder):
            folders[:] = sorted(name for name in folders if name[0] != "." and name not in _MADE)
            for path in (Path(root, name) for name in sorted(names) if name[0] != "."):
                if path != module and path.suffix not in _MADE_SUFFIXES and count < _FILES_MAX:
                    count += 1
                    yield path


def open_workshop(path: Path) -> Workshop:
    """The workshop that a folder, or the folder of a file, is. `NoModule` if there is neither."""
    if not path.exists():
        raise NoModule(f"{path}: there is no such file or folder; make one with: terraphim-proxy rules new")
    folder = path if path.is_dir() else path.parent
    file = None if path.is_dir() else path
    if (folder / "build.sh").is_file():
        return Workshop(folder, ("sh", "build.sh"), file)
    if any((folder / name).is_file() for name in ("Makefile", "makefile", "GNUmakefile")):
        return Workshop(folder, ("make",), file)
    return Workshop(folder, (), file)


def build(workshop: Workshop, *, timeout_s: float = BUILD_S) -> tuple[bool, str]:
    """Run the build; whether it succeeded, and the end of what it printed. It does not outlive an exception here."""
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(  # noqa: S603 - the author's own build
                workshop.command, cwd=workshop.folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True,
            )  # fmt: skip
        except OSError as exc:
            return False, f"{workshop.command[0]} cannot be started: {exc.strerror}; install it"
        try:
            status = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False, f"took longer than {timeout_s:g} s and was ended\n{_tail(output.fileno())}"
        finally:
            _end(process)
        return status == 0, _tail(output.fileno()) + (f"\nexit code {status}" if status else "")


def _end(process: subprocess.Popen[bytes]) -> None:
    """A build that still runs is ended, with all that it started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _tail(handle: int) -> str:
    size = os.fstat(handle).st_size
    return os.pread(handle, OUTPUT, max(0, size - OUTPUT)).decode(errors="replace").strip()


class Watch:
    """Says when the sources of a workshop differ. A file that was written with the same content is no change."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop
        self._known: dict[Path, tuple[tuple[int, int, int], str]] = {}

    def look(self) -> dict[Path, str]:
        """Each source with what stands for its content."""
        found = {}
        for path in self._workshop.sources():
            try:
                info = path.stat()
                stamp = (info.st_mtime_ns, info.st_size, info.st_ino)
                known = self._known.get(path)
                if known is None or known[0] != stamp:
                    known = self._known[path] = (stamp, _content(path, stamp))
                found[path] = known[1]
            except OSError:  # it went away while it was looked at
                continue
        return found


def _content(path: Path, stamp: tuple[int, int, int]) -> str:
    if not path.is_file() or stamp[1] > _HASHED_MAX:
        return repr(stamp)
    return hashlib.sha256(path.read_bytes()).hexdigest()
