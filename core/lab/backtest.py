"""A backtest: recorded decisions made again with a candidate in their snapshots' place, by all cores, and counted.

    records ─ chunks ─▶ processes: decide, compare, count ─ in order ─▶ money, sum

Memory holds the chunks under way, the snapshots of late, what differs, and the sessions whose caches do.
"""

import weakref
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from core.decision_record import VERSION, Record, decode
from core.lab.again import NotCaptured
from core.lab.candidate import Candidate, Parts, applied, built
from core.lab.cores import chunks, spread
from core.lab.money import Purse
from core.lab.refit import Keys
from core.lab.retrial import Pair, Part, Retrial, pair, settled
from core.lab.tally import Tally
from core.routing.snapshot import Snapshot
from core.snapshot_entry import Entry, settings_of
from core.snapshots import SnapshotError, SnapshotStore
from wasm_host.sandbox import Sandbox

#: Pairs of snapshots that a process keeps ready: records come in the order of time.
_PAIRS: Final = 8


class Given(Struct, frozen=True, kw_only=True):
    """What every process needs. `snapshots` is the folder of saved ones, `cache` that of compiled modules. `current`:
    the parts into which the candidate is put, in the place of each record's own. `keys`: see `refitted`.
    """

    candidate: Candidate
    snapshots: Path
    cache: Path
    current: Parts | None = None
    keys: Keys | None = None


def run(
    given: Given,
    records: Iterable[bytes],
    *,
    cores: int | None = None,
    told: Callable[[int], object] = lambda _: None,
) -> Tally:
    """The tally of these records (JSON, in the order of their time). `told` hears how many more are done.

    Unfit if the candidate cannot be put in a record's snapshot; ProcessDied if a process dies.
    """
    tally, purse = Tally(), Purse()
    for part in spread(Worker, given, chunks(records), cores=cores):
        tally.join(settled(part, purse))
        told(part.tally.records)
    return tally


class Worker:
    """One process's part: chunks of records to what they come to."""

    def __init__(self, given: Given) -> None:
        sandbox = Sandbox()
        weakref.finalize(self, sandbox.close)
        self._retrial = Retrial(Pairs(given, sandbox), sandbox, keys=given.keys)

    def __call__(self, chunk: list[bytes]) -> Part:
        """What this chunk comes to."""
        unreadable: list[str] = []
        part = self._retrial(_decoded(chunk, unreadable))
        part.tally.records += len(unreadable)
        part.tally.not_replayable.update(unreadable)
        return part


def _decoded(chunk: Iterable[bytes], unreadable: list[str]) -> Iterator[Record]:
    for plain in chunk:
        try:
            record = decode(plain)
        except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, RecursionError):
            unreadable.append("it is no record of this version")
            continue
        if record.version > VERSION:
            unreadable.append(f"it is a record of version {record.version}")
            continue
        yield record


class Pairs:
    """A record's snapshot beside the one with the candidate in it, by the digest of the first."""

    def __init__(self, given: Given, sandbox: Sandbox) -> None:
        self._given, self._sandbox = given, sandbox
        self._store = SnapshotStore(given.snapshots, given.cache)
        self._known: dict[str, Pair | NotCaptured] = {}
        self._current = self._built(given.current) if given.current is not None else None

    def __call__(self, digest: str) -> Pair:
        found = self._known.get(digest)
        if found is None:
            if len(self._known) >= _PAIRS:
                del self._known[next(iter(self._known))]
            found = self._known[digest] = self._pair(digest)
        if isinstance(found, NotCaptured):
            raise found
        return found

    def _pair(self, digest: str) -> Pair | NotCaptured:
        try:
            own = self._store.load(digest)
            other = self._current or self._built(parts_of(self._store, self._store.find(digest)))
        except SnapshotError as exc:
            return NotCaptured(str(exc)) if self._current is None else pair(None, self._current)
        return pair(own, other)

    def _built(self, parts: Parts) -> Snapshot:
        candidate = self._given.candidate
        snapshot = built(applied(parts, candidate), self._given.cache, must=candidate.rules)
        self._sandbox.load(snapshot.rules.rules)
        return snapshot


def parts_of(store: SnapshotStore, entry: Entry) -> Parts:
    """What a saved snapshot is made from. SnapshotError."""
    texts = {path: store.get(digest).decode() for path, digest in entry.taxonomy.items()}
    plugins = {name: store.get(digest) for name, digest in entry.plugins.items()}
    return Parts(settings_of(entry), texts, plugins)


def remarks(given: Given, record: bytes) -> list[str]:
    """What is to be said of the candidate's rules, as they are in the snapshot of this record: what they asked for and
    were not granted. Unfit if they cannot be in it. Modules are compiled by this, once for all processes.
    """
    try:
        with Sandbox() as sandbox:
            other = Pairs(given, sandbox)(decode(record).snapshot).other
    except (NotCaptured, msgspec.MsgspecError):
        return []
    mine = (rule for rule in other.rules.rules if rule.name in given.candidate.rules)
    return [f"{rule.name}: {note}" for rule in mine for note in rule.notes]
