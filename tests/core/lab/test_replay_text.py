"""What people and programs are told of replays."""

import msgspec
import pytest
from relived import live, saved

from core.lab.replay_text import facts_of, sum_of, sum_text, text_of
from core.lab.replaying import Means, Replayer, begin
from core.routing.snapshot import Snapshot
from wasm_host.sandbox import Sandbox


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> tuple[Snapshot, Means]:
    return saved(tmp_path_factory.mktemp("config"), tmp_path_factory.mktemp("home"))


def test_one_record_is_told_step_by_step(lab: tuple[Snapshot, Means]) -> None:
    shot, means = lab
    with Sandbox() as box:
        found = Replayer(means, box).replay(live(shot, last_user="on the cheap"))
    told, facts = text_of(found, show=True), facts_of(found, show=True)
    assert f"req_1  snapshot {shot.id}  partial" in told
    assert "  custom    abstain   rule=reads, fuel=" in told
    assert "  pattern   decided   target=here,b" in told
    assert "  from the record: rule reads: its words were not captured" in told
    assert told.count(found.recorded.decode()) == 2
    assert facts["sha256"]["recorded"] == facts["sha256"]["replayed"]
    assert facts["bytes"]["replayed"] == found.replayed.decode()
    assert [step["phase"] for step in facts["trace"]] == ["custom", "runtime", "gate", "pattern"]


def test_what_differs_is_told_with_both_sides(lab: tuple[Snapshot, Means]) -> None:
    shot, means = lab
    record = live(shot, last_user="on the cheap", capture=True)
    first = msgspec.structs.replace(record.asked[0], fuel=1)
    with Sandbox() as box:
        found = Replayer(means, box).replay(msgspec.structs.replace(record, asked=(first,)))
    told = text_of(found)
    assert "  differs in custom, rule reads: fuel\n    recorded 1\n    replayed " in told
    assert "bytes" not in facts_of(found)


def test_words_for_a_terminal_do_nothing(lab: tuple[Snapshot, Means]) -> None:
    shot, means = lab
    record = live(shot, last_user="on the cheap", capture=True)
    evil = msgspec.structs.replace(record.decision, reason="\x1b[2J\x9b")
    plain = msgspec.json.encode(msgspec.structs.replace(record, decision=evil))
    told = sum_text(sum_of(begin(means)([plain])) | {"records_per_second": 1})
    assert "req_1 differs" in told
    assert all(char.isprintable() or char == "\n" for char in told)
