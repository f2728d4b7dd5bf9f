"""Configuration, taxonomy and rules, put back as they were in a saved snapshot.

`plan` says which files would be written and removed; `carry_out` does it, while no proxy of ours reads them. What is
saved nowhere stays beside its file, under another suffix.
"""

import hashlib
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from msgspec import Struct

from core import swap_lock
from core.rolegraph.load import read_files
from core.settings import DATA
from core.snapshot_entry import Entry, settings_of
from core.snapshots import SnapshotError, SnapshotStore
from wasm_host import abi, files, signature, trust

#: What is put behind the name of a file whose content is kept nowhere else.
ASIDE: Final = ".rolled-back"


class Step(Struct, frozen=True):
    """A file and what it is to hold; None removes it. `aside`: what it holds now is kept beside it."""

    path: Path
    data: bytes | None
    aside: bool

    def __str__(self) -> str:
        what = "remove" if self.data is None else "write" if self.path.exists() else "make"
        return f"{what} {self.path}" + (f" (what it holds stays as {self.path.name}{ASIDE})" if self.aside else "")


def before(store: SnapshotStore, config: Path, present: Entry | None) -> Entry:
    """The last one that served this configuration file with other files than the present ones. SnapshotError if there
    is none.
    """
    now = present and (present.config, present.taxonomy, present.plugins)
    for entry in store.list():
        served = entry.last_ms and entry.config_path == str(config.absolute())
        if served and (entry.config, entry.taxonomy, entry.plugins) != now:
            return entry
    raise SnapshotError(f"no other snapshot of {config} has served: see terraphim-proxy snapshot list")


def plan(store: SnapshotStore, entry: Entry, config: Path, saved: Collection[str]) -> list[Step]:
    """The steps from the present files to those of the snapshot, the configuration's last. `saved` are digests of what
    is kept already. SnapshotError says why it cannot be done, and what to do instead.
    """
    if not entry.config:
        raise SnapshotError(f"snapshot {entry.name} is without its configuration file: {entry.withheld}")
    if entry.config_path != str(config.absolute()):
        raise SnapshotError(
            f"snapshot {entry.name} was made of {entry.config_path}, not of {config}: say --config {entry.config_path}"
        )
    settings = settings_of(entry)
    steps = list(_taxonomy(store, entry, settings.taxonomy.dir or Path()))
    steps += _plugins(store, entry, settings.plugins.dir or Path(), signed=bool(settings.plugins.public_keys))
    steps.append((config, store.get(entry.config)))
    return [Step(path, data, _unsaved(path, saved)) for path, data in steps if _differs(path, data)]


def _taxonomy(store: SnapshotStore, entry: Entry, folder: Path) -> Iterator[tuple[Path, bytes | None]]:
    wanted = {folder / name: store.get(digest) for name, digest in entry.taxonomy.items()}
    gone = [folder / name for name, _ in read_files(folder)[0] if folder / name not in wanted]
    yield from _owned(folder, {**wanted, **dict.fromkeys(gone)})


def _plugins(store: SnapshotStore, entry: Entry, folder: Path, *, signed: bool) -> Iterator[tuple[Path, bytes | None]]:
    """Modules that came since go, with their manifests; a signature only where it would be looked at."""
    steps: dict[Path, bytes | None] = {folder / name: store.get(digest) for name, digest in entry.plugins.items()}
    modules = [path for path in sorted(folder.glob("*")) if path.suffix in abi.SUFFIXES]
    modules += [path for path in steps if path.suffix in abi.SUFFIXES]
    for module in modules:
        beside = [module, module.with_suffix(".toml")]
        beside += [module.with_name(module.name + signature.SUFFIX)] if signed else []
        for path in beside:
            steps.setdefault(path, None)
    steps.setdefault(folder / trust.LOCK_NAME, None)
    yield from _owned(folder, steps)


def _owned(folder: Path, steps: dict[Path, bytes | None]) -> Iterator[tuple[Path, bytes | None]]:
    inside = folder.is_relative_to(DATA) or folder.parent == DATA.parent.parent
    if inside and any(_differs(path, data) for path, data in steps.items()):
        raise SnapshotError(f"{folder} came with the program and is other now: install the version of then")
    yield from steps.items()


def _differs(path: Path, data: bytes | None) -> bool:
    try:
        return path.read_bytes() != data
    except OSError:
        return data is not None or path.is_symlink()


def _unsaved(path: Path, saved: Collection[str]) -> bool:
    """Whether what stands there would be lost. A text is kept without the mark that some editors begin it with."""
    try:
        held = path.read_bytes()
    except OSError:
        return False
    kept = {hashlib.sha256(text).hexdigest() for text in (held, held.removeprefix(b"\xef\xbb\xbf"))}
    return kept.isdisjoint(saved)


def carry_out(folder: Path, name: str, steps: list[Step], each: Callable[[Step], None] = lambda _: None) -> None:
    """Take the steps while no proxy reads the files. `folder` is the store's; if this is cut short, proxies serve what
    they have and refuse to read until it was done again. OSError names the file.
    """
    with swap_lock.changing(folder, name):
        for step in steps:
            each(step)
            _take(step)


def _take(step: Step) -> None:
    if step.aside:
        aside = step.path.with_name(step.path.name + ASIDE)
        files.write(aside, step.path.read_bytes(), mode=0o600)
    if step.data is None:
        step.path.unlink(missing_ok=True)
        return
    mode = 0o644
    with suppress(OSError):
        mode = step.path.stat().st_mode & 0o755
    step.path.parent.mkdir(parents=True, exist_ok=True)
    files.write(step.path, step.data, mode=mode)
