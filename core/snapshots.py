"""Saved snapshots: every generation that served, and those that were saved by hand, to be built again offline.

A folder of small JSON files, one a saved snapshot, and of the texts and modules that they name, each of them once
(`state.objects`). Readable by our user alone.
"""

import re
import time
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import msgspec

from core.generation import Generation, policy_of
from core.rolegraph import build_taxonomy
from core.routing.snapshot import Snapshot, build
from core.schema import Settings
from core.settings import Loaded
from core.snapshot_entry import Entry, entry_of, settings_of, suspicious, why_other
from core.state.objects import Objects, private_folder
from wasm_host import files, profile
from wasm_host.registry import load_rules

#: In the state folder.
NAME: Final = "snapshots"
#: So many are kept if nothing else is said.
KEEP: Final = 200
#: Bytes of an entry: settings may be long, but not endless.
_MOST: Final = 1 << 24
_REFERENCE: Final = re.compile(r"([0-9a-f]{4,64})(?:\.([0-9a-f]{1,8}))?")


class SnapshotError(Exception):
    """A snapshot that cannot be saved, found or built again: why, and what to do."""


class SnapshotStore:
    """`folder` holds the saved ones, `cache` compiled modules (beside them if it is left out). `now_ms` is Unix time.

    `needed` tells the digests that records refer to: they are kept, however old they are; with None, everything is.
    """

    def __init__(
        self,
        folder: Path,
        cache: Path | None = None,
        *,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        needed: Callable[[], Collection[str] | None] = frozenset,
    ) -> None:
        self.folder = folder
        self._cache = cache or folder / "compiled"
        self._objects = Objects(folder / "objects")
        self._now_ms, self.needed = now_ms, needed

    def keep(self, loaded: Loaded, data: bytes) -> None:
        """Called with what a generation is made of while it is read: see `load_generation`. Never raises; what could
        not be kept is said when the generation is saved.
        """
        if not loaded.secrets.in_bytes(data):
            try:
                self._objects.put(data)
            except OSError:
                return

    def save(self, generation: Generation, *, note: str = "", served: bool = False, most: int = KEEP) -> Entry:
        """Save a generation that was read with `keep`; `served` says that it begins to serve now. SnapshotError.

        At most `most` are kept: those that served or were saved longest ago go, but for those that are needed.
        """
        try:
            entry = self._entry(generation)
            now, before = self._now_ms(), self._read(self._path(entry))
            entry = msgspec.structs.replace(
                entry,
                note=note or (before.note if before else ""),
                by_hand=not served or bool(before and before.by_hand),
                saved_ms=before.saved_ms if before else now,
                served_ms=(before.served_ms if before else 0) or (now if served else 0),
                last_ms=now if served else before.last_ms if before else 0,
            )
            private_folder(self.folder)
            files.write(self._path(entry), msgspec.json.encode(entry), mode=0o600)
        except OSError as exc:
            raise SnapshotError(f"{self.folder}: {exc.strerror}: make room, or mend the folder's permissions") from None
        self._forget(most, entry)
        return entry

    def list(self) -> "tuple[Entry, ...]":
        """All that are saved; what served or was saved last comes first. Files that are none are left out."""
        found = filter(None, map(self._read, self.folder.glob("*.json")))
        return tuple(sorted(found, key=lambda entry: (-_used_ms(entry), entry.name)))

    def find(self, reference: str) -> Entry:
        """The saved snapshot of a digest, or of a unique beginning of one (four digits at least), which may be followed
        by a dot and the key's beginning; the last used of several that decide alike. SnapshotError.
        """
        match = _REFERENCE.fullmatch(reference.lower())
        if not match:
            raise SnapshotError(f"{reference[:80]!r} is no id of a snapshot: it has 4 to 64 hex digits")
        digest, key = match[1], match[2] or ""
        found = [each for each in self.list() if each.digest.startswith(digest) and each.key.startswith(key)]
        if not found:
            raise SnapshotError(f"no snapshot {reference} is saved here: see terraphim-proxy snapshot list")
        if len(ids := {each.digest for each in found}) > 1:
            raise SnapshotError(f"{reference} begins {len(ids)} ids: give more digits")
        return found[0]

    def load(self, reference: str) -> Snapshot:
        """The saved snapshot, built again; takes 0.3 s and more for each module that is not compiled here yet.

        SnapshotError if there is none, if something of it is gone, or if it comes out as another one: it says why.
        """
        entry = self.find(reference)
        try:
            settings = settings_of(entry)
        except ValueError as exc:
            of = f"its settings are of version {entry.parts.get('code')}, and this one refuses them"
            raise SnapshotError(f"snapshot {entry.name}: {of}: {exc}") from None
        try:
            return self._built(entry, settings)
        except files.Unusable as exc:
            raise SnapshotError(f"snapshot {entry.name}: a file of it {exc.message}") from None

    def get(self, digest: str) -> bytes:
        """A text or a module that an entry names. SnapshotError if it is gone or damaged."""
        try:
            return self._objects.get(digest)
        except files.Unusable as exc:
            raise SnapshotError(f"a file of the snapshot {exc.message} ({digest[:12]})") from None

    def size(self, entry: Entry) -> int:
        """Bytes of all that it is made of, whether or not others share it."""
        return sum(map(self._objects.size, entry.objects))

    def _entry(self, generation: Generation) -> Entry:
        loaded = generation.loaded
        put = partial(self._put, loaded)
        texts = {path: put(text.encode(), path) for path, text in generation.texts}
        withheld = "" if loaded.path else "there is no configuration file"
        if suspicious(loaded.settings.model_dump(mode="json")) or loaded.secrets.in_bytes(loaded.text.encode()):
            withheld = "a key, or what may be one, stands in it"
        config = "" if withheld else put(loaded.text.encode(), "the configuration")
        entry = entry_of(generation, texts, config=config, withheld=withheld, engine=profile.identity())
        if loaded.secrets.redactor.holds(msgspec.json.encode(entry).decode()):
            raise SnapshotError("a key stands in the settings: write where it is, as { env }")
        for name, digest in entry.plugins.items():
            if not self._objects.has(digest):
                raise SnapshotError(f"{name} could not be kept: a key stands in it, or {self.folder} cannot be written")
        return entry

    def _put(self, loaded: Loaded, data: bytes, name: str) -> str:
        if loaded.secrets.in_bytes(data):
            raise SnapshotError(f"{name}: a key stands in it: remove it")
        return self._objects.put(data)

    def _built(self, entry: Entry, settings: Settings) -> Snapshot:
        texts = [(path, self._objects.get(digest).decode()) for path, digest in entry.taxonomy.items()]
        with TemporaryDirectory(prefix="terraphim-snapshot-") as folder:
            for name, digest in entry.plugins.items():
                files.write(Path(folder) / name, self._objects.get(digest))
            rules = load_rules(Path(folder), settings.rules, cache=self._cache, policy=policy_of(settings))
        snapshot = build(settings, build_taxonomy(texts), rules)
        if snapshot.digest != entry.digest:
            refused = "; ".join(f"{Path(each.path).name} {each.message}" for each in rules.problems if not each.warning)
            why = refused or why_other(entry, snapshot, profile.identity())
            raise SnapshotError(f"snapshot {entry.name} cannot be built again: {why}")
        return snapshot

    def _path(self, entry: Entry) -> Path:
        return self.folder / f"{entry.digest}.{entry.key}.json"

    def _read(self, path: Path) -> Entry | None:
        try:
            entry = msgspec.json.decode(files.read(path, _MOST), type=Entry)
        except (files.Unusable, msgspec.MsgspecError):
            return None
        return entry if self._path(entry).name == path.name else None

    def _forget(self, most: int, newest: Entry) -> None:
        """Remove what was used longest ago, a tenth at once, for to find out what is left over costs reading all."""
        if sum(1 for _ in self.folder.glob("*.json")) <= most:
            return
        if (records := self.needed()) is None:
            return
        needed = {newest.digest, *records}
        kept = list[Entry]()
        for entry in self.list():
            if len(kept) < max(1, most - most // 10) or entry.digest in needed:
                kept.append(entry)
            else:
                self._path(entry).unlink(missing_ok=True)
        self._objects.forget(frozenset().union(*(entry.objects for entry in kept)), self._now_ms() / 1000)


def _used_ms(entry: Entry) -> int:
    return max(entry.last_ms, entry.saved_ms)
