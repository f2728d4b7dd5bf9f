"""Saved snapshots, without a proxy: what is kept, what comes out again, what is refused."""

import hashlib
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import msgspec
import pytest
from facts import ROOT

from core import presets, settings, snapshots
from core.generation import Generation, load_generation
from core.rollout import Move, stage_of
from core.settings import Loaded
from core.snapshots import SnapshotError, SnapshotStore
from core.state.rollouts import RolloutFile
from wasm_host.audit import lock_of
from wasm_host.signature import SigningKey
from wasm_host.trust import render_lock

CANARY = "sk-canary-0123456789abcdef"
CONFIG = """\
[providers.here]
dialect = "openai"
base_url = "http://127.0.0.1:1"
api_key = { env = "HERE_KEY" }
models = { a = {}, b = { images = true } }
[providers.openai]
models = { "gpt-5" = { tools = false } }
[routing]
default = "here,a"
[rules.one]
priority = 7
grant = ["request.last_user"]
config = { words = ["x"] }
[plugins]
dir = "plugins"
[taxonomy]
dir = "taxonomy"
"""
CONCEPT = "# Greeting\nroute:: here, b\nsynonyms:: good day\n"
RULE = """\
(module (memory (export "memory") 1)
  (func (export "rule_v1_alloc") (param i32) (result i32) (i32.const 1024))
  (func (export "rule_v1_route") (param i32 i32) (result i64) (i64.const 0)))
"""
ENV = {"HERE_KEY": CANARY, "TERRAPHIM_DISCOVERY": "off"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("plugins", "taxonomy/below"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "c.toml").write_text(CONFIG)
    (tmp_path / "taxonomy" / "below" / "greeting.md").write_text(CONCEPT)
    (tmp_path / "plugins" / "one.wat").write_text(RULE)
    (tmp_path / "plugins" / "one.toml").write_text("[rule]\nversion = '1'\n")
    return tmp_path


class Clock:
    """Each look is a second later."""

    now_ms = 1_000_000_000_000

    def __call__(self) -> int:
        self.now_ms += 1000
        return self.now_ms


def store(folder: Path, needed: frozenset[str] = frozenset()) -> SnapshotStore:
    return SnapshotStore(folder / "saved", folder / "cache", now_ms=Clock(), needed=lambda: needed)


def read(folder: Path, kept: SnapshotStore, env: Mapping[str, str] = ENV) -> Generation:
    loaded: Loaded = settings.load(folder / "c.toml", {"HOME": str(folder), **env})
    return load_generation(loaded, folder / "cache", keep=partial(kept.keep, loaded))


def variant(folder: Path, number: int) -> None:
    (folder / "c.toml").write_text(CONFIG.replace("priority = 7", f"priority = {number}"))


def test_what_is_saved_comes_out_again(folder: Path) -> None:
    kept = store(folder)
    generation = read(folder, kept)
    entry = kept.save(generation, note="before the holidays")
    for name in ("c.toml", "taxonomy/below/greeting.md", "plugins/one.wat", "plugins/one.toml"):
        (folder / name).unlink()
    again = store(folder)
    for reference in (entry.digest, entry.id, entry.digest[:4], entry.name, entry.id.upper()):
        shot = again.load(reference)
        assert shot.digest == generation.snapshot.digest
        assert shot.settings == generation.loaded.settings
        assert shot.settings.simulated is False
        assert shot.taxonomy == generation.snapshot.taxonomy
        assert shot.targets == generation.snapshot.targets
        assert shot.rules.identity() == generation.snapshot.rules.identity()
    assert again.list() == (entry,)
    assert again.get(entry.config).decode() == CONFIG
    assert (entry.note, entry.by_hand, entry.served_ms, entry.config_path) == (
        "before the holidays",
        True,
        0,
        str(folder / "c.toml"),
    )


def test_the_embedded_default_comes_out_again(tmp_path: Path) -> None:
    kept = store(tmp_path)
    loaded = settings.load(None, {"HOME": str(tmp_path), "TERRAPHIM_DISCOVERY": "off"}, taxonomy=ROOT / "taxonomy")
    generation = load_generation(loaded, tmp_path / "cache", keep=partial(kept.keep, loaded))
    entry = kept.save(generation)
    shot = kept.load(entry.id)
    assert (shot.digest, shot.settings.simulated) == (generation.snapshot.digest, True)
    assert shot.targets == generation.snapshot.targets
    assert entry.withheld
    assert len(entry.taxonomy) == len(generation.texts) > 3
    assert presets.embedded(set(), {}).simulated


def test_everything_is_for_our_user_alone(folder: Path) -> None:
    kept = store(folder)
    kept.save(read(folder, kept))
    for path in [kept.folder, *kept.folder.rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path


def test_what_does_not_change_is_kept_once(folder: Path) -> None:
    kept = store(folder)
    one = kept.save(read(folder, kept))
    variant(folder, 8)
    two = kept.save(read(folder, kept))
    assert one.digest != two.digest
    assert one.plugins == two.plugins
    assert len(list((kept.folder / "objects").iterdir())) == 5  # two configurations, a text, a module, a manifest


def test_settings_that_decide_nothing_are_told_apart_under_one_id(folder: Path) -> None:
    kept = store(folder)
    one = kept.save(read(folder, kept))
    (folder / "c.toml").write_text(CONFIG + "[limits]\nrequests_per_minute = 3\n")
    two = kept.save(read(folder, kept))
    assert one.digest == two.digest
    assert one.key != two.key
    assert kept.find(one.id) == two
    assert kept.find(one.name) == one
    assert kept.load(one.name).settings.limits.requests_per_minute is None
    assert kept.load(two.name).settings.limits.requests_per_minute == 3


def test_serving_again_is_remembered_and_nothing_of_before_lost(folder: Path) -> None:
    kept = store(folder)
    first = kept.save(read(folder, kept), note="mine")
    served = kept.save(read(folder, kept), served=True)
    again = kept.save(read(folder, kept), served=True)
    assert len(kept.list()) == 1
    assert (again.note, again.by_hand, again.saved_ms) == ("mine", True, first.saved_ms)
    assert first.served_ms == 0 < served.served_ms == again.served_ms < again.last_ms
    assert served.last_ms < again.last_ms


def test_a_signed_and_locked_rule_comes_out_signed(folder: Path) -> None:
    key, module = SigningKey.generate(folder / "key"), folder / "plugins" / "one.wat"
    module.with_name("one.wat.sig").write_bytes(key.sign(hashlib.sha256(module.read_bytes()).digest()))
    (folder / "plugins" / "plugins.lock").write_bytes(render_lock(lock_of(folder / "plugins")))
    policy = f'require_lock = true\nrequire_signature = true\npublic_keys = ["{key.public}"]\n'
    (folder / "c.toml").write_text(CONFIG.replace("[plugins]\n", f"[plugins]\n{policy}"))
    kept = store(folder)
    entry = kept.save(read(folder, kept))
    assert set(entry.plugins) == {"one.wat", "one.wat.sig", "one.toml", "plugins.lock"}
    shot = kept.load(entry.id)
    assert [(rule.name, rule.trust) for rule in shot.rules.rules] == [("one", "signed")]


@pytest.mark.parametrize("reference", ["", "abc", "xyzw", "0" * 65, "../../etc", "0123456789ab"])
def test_what_is_not_there_is_said(folder: Path, reference: str) -> None:
    with pytest.raises(SnapshotError, match=r"hex digits|is saved here"):
        store(folder).load(reference)


def test_a_beginning_of_two_ids_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = store(folder)
    entry = kept.save(read(folder, kept))
    other = msgspec.structs.replace(entry, digest=entry.digest[:10] + "f" * 54)
    (kept.folder / f"{other.digest}.{other.key}.json").write_bytes(msgspec.json.encode(other))
    (kept.folder / f"{other.digest}.{other.key}.json").chmod(0o600)
    with pytest.raises(SnapshotError, match="2 ids"):
        kept.find(entry.digest[:8])
    assert kept.find(entry.id) == entry


def test_a_saved_file_that_was_changed_is_refused(folder: Path) -> None:
    kept = store(folder)
    entry = kept.save(read(folder, kept))
    module = kept.folder / "objects" / entry.plugins["one.wat"]
    module.write_bytes(module.read_bytes() + b"\n")
    with pytest.raises(SnapshotError, match="damaged"):
        kept.load(entry.id)
    module.unlink()
    with pytest.raises(SnapshotError, match="cannot be read"):
        kept.load(entry.id)


def test_an_entry_that_was_edited_is_none(folder: Path) -> None:
    kept = store(folder)
    entry = kept.save(read(folder, kept))
    [path] = kept.folder.glob("*.json")
    path.write_text(path.read_text().replace("request.last_user", "request.system"))
    assert kept.list() == ()
    path.write_text("{")
    assert kept.list() == ()
    with pytest.raises(SnapshotError, match="is saved here"):
        kept.load(entry.id)


def test_another_version_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = store(folder)
    entry = kept.save(read(folder, kept))
    with monkeypatch.context() as patch:
        patch.setattr("core.routing.snapshot_id.__version__", "9.9.9")
        with pytest.raises(SnapshotError, match=r"saved by version 0\.1\.0 .* this is 9\.9\.9"):
            kept.load(entry.id)
    with monkeypatch.context() as patch:
        patch.setattr("core.routing.snapshot_id.vocabularies", lambda: "0" * 64)
        with pytest.raises(SnapshotError, match="the vocabularies"):
            kept.load(entry.id)
    assert kept.load(entry.id).digest == entry.digest


def test_settings_that_this_version_does_not_know_are_refused(folder: Path) -> None:
    kept = store(folder)
    entry = kept.save(read(folder, kept))
    other = msgspec.structs.replace(entry, settings={**entry.settings, "of_tomorrow": 1})
    (kept.folder / f"{other.digest}.{other.key}.json").write_bytes(msgspec.json.encode(other))
    with pytest.raises(SnapshotError, match=r"(?s)are of version 0\.1\.0 .*of_tomorrow"):
        kept.load(other.name)


def test_no_key_gets_into_it(folder: Path) -> None:
    kept = store(folder)
    kept.save(read(folder, kept))
    (folder / "c.toml").write_text(f"# the old one was {CANARY}\n{CONFIG}")
    entry = kept.save(read(folder, kept))
    assert (entry.config, entry.withheld) == ("", "a key, or what may be one, stands in it")
    (folder / "c.toml").write_text(CONFIG.replace('"HERE_KEY"', f'"{CANARY}"'))
    entry = kept.save(read(folder, kept, {}))
    assert (entry.config, entry.settings["providers"]["here"]["api_key"]) == ("", {"env": "WITHHELD"})
    assert kept.load(entry.id).digest == entry.digest
    (folder / "c.toml").write_text(CONFIG)
    for name in ("taxonomy/below/greeting.md", "plugins/one.wat", "plugins/one.toml"):
        text = (folder / name).read_text()
        mark = "" if name.endswith(".md") else ";; " if name.endswith(".wat") else "# "
        (folder / name).write_text(f"{text}{mark}{CANARY}\n")
        with pytest.raises(SnapshotError, match="a key stands in it"):
            kept.save(read(folder, kept))
        (folder / name).write_text(text)
    for path in kept.folder.rglob("*"):
        assert not path.is_file() or CANARY.encode() not in path.read_bytes()


def test_the_oldest_go_but_not_those_that_are_needed(folder: Path) -> None:
    kept = store(folder)
    first = kept.save(read(folder, kept))
    kept = store(folder, frozenset({first.digest}))
    saved = []
    for number in range(10, 16):
        variant(folder, number)
        saved.append(kept.save(read(folder, kept), served=True, most=4))
    assert {entry.name for entry in kept.list()} >= {first.name, saved[-1].name, saved[-2].name}
    assert saved[0].name not in {entry.name for entry in kept.list()}
    assert len(kept.list()) <= 5
    assert kept.load(first.id).digest == first.digest


def test_nothing_goes_while_nobody_knows_what_is_needed(folder: Path) -> None:
    kept = store(folder)
    kept.needed = lambda: None
    for number in range(10, 14):
        variant(folder, number)
        kept.save(read(folder, kept), served=True, most=2)
    assert len(kept.list()) == 4


def test_what_is_left_over_goes_when_it_is_old(folder: Path) -> None:
    kept = store(folder)
    objects = kept.folder / "objects"
    variant(folder, 1)
    gone = kept.save(read(folder, kept))
    for number in range(2, 6):
        variant(folder, number)
        for path in objects.iterdir():
            os.utime(path, (1, 1))
        kept.save(read(folder, kept), served=True, most=2)
    assert not (objects / gone.config).exists()
    assert all((objects / digest).exists() for entry in kept.list() for digest in entry.objects)


def test_a_module_that_broke_is_saved_as_it_serves(folder: Path) -> None:
    kept = store(folder)
    before = read(folder, kept)
    (folder / "plugins" / "one.wat").write_text("(module")
    generation = load_generation(before.loaded, folder / "cache", before, keep=partial(kept.keep, before.loaded))
    assert generation.snapshot.digest == before.snapshot.digest
    entry = kept.save(generation)
    assert kept.get(entry.plugins["one.wat"]).decode() == RULE
    assert kept.load(entry.id).digest == before.snapshot.digest


def test_a_folder_that_cannot_be_written_is_said(folder: Path) -> None:
    (folder / "saved").write_text("a file")
    kept = store(folder)
    with pytest.raises(SnapshotError, match=str(folder / "saved")):
        kept.save(read(folder, kept))
    assert kept.list() == ()


def test_what_was_not_kept_cannot_be_saved(folder: Path) -> None:
    kept = store(folder)
    loaded = settings.load(folder / "c.toml", {"HOME": str(folder), **ENV})
    with pytest.raises(SnapshotError, match=r"one\.wat could not be kept"):
        kept.save(load_generation(loaded, folder / "cache"))


def test_the_name_of_the_folder_is_fixed() -> None:
    assert snapshots.NAME == "snapshots"


def test_how_far_a_rule_was_rolled_out_comes_out_again_wherever_it_is_by_now(folder: Path) -> None:
    kept, moves = store(folder), RolloutFile(settings.state_dir({"HOME": str(folder)}))
    ids = {}
    for to in ("shadow", "canary 12.5%", "enforce"):
        rule = read(folder, kept).files.rules[0]
        move = Move(
            rule="one",
            module=rule.sha256,
            at=datetime(2026, 11, 23, tzinfo=UTC),
            action="promote",
            came_from="shadow",
            to=to,
            by="ann",
        )
        moves.change(lambda _, move=move: move)  # type: ignore[misc]
        ids[to] = kept.save(read(folder, kept)).id
    moves.path.unlink()
    for to, saved in ids.items():
        assert str(stage_of(store(folder).load(saved).rules.rules[0])) == to
