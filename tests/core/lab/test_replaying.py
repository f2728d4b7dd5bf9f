"""Many records, by the snapshots that were saved."""

import msgspec
import pytest
from relived import live, saved

from core.decision_record import Record
from core.lab.cores import chunks, spread
from core.lab.replay_text import sum_of, sum_text
from core.lab.replaying import TOLD, Means, Part, added, begin
from core.routing.snapshot import Snapshot
from core.snapshots import SnapshotError

TEXTS = ("hello", "do it on the cheap", "", "on the cheap, on the cheap")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> tuple[Snapshot, Means]:
    return saved(tmp_path_factory.mktemp("config"), tmp_path_factory.mktemp("home"))


def lines(shot: Snapshot, count: int, *, capture: bool = True, wrong: int = 0) -> list[bytes]:
    """Records as JSON; of the first ones the reason is not what came out."""
    made = [live(shot, request_id=f"req_{at}", capture=capture, last_user=TEXTS[at % 4]) for at in range(count)]
    made = [spoiled(record) if at < wrong else record for at, record in enumerate(made)]
    return list(map(msgspec.json.encode, made))


def spoiled(record: Record) -> Record:
    return msgspec.structs.replace(record, decision=msgspec.structs.replace(record.decision, reason="whim"))


def test_processes_and_one_process_say_the_same(lab: tuple[Snapshot, Means]) -> None:
    shot, means = lab
    plain = lines(shot, 24, wrong=2)
    parts = [list(spread(begin, means, chunks(plain, size), cores=2)) for size in (4, 24)]
    sums = [sum_of(added(each)) for each in parts]
    assert [len(each) for each in parts] == [6, 1]
    assert {name: sums[0][name] for name in ("records", "equal", "partial", "differs", "not_replayable")} == {
        "records": 24, "equal": 22, "partial": 0, "differs": 2, "not_replayable": 0,
    }  # fmt: skip
    assert [each["request_id"] for each in sums[0]["differing"]] == ["req_0", "req_1"]
    assert sums[0] == sums[1]
    assert sums[0]["sha256"]["recorded"] != sums[0]["sha256"]["replayed"]
    told = sum_text(sums[0] | {"records_per_second": 1})
    assert "24 records: 22 equal, 0 partial, 2 differ, 0 not replayable" in told


def test_equal_records_have_one_digest_for_both_sides(lab: tuple[Snapshot, Means]) -> None:
    shot, means = lab
    whole = added(spread(begin, means, chunks(lines(shot, 8, capture=False), 8)))
    assert whole.recorded == whole.replayed
    assert whole.verdicts == {"partial": 8}
    assert whole.taken == {
        "rule reads: its words were not captured": 8,
        "the pattern phase: its words were not captured": 8,
    }


def test_what_cannot_be_replayed_is_counted_by_its_reason(lab: tuple[Snapshot, Means]) -> None:
    shot, means = lab
    [plain] = lines(shot, 1)
    record = msgspec.json.decode(plain, type=Record)
    gone = msgspec.json.encode(msgspec.structs.replace(record, snapshot="f" * 64))
    whole = begin(means)([plain, gone, b'{"version": 1}', gone, b"\xff"])
    assert whole.verdicts == {"equal": 1, "not_replayable": 4}
    assert sorted(whole.reasons.values()) == [2, 2]
    assert any(why.startswith("no snapshot " + "f" * 64) for why in whole.reasons)


def test_another_snapshot_that_is_not_there_is_said_at_once(lab: tuple[Snapshot, Means]) -> None:
    with pytest.raises(SnapshotError, match="no snapshot dead0000 is saved here"):
        begin(msgspec.structs.replace(lab[1], by="dead0000"))


def test_few_are_told_and_all_are_counted(lab: tuple[Snapshot, Means]) -> None:
    shot, means = lab
    one = begin(means)(lines(shot, 1, wrong=1))
    parts = [Part(**{**msgspec.structs.asdict(one), "differing": one.differing * 7}) for _ in range(5)]
    whole = added(parts)
    assert (whole.verdicts, len(whole.differing)) == ({"differs": 5}, TOLD)
