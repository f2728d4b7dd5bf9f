"""Whole backtests: records on disk, saved snapshots, several processes."""

import tracemalloc
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from facts import features
from relived import CHEAP, CHEAPEST, CLEVER, LOOPS, kept

from core import settings
from core.decision_record import Record, Result, record_of
from core.exchange import Exchange, Inputs, SessionState, Target
from core.generation import load_generation
from core.lab.backtest import Given, Pairs, parts_of, run
from core.lab.candidate import Candidate, Unfit, built, read
from core.lab.report import report
from core.lab.tally import Tally
from core.messages import Usage
from core.routing.decide import decide
from core.routing.snapshot import Snapshot
from core.snapshots import SnapshotStore
from wasm_host.sandbox import Sandbox

CONFIG = f"""\
[providers.deepseek]
dialect = "loopback"
models = {{ "deepseek-chat" = {{ price = {{ input = 1.0, output = 2.0, cache_read = 0.1 }} }} }}
[providers.openrouter]
dialect = "loopback"
models = {{ "google/gemini-2.5-flash" = {{ price = {{ input = 10.0, output = 20.0, cache_read = 1.0 }} }} }}
[routing]
default = "{CLEVER}"
order = ["custom", "pattern", "default"]
[plugins]
dir = "plugins"
[taxonomy]
dir = "taxonomy"
"""
USAGE = Usage(input=5000, output=10)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration with nothing in its folders, and a candidate beside it."""
    folder = tmp_path_factory.mktemp("home")
    for name in ("plugins", "taxonomy"):
        (folder / name).mkdir()
    (folder / "config.toml").write_text(CONFIG)
    (folder / "cheap.wat").write_text(CHEAPEST)
    return folder


@pytest.fixture(scope="module")
def shot(home: Path) -> Snapshot:
    """Its snapshot, saved."""
    store = SnapshotStore(home / "saved", home / "cache")
    loaded = settings.load(home / "config.toml", {"HOME": str(home), "TERRAPHIM_DISCOVERY": "off"})
    generation = load_generation(loaded, home / "cache", keep=partial(store.keep, loaded))
    store.save(generation)
    return generation.snapshot


def given(home: Path, *names: str, **more: Any) -> Given:
    candidate = read([home / name for name in names])
    return Given(candidate=candidate, snapshots=home / "saved", cache=home / "cache", **more)


def recorded(shot: Snapshot, number: int, **facts: Any) -> Record:
    """The record of one of many requests of a few sessions."""
    inputs = Inputs(features(session_id=f"s{number // 4}", seed=number, **facts), SessionState())
    exchange = Exchange(f"req_{number:05}", "/v1/messages", "anthropic", snapshot=shot.digest, inputs=inputs)
    exchange.began_ms = 1_763_800_000_000 + number * 1000
    decision = decide(shot, inputs.features, inputs.session)
    try:
        next(decision)
    except StopIteration as end:
        exchange.decision = end.value
    record = record_of(exchange, shot, 1.0, capture=False)
    assert record is not None
    result = Result(answered_by=Target.parse(CLEVER), usage=USAGE)
    return kept(msgspec.structs.replace(record, result=result))


def lines(shot: Snapshot, count: int) -> Iterator[bytes]:
    """Records as they lie in the ledger; every tenth names its target."""
    for number in range(count):
        facts = {"model": CLEVER} if number % 10 == 0 else {}
        yield msgspec.json.encode(recorded(shot, number, **facts))


def test_a_saved_snapshot_is_built_again_from_its_parts(home: Path, shot: Snapshot) -> None:
    store = SnapshotStore(home / "saved", home / "cache")
    assert built(parts_of(store, store.find(shot.digest)), home / "cache").digest == shot.digest


def test_the_same_bytes_on_any_number_of_cores(home: Path, shot: Snapshot) -> None:
    found = [
        msgspec.json.encode(report(run(given(home, "cheap.wat"), lines(shot, 500), cores=cores), ["c"], "", "record"))
        for cores in (1, 2)
    ]
    assert found[0] == found[1]


def test_what_is_counted(home: Path, shot: Snapshot) -> None:
    tally = run(given(home, "cheap.wat"), lines(shot, 100), cores=1)
    assert (tally.records, tally.replayed, tally.money.requests) == (100, 100, 100)
    assert {key: kind.count for key, kind in tally.flips.items()} == {(CLEVER, CHEAP): 90}
    assert tally.rules["cheap"].won == {"default": 90}
    # A session is four requests: its first at the other target finds no cache there. Who names the dear one pays that.
    dear, cold, warm = (5000 * price + 10 * answer for price, answer in ((10, 20), (1, 2), (0.1, 2)))
    assert tally.money.base == 100 * dear * 1_000_000
    assert tally.money.candidate == (10 * dear + 25 * cold + 65 * warm) * 1_000_000


def test_progress_is_told_record_for_record(home: Path, shot: Snapshot) -> None:
    told: list[int] = []
    run(given(home, "cheap.wat"), lines(shot, 450), cores=1, told=told.append)
    assert told == [200, 200, 50]


def test_memory_does_not_grow_with_the_log(home: Path, shot: Snapshot) -> None:
    """Each request is of another session, and goes elsewhere: they are forgotten when their caches have expired."""
    work, one = given(home, "cheap.wat"), recorded(shot, 1)

    def many(count: int) -> Iterator[bytes]:
        for number in range(count):
            seen = msgspec.structs.replace(one.inputs.features, session_id=f"~{number}")
            inputs = msgspec.structs.replace(one.inputs, features=seen)
            at_ms = one.at_ms + number * 60_000
            yield msgspec.json.encode(msgspec.structs.replace(one, at_ms=at_ms, inputs=inputs))

    def most(count: int) -> int:
        tracemalloc.reset_peak()
        assert run(work, many(count), cores=1).money.requests == count
        return tracemalloc.get_traced_memory()[1]

    tracemalloc.start()
    try:
        most(250)  # what is made once
        few, much = most(1200), most(3600)
    finally:
        tracemalloc.stop()
    assert much - few < 200_000, (few, much)


def test_a_configuration_in_the_place_of_each_records_own(home: Path, shot: Snapshot) -> None:
    (home / "other.toml").write_text(CONFIG.replace(f'default = "{CLEVER}"', f'default = "{CHEAP}"'))
    tally = run(given(home, "other.toml"), lines(shot, 20), cores=1)
    assert {key: kind.count for key, kind in tally.flips.items()} == {(CLEVER, CHEAP): 18}


def test_a_concept_needs_the_words(home: Path, shot: Snapshot) -> None:
    (home / "thrift.md").write_text(f"# Thrift\nroute:: {CHEAP}\nsynonyms:: hello\n")
    tally = run(given(home, "thrift.md"), lines(shot, 20), cores=1)
    assert (tally.replayed, tally.not_replayable) == (2, {"the pattern phase": 18})


def test_a_record_whose_snapshot_is_gone_is_not_replayable(home: Path, shot: Snapshot) -> None:
    gone = msgspec.structs.replace(recorded(shot, 1), snapshot="f" * 64)
    tally = run(given(home, "cheap.wat"), [msgspec.json.encode(gone)], cores=1)
    assert tally.replayed == 0
    assert list(tally.not_replayable) == [f"no snapshot {'f' * 64} is saved here: see terraphim-proxy snapshot list"]


def test_by_the_present_configuration_it_is(home: Path, shot: Snapshot) -> None:
    store = SnapshotStore(home / "saved", home / "cache")
    present = parts_of(store, store.find(shot.digest))
    gone = msgspec.structs.replace(recorded(shot, 1), snapshot="f" * 64)
    tally = run(given(home, "cheap.wat", current=present), [msgspec.json.encode(gone)], cores=1)
    assert list(tally.flips) == [(CLEVER, CHEAP)]


def test_what_is_no_record_is_counted(home: Path, shot: Snapshot) -> None:
    newer = msgspec.structs.replace(recorded(shot, 1), version=99)
    tally = run(given(home, "cheap.wat"), [b"{", b'{"request_id":1}', msgspec.json.encode(newer)], cores=1)
    assert (tally.records, tally.replayed) == (3, 0)
    assert tally.not_replayable == {"it is no record of this version": 2, "it is a record of version 99": 1}


def test_a_candidate_that_is_refused_ends_it(home: Path, shot: Snapshot) -> None:
    (home / "bad.wat").write_text("(module")
    with pytest.raises(Unfit, match=r"bad\.wat: "):
        run(given(home, "bad.wat"), lines(shot, 250), cores=1)


def test_faults_do_not_end_it(home: Path, shot: Snapshot) -> None:
    (home / "loops.wat").write_text(LOOPS)
    (home / "few.toml").write_text("[rules.loops.limits]\nfuel = 10000\n")
    tally = run(given(home, "loops.wat", "few.toml"), lines(shot, 20), cores=1)
    assert (tally.rules["loops"].faults, tally.flips) == ({"fuel": 18}, {})


def test_snapshots_are_made_once_and_not_kept_for_ever(home: Path, shot: Snapshot) -> None:
    with Sandbox() as sandbox:
        pairs = Pairs(given(home, "cheap.wat"), sandbox)
        assert pairs(shot.digest) is pairs(shot.digest)


def test_an_empty_log_is_an_empty_tally(home: Path) -> None:
    tally = run(Given(candidate=Candidate(), snapshots=home, cache=home), [], cores=2)
    assert msgspec.structs.asdict(tally) == msgspec.structs.asdict(Tally())
