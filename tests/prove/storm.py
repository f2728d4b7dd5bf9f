"""Promise: whatever happens to the plugins folder, no request fails, and only modules that were whole ever run.

Every version of a rule says its number as its reason, at both ends of a text, so that an answer proves which bytes gave
it. A version counts as written only once all of its bytes were in one file; half of one never may answer.
"""

import os
import random
import re
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

from prove import guests
from prove.scene import ASKING, Scene, scene, wait
from prove.section import Section, tally

#: Rules that the operations take turns on.
NAMES: Final = ("alpha", "beta", "gamma")
_REASON: Final = re.compile(r"v(\d{6})\.[.]{20}\.v(\d{6})")
#: Between two operations (s): some happen in a burst, after some the proxy finds the folder at rest.
_PAUSE_S: Final = (0.0, 0.005, 0.05, 0.8)


class Storm:
    """Operations on a folder; `reload` makes the proxy read it at once.

    `whole` are the versions that were there in one piece at some time.
    """

    def __init__(self, folder: Path, aside: Path, rng: random.Random, reload: Callable[[], None]) -> None:
        self.folder, self.aside, self.rng, self.reload = folder, aside, rng, reload
        self.whole: set[int] = set()
        self.done: Counter[str] = Counter()
        self._version = 0
        self._operations: tuple[Callable[[Path], None], ...] = (
            self.arrive, self.arrive, self.arrive, self.write_slowly, self.write_half, self.truncate, self.swap,
            self.link, self.fifo, self.directory, self.remove, self.rename, self.unreadable, self.garbage, self.touch,
        )  # fmt: skip

    def one(self) -> None:
        """A random operation on a random rule."""
        path = self.folder / f"{self.rng.choice(NAMES)}{self.rng.choice(('.wat', '.wat', '.wasm', '.toml'))}"
        operation = self.rng.choice(self._operations)
        if self.rng.random() < 0.5:  # it reads while the next thing happens
            self.reload()
        self.done[operation.__name__] += 1
        try:
            operation(path)
        except OSError:  # what an operation needs may be gone, or a directory
            self.done["impossible"] += 1
        time.sleep(self.rng.choice(_PAUSE_S))

    def arrive(self, path: Path) -> None:
        """A whole file, at once."""
        self._clear(path.with_suffix(".wat"))
        version, text = self._next()
        (self.aside / "whole").write_bytes(text)
        self.whole.add(version)
        (self.aside / "whole").rename(path.with_suffix(".wat"))

    def write_slowly(self, path: Path) -> None:
        """A whole file, in two writes."""
        path = path.with_suffix(".wat")
        self._clear(path)
        version, text = self._next()
        with path.open("wb") as file:
            file.write(text[: len(text) // 2])
            file.flush()
            self.reload()
            time.sleep(self.rng.choice(_PAUSE_S))
            self.whole.add(version)
            file.write(text[len(text) // 2 :])

    def write_half(self, path: Path) -> None:
        """A file that is never finished."""
        self._clear(path)
        _, text = self._next()
        path.write_bytes(text[: self.rng.randrange(len(text) - 2)])

    def truncate(self, path: Path) -> None:
        """A file that loses its end."""
        os.truncate(path, self.rng.randrange(path.stat().st_size + 1))

    def swap(self, path: Path) -> None:
        """Two files change names."""
        other = path.with_stem(self.rng.choice(NAMES))
        path.rename(self.aside / "swapped")
        other.rename(path)
        (self.aside / "swapped").rename(other)

    def link(self, path: Path) -> None:
        """A symbolic link to a whole version, which must not be followed."""
        self._clear(path)
        _, text = self._next()
        target = self.aside / f"linked-{self._version}.wat"
        target.write_bytes(text)
        path.symlink_to(target)

    def fifo(self, path: Path) -> None:
        """A file that a reader waits for."""
        self._clear(path)
        os.mkfifo(path)

    def directory(self, path: Path) -> None:
        """A folder of that name."""
        self._clear(path)
        path.mkdir()

    def remove(self, path: Path) -> None:
        """Nothing."""
        self._clear(path)

    def rename(self, path: Path) -> None:
        """A file under another suffix."""
        path.rename(path.with_suffix(self.rng.choice((".wat", ".wasm", ".toml", ".bak"))))

    def unreadable(self, path: Path) -> None:
        """A file that everybody may write to, or nobody may read."""
        path.chmod(self.rng.choice((0o666, 0o000)))

    def garbage(self, path: Path) -> None:
        """Something else."""
        self._clear(path)
        path.write_bytes(self.rng.randbytes(self.rng.randrange(3000)))

    def touch(self, path: Path) -> None:
        """The same file with another time."""
        os.utime(path, (self.rng.randrange(1 << 31), self.rng.randrange(1 << 31)))

    def _next(self) -> tuple[int, bytes]:
        self._version += 1
        return self._version, version(self._version)

    def _clear(self, path: Path) -> None:
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        path.unlink(missing_ok=True)


def version(number: int) -> bytes:
    """A rule whose reason is its number, twice. Cut anywhere, it is no module."""
    reason = f"v{number:06d}.{'.' * 20}.v{number:06d}"
    return guests.always(f'{{"abstain":true,"reason":"{reason}"}}').encode()


def number_of(reason: str) -> int | None:
    """The version that a reason names; None if it is not one of ours, or of two."""
    match = _REASON.fullmatch(reason)
    return int(match[1]) if match and match[1] == match[2] else None


def section(folder: Path, operations: int) -> Section:
    """So many operations, while one client asks and another looks at what rules say."""
    found = Section(f"{operations} operations on the plugins folder")
    aside = folder.with_name("aside")
    aside.mkdir()
    with scene(folder) as running:
        rng = random.Random(1)  # noqa: S311 - reproducible on purpose
        storm = Storm(running.plugins, aside, rng, lambda: running.process.send_signal(signal.SIGHUP))
        with (
            running.client("POST", "/v1/messages", ASKING, pause_ms=5) as asking,
            running.client("POST", "/v1/route", ASKING, pause_ms=5) as looking,
        ):
            for _ in range(operations):
                storm.one()
            _settle(running, storm, found)
        said = Counter(reason for one in looking.seen for reason in one.said)
        found.findings += [f"a request failed: {failure}" for failure in (*asking.failed(), *looking.failed())]
        found.findings += [f"{reason!r} was never whole" for reason in said if number_of(reason) not in storm.whole]
        found.findings += running.whole()
        found.counts = {
            "operations": tally(storm.done),
            "requests": f"{len(asking.seen)} asked, {len(looking.seen)} explained",
            "versions": f"{len(storm.whole)} whole, {len(said)} of them answered",
            "reloads": f"{running.swaps()} snapshots",
        }
    if len(said) < operations // 100:
        found.findings.append(f"only {len(said)} versions answered, which shows nothing")
    return found


def _settle(running: Scene, storm: Storm, found: Section) -> None:
    """After the storm, a whole file must serve."""
    for path in list(storm.folder.iterdir()):
        storm.remove(path)
    storm.arrive(storm.folder / "alpha.wat")
    newest = max(storm.whole)

    def serves() -> bool:
        steps = running.explain(ASKING)["trace"]
        return newest in [number_of(step["detail"].get("reason", "")) for step in steps]

    try:
        wait(serves, "the last whole version is not served")
    except RuntimeError as exc:
        found.findings.append(str(exc))
