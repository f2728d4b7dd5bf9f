"""The numbers of all processes that serve one address, through files in the state folder.

Each process has a file of its numbers, and a file that it locks as long as it lives: so the kernel says who does, and a
process number that is used anew is nobody's. Before a process answers a scrape it writes what it is about to say, so
that no sum falls when it is killed; while it has company it writes every `BEAT_S` as well. The numbers of one that died
are added to those of the dead, once, whoever sees it first. A process that begins alone begins at nothing.

Prometheus' own client has a mode for this, which is not used: it keeps each number in a memory-mapped file, which makes
each increment dearer (`python -m bench --only metrics`), ends the process by SIGBUS if the disk is full, keeps a file
of each process that ever was, and knows neither gauges that ask somebody nor labels that are replaced.
"""

import fcntl
import os
import platform
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import Final

from core.errors import ProxyError
from core.metrics.totals import NONE, Samples, decoded, encoded, folded
from core.state.objects import private_folder
from wasm_host import files

#: Seconds between two times that a process which is not alone writes its numbers.
BEAT_S: Final = 1.0
#: How long somebody waits for others who look at or change the folder, in seconds, and between two tries.
PATIENCE_S: Final = 3.0
PAUSE_S: Final = 0.01
#: No file of numbers is larger, in bytes.
MOST: Final = 64 << 20
_NUMBERS, _ALIVE, _DEAD, _DOOR = ".numbers", ".alive", "dead.numbers", "door"
#: What `files.write` leaves if its process is killed.
_PART: Final = ".part"


class Busy(ProxyError):
    """Others hold the folder for too long: no answer is better than a sum that falls."""

    status = 503


def folder_of(state: Path, host: str, port: int, *, machine: str = "") -> Path:
    """Where processes that serve this address meet, on this machine (or in this container)."""
    name = f"{machine or platform.node()}_{host}_{port}"
    return state / "metrics" / re.sub(r"[^A-Za-z0-9.-]", "_", name)


class Sharing:
    """One process's part. `read` gives its numbers, `say` takes log lines. Any thread may call.

    OSError or `Busy` if the folder cannot be used at all.
    """

    def __init__(
        self,
        folder: Path,
        read: Callable[[], Samples],
        say: Callable[[dict[str, object], str], None] = lambda *_: None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._folder, self._read, self._say, self._sleep = folder, read, say, sleep
        self._name = f"{os.getpid()}-{token_hex(4)}"
        self._writing, self._fault = threading.Lock(), ""
        private_folder(folder)
        with self._door():
            if not self._others()[0]:
                for path in folder.iterdir():
                    if path.suffix in {_NUMBERS, _ALIVE, _PART}:
                        path.unlink(missing_ok=True)
            self._alive = _opened(folder / f"{self._name}{_ALIVE}")
            fcntl.flock(self._alive, fcntl.LOCK_EX)
        self._ended = threading.Event()
        self._beats = threading.Thread(target=self._beat, name="metrics", daemon=True)
        self._beats.start()

    def gather(self) -> tuple[list[Samples], Samples]:
        """The numbers of those that live, this process first, and those of all that do not. `Busy`."""
        own = self._write()
        with self._door():
            living, died = self._others()  # once: who dies from now on is still read as living
            dead = self._bury(died)
            others = [numbers for name in living if (numbers := self._numbers(name)) is not None]
        return [own, *others], dead

    def leave(self) -> None:
        """The last word: what was counted stays with the others."""
        self._ended.set()
        self._beats.join(PATIENCE_S)
        self._write()
        os.close(self._alive)

    def _beat(self) -> None:
        while not self._ended.wait(BEAT_S):
            try:
                if self._others()[0]:
                    self._write()
            except Exception as exc:  # noqa: BLE001  # who is asked for a number may fail: the next beat follows
                self._tell(type(exc).__name__)

    def _write(self) -> Samples:
        """Leave this process's numbers as they are now for the others. A full disk is told once, and no reason to say
        nothing: only who is killed takes with it what is not written.
        """
        with self._writing:  # or an older reading could be written after a newer one
            numbers = self._read()
            self._put(f"{self._name}{_NUMBERS}", numbers)
            return numbers

    def _put(self, name: str, numbers: Samples) -> bool:
        fault = ""
        try:
            files.write(self._folder / name, encoded(numbers), mode=0o600)
        except OSError as exc:
            fault = exc.strerror or type(exc).__name__
        self._tell(fault)
        return not fault

    def _tell(self, fault: str) -> None:
        """Once, until it is another one or none."""
        if fault != self._fault:
            self._fault = fault
            self._say({"event": "metrics_not_shared", "problem": fault or "mended"}, "warning")

    def _others(self) -> tuple[list[str], list[str]]:
        """The other processes: those that live, and those that have died since somebody looked."""
        living, died = list[str](), list[str]()
        for path in sorted(self._folder.glob(f"*{_ALIVE}")):
            if path.stem != self._name:
                (living if _is_held(path) else died).append(path.stem)
        return living, died

    def _bury(self, died: Sequence[str]) -> Samples:
        """Add these to the dead, and remove their files. Needs the door."""
        before = found = self._file(self._folder / _DEAD) or NONE
        for name in died:
            if (numbers := self._numbers(name)) is not None:
                found = folded(found, numbers, name)
        if found is not before:
            # Names are only needed until their files are gone: whoever is killed in between must not count them twice.
            found = Samples(found.shapes, found.series, [name for name in found.folded if name in died])
            if not self._put(_DEAD, found):
                return found  # whoever looks next adds them again to what is there
        for name in died:
            for suffix in (_NUMBERS, _ALIVE):
                (self._folder / f"{name}{suffix}").unlink(missing_ok=True)
        return found

    def _numbers(self, name: str) -> Samples | None:
        return self._file(self._folder / f"{name}{_NUMBERS}")

    def _file(self, path: Path) -> Samples | None:
        """What is in it; None if it is not there, or is damaged: the others still have theirs."""
        try:
            data = files.read_if_there(path, MOST)
            return None if data is None else decoded(data)
        except (files.Unusable, ValueError):
            return None

    @contextmanager
    def _door(self) -> Iterator[None]:
        """Nobody else counts the dead in this block."""
        descriptor = _opened(self._folder / _DOOR)
        try:
            if not self._entered(descriptor):
                raise Busy("another process holds the folder of the metrics; ask again")
            yield
        finally:
            os.close(descriptor)

    def _entered(self, descriptor: int) -> bool:
        for _ in range(round(PATIENCE_S / PAUSE_S)):
            with suppress(BlockingIOError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            self._sleep(PAUSE_S)
        return False


def _opened(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def _is_held(path: Path) -> bool:
    """Whether somebody lives who locked it."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
