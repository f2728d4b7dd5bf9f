"""Files put back as they were, without the command line: which, how, and what is never touched or lost."""

from functools import partial
from pathlib import Path

import pytest
from configs import HERE

from core import settings
from core.errors import ConfigError
from core.generation import load_generation
from core.rollback import before, carry_out, plan
from core.snapshot_entry import Entry
from core.snapshots import SnapshotError, SnapshotStore
from core.swap_lock import NAME, reading
from prove.guests import always

FIRST = {
    "c.toml": HERE,
    "taxonomy/a.md": "# A\nroute:: here, b\nsynonyms:: one two\n",
    "taxonomy/deep/b.md": "# B\nsynonyms:: three four\n",
    "plugins/one.wat": always('{"abstain":true,"reason":"x"}'),
    "plugins/one.toml": "priority = 4\n",
}
FOREIGN = {
    "plugins/notes.txt": "mine",
    "plugins/other.toml": "no = 'module'\n",
    "taxonomy/README.md": "# How to\n",
    "taxonomy/.hidden.md": "# H\n",
    "key": "the-secret",
}
SECOND = {
    "c.toml": HERE.replace("here,a", "here,b"),
    "taxonomy/a.md": "# A\nroute:: here, a\nsynonyms:: one two\n",
    "taxonomy/new.md": "# New\nsynonyms:: five six\n",
    "plugins/one.wat": always('{"abstain":true,"reason":"y"}'),
    "plugins/two.wat": always('{"abstain":true}'),
    "plugins/two.toml": "priority = 5\n",
}


def put(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def state(folder: Path) -> dict[str, str]:
    parts = [folder / "c.toml", folder / "key", *(folder / "taxonomy").rglob("*"), *(folder / "plugins").rglob("*")]
    return {path.relative_to(folder).as_posix(): path.read_text() for path in parts if path.is_file()}


class Place:
    """A configuration and its saved snapshots."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.ms = folder, 1_000_000
        self.store = SnapshotStore(folder / "saved", folder / "cache", now_ms=self.tick)

    def tick(self) -> int:
        self.ms += 1
        return self.ms

    def serve(self) -> Entry:
        loaded = settings.load(self.folder / "c.toml", {"HOME": str(self.folder), "TERRAPHIM_DISCOVERY": "off"})
        generation = load_generation(loaded, self.folder / "cache", keep=partial(self.store.keep, loaded))
        return self.store.save(generation, served=True)

    def back(self, entry: Entry, present: Entry | None) -> list[str]:
        steps = plan(self.store, entry, self.folder / "c.toml", present.objects if present else frozenset())
        carry_out(self.store.folder, entry.name, steps)
        return [str(step) for step in steps]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    put(tmp_path, FIRST | FOREIGN)
    return Place(tmp_path)


def test_everything_is_as_it_was_and_what_is_foreign_stays(place: Place) -> None:
    first, was = place.serve(), state(place.folder)
    (place.folder / "taxonomy/deep/b.md").unlink()
    put(place.folder, SECOND)
    second = place.serve()
    assert before(place.store, place.folder / "c.toml", second) == first
    told = place.back(first, second)
    assert state(place.folder) == was
    assert place.serve().digest == first.digest
    assert len(told) == 7
    assert told[-1] == f"write {place.folder / 'c.toml'}"
    assert sum(line.startswith("remove ") for line in told) == 3
    assert before(place.store, place.folder / "c.toml", first).digest == second.digest
    place.back(second, first)
    assert place.serve().digest == second.digest
    assert plan(place.store, second, place.folder / "c.toml", second.objects) == []


def test_what_is_saved_nowhere_stays_beside_its_file(place: Place) -> None:
    first = place.serve()
    put(place.folder, {"c.toml": "[routing\n", "plugins/one.wat": "(module", "plugins/bad.wasm": "no module"})
    told = place.back(first, None)
    assert (place.folder / "c.toml.rolled-back").read_text() == "[routing\n"
    assert (place.folder / "plugins/one.wat.rolled-back").read_text() == "(module"
    assert (place.folder / "plugins/bad.wasm.rolled-back").read_text() == "no module"
    assert not (place.folder / "plugins/bad.wasm").exists()
    assert all(line.endswith(".rolled-back)") for line in told)
    assert place.serve().digest == first.digest


def test_the_mode_of_a_file_stays(place: Place) -> None:
    first = place.serve()
    put(place.folder, SECOND)
    (place.folder / "c.toml").chmod(0o600)
    place.back(first, place.serve())
    assert (place.folder / "c.toml").stat().st_mode & 0o777 == 0o600


def test_what_was_cut_short_is_not_read_before_it_is_done_again(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    first = place.serve()
    put(place.folder, SECOND)
    second = place.serve()
    steps = plan(place.store, first, place.folder / "c.toml", second.objects)

    def die(step: object) -> None:
        if step is steps[3]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        carry_out(place.store.folder, first.name, steps, die)
    with pytest.raises(ConfigError, match="half of each"), reading(place.store.folder):
        pass
    place.back(first, second)
    with reading(place.store.folder):
        assert (place.store.folder / NAME).read_text() == ""
    assert place.serve().digest == first.digest


def test_what_cannot_be_done_is_said_with_what_can(place: Place, tmp_path: Path) -> None:
    first = place.serve()
    with pytest.raises(SnapshotError, match=r"no other snapshot of .* has served"):
        before(place.store, place.folder / "c.toml", first)
    with pytest.raises(SnapshotError, match=f"say --config {place.folder / 'c.toml'}"):
        plan(place.store, first, place.folder / "d.toml", frozenset())
    loaded = settings.load(None, {"HOME": str(tmp_path), "TERRAPHIM_DISCOVERY": "off"})
    embedded = load_generation(loaded, tmp_path / "cache", keep=partial(place.store.keep, loaded))
    with pytest.raises(SnapshotError, match="there is no configuration file"):
        plan(place.store, place.store.save(embedded), place.folder / "c.toml", frozenset())
    for digest in first.taxonomy.values():
        (place.store.folder / "objects" / digest).unlink()
    with pytest.raises(SnapshotError, match="a file of the snapshot"):
        plan(place.store, first, place.folder / "c.toml", frozenset())
