"""Many records replayed: each by the snapshot that decided it, in as many processes as there are cores."""

import atexit
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from core.decision_record import Record, decode
from core.lab.replay import DIFFERS, NOT_REPLAYABLE, Replay, cannot, replay
from core.routing.snapshot import Snapshot
from core.snapshots import SnapshotError, SnapshotStore
from wasm_host.sandbox import Sandbox

#: Snapshots that are held in memory.
_HELD: Final = 8
#: Records that differ, of each chunk and of all, are told whole; the others are counted.
TOLD: Final = 20

NO_RECORD: Final = Replay(request_id="", at_ms=0, snapshot="", verdict=NOT_REPLAYABLE, why="it is no record")


class Means(Struct, frozen=True):
    """What a process needs to replay: folders of saved snapshots and of compiled modules; `by` is another snapshot."""

    snapshots: Path
    cache: Path
    by: str = ""


class Part(Struct):
    """What came of some records: verdicts, reasons and what was taken, counted; those that differ, as far as told.

    `recorded` and `replayed` are the SHA-256 of each record's bytes, one behind the other; of all parts together, the
    SHA-256 of that.
    """

    verdicts: dict[str, int]
    reasons: dict[str, int]
    taken: dict[str, int]
    differing: list[Replay]
    recorded: bytes
    replayed: bytes


class Replayer:
    """Replays records, one after the other. SnapshotError if `means.by` cannot be had."""

    def __init__(self, means: Means, calls: Sandbox) -> None:
        self._store = SnapshotStore(means.snapshots, means.cache)
        self._calls = calls
        self._held: OrderedDict[str, Snapshot | str] = OrderedDict()
        self._by = self._loaded(means.by) if means.by else None

    def replayed(self, plain: bytes) -> Replay:
        """What came of a record that is read from JSON."""
        try:
            record = decode(plain)
        except (msgspec.DecodeError, UnicodeError, ValueError, RecursionError):
            return NO_RECORD
        return self.replay(record)

    def replay(self, record: Record) -> Replay:
        """What came of it."""
        own = self._own(record.snapshot)
        if isinstance(own, str):
            return cannot(record, own)
        return replay(record, own, self._calls, by=self._by)

    def _own(self, digest: str) -> Snapshot | str:
        """The snapshot, or why it is not to be had."""
        if digest not in self._held:
            try:
                self._held[digest] = self._loaded(digest)
            except SnapshotError as exc:
                self._held[digest] = str(exc)
            if len(self._held) > _HELD:
                self._held.popitem(last=False)
        self._held.move_to_end(digest)
        return self._held[digest]

    def _loaded(self, reference: str) -> Snapshot:
        snapshot = self._store.load(reference)
        self._calls.load(snapshot.rules.rules)
        return snapshot


def begin(means: Means) -> Callable[[list[bytes]], Part]:
    """In a process of its own: what replays chunks of records (JSON)."""
    sandbox = Sandbox()
    atexit.register(sandbox.close)
    replayer = Replayer(means, sandbox)
    return lambda chunk: part(map(replayer.replayed, chunk))


def part(replays: Iterable[Replay]) -> Part:
    """What came of these."""
    verdicts, reasons, taken = Counter[str](), Counter[str](), Counter[str]()
    differing: list[Replay] = []
    recorded, replayed = bytearray(), bytearray()
    for each in replays:
        verdicts[each.verdict] += 1
        if each.why:
            reasons[each.why] += 1
        taken.update(f"{what}: {why}" for what, why in each.taken)
        if each.verdict == DIFFERS and len(differing) < TOLD:
            differing.append(msgspec.structs.replace(each, decision=None))
        recorded += bytes.fromhex(each.digests[0])
        replayed += bytes.fromhex(each.digests[1])
    return Part(dict(verdicts), dict(reasons), dict(taken), differing, bytes(recorded), bytes(replayed))


def added(parts: Iterable[Part]) -> Part:
    """All of them, in their order."""
    verdicts, reasons, taken = Counter[str](), Counter[str](), Counter[str]()
    differing: list[Replay] = []
    digests = sha256(), sha256()
    for each in parts:
        verdicts.update(each.verdicts)
        reasons.update(each.reasons)
        taken.update(each.taken)
        differing += each.differing[: TOLD - len(differing)]
        digests[0].update(each.recorded)
        digests[1].update(each.replayed)
    recorded, replayed = (whole.digest() for whole in digests)
    return Part(dict(verdicts), dict(reasons), dict(taken), differing, recorded, replayed)
