"""What moves a snapshot's id, and what does not: in one process, and in several with other hash seeds."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from facts import settings, snapshot

from core import presets
from core import settings as settings_module
from core.generation import load_generation
from core.routing.snapshot import Snapshot
from core.routing.snapshot_id import deciding, digest_of
from core.schema import ProviderSettings

CONFIG = """\
[providers.b]
dialect = "openai"
base_url = "http://127.0.0.1:1/v1"
models = { z = {}, y = { images = true, context_window = 1000 } }
[providers.a]
dialect = "loopback"
models = { x = {} }
[routing]
default = "a,x"
runtime = { thinking = "b,y", background = "b,z" }
fallbacks = { thinking = ["a,x"], background = ["b,y"] }
[rules.one]
priority = 3
config = { q = 1, p = [2, { s = 1, r = 2 }] }
[plugins]
dir = "plugins"
[taxonomy]
dir = "taxonomy"
"""
#: The same, written by somebody else.
REWRITTEN = """\
# mine
taxonomy = { dir = "taxonomy" }
plugins.dir = "plugins"
[routing]
fallbacks = { background = ["b, y"], thinking = ["a,x"] }
default = "a, x"      # a comment
[routing.runtime]
background = "b,z"
thinking = "b,y"
[providers.a]
models.x = {}
dialect = "loopback"
[providers.b]
allow_private = true
base_url = "http://127.0.0.1:1/v1"
clocks = { total_s = 5 }
dialect = "openai"
[providers.b.models.y]
context_window = 1_000
images = true
[providers.b.models.z]
[rules]
one = { config = { p = [2, { r = 2, s = 1 }], q = 1 }, priority = 3 }
"""
CONCEPTS = {"a.md": "# A\nroute:: b, z\nsynonyms:: some words, other words\n", "b/c.md": "# C\nroute:: a, x\n"}
RULE = """\
(module (memory (export "memory") 1)
  (func (export "rule_v1_alloc") (param i32) (result i32) (i32.const 1024))
  (func (export "rule_v1_route") (param i32 i32) (result i64) (i64.const 0)))
"""
OFFLINE = """\
import sys
from pathlib import Path
from core import settings
from core.generation import load_generation
folder = Path(sys.argv[1])
loaded = settings.load(folder / "c.toml", {"HOME": str(folder)})
print(load_generation(loaded, folder / "cache").snapshot.digest)
"""


def written(folder: Path, config: str = CONFIG) -> Path:
    for name in ("plugins", "taxonomy/b"):
        (folder / name).mkdir(parents=True)
    for name, text in CONCEPTS.items():
        (folder / "taxonomy" / name).write_text(text)
    (folder / "plugins" / "one.wat").write_text(RULE)
    (folder / "plugins" / "one.toml").write_text('config = { t = 3 }\ntags = { b = ["y", "x"], a = ["z"] }\n')
    (folder / "c.toml").write_text(config)
    return folder


def built(folder: Path) -> Snapshot:
    loaded = settings_module.load(folder / "c.toml", {"HOME": str(folder)})
    return load_generation(loaded, folder / "cache").snapshot


def test_how_files_are_written_and_where_they_are_is_no_matter(tmp_path: Path) -> None:
    here = built(written(tmp_path / "here"))
    there = written(tmp_path / "there" / "deep", REWRITTEN)
    texts = {"a.md": "---\n---\n# A\n\nsynonyms:: other words\nsynonyms:: some words\nroute:: b, z\n\nWords.\n"}
    (there / "taxonomy" / "a.md").write_text(texts["a.md"])
    assert built(there).digest == here.digest
    assert list(built(there).targets) == list(here.targets)
    assert built(there).target_views == here.target_views


def test_another_process_finds_the_same_whatever_its_hashes_are(tmp_path: Path) -> None:
    folder = written(tmp_path / "f")
    digests = {built(folder).digest}
    for seed in ("1", "2"):
        env = {"HOME": str(tmp_path), "PATH": os.defpath, "PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", OFFLINE, str(folder)]
        done = subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, check=True)
        digests.add(done.stdout.strip())
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        ('default = "a,x"', 'default = "b,y"', "settings"),
        ("images = true", "images = false", "settings"),
        ("priority = 3", "priority = 4", "settings"),
        ("[taxonomy]", '[sessions]\nsticky = false\n[taxonomy]\nscoring = "legacy"', "settings"),
        ('"http://127.0.0.1:1/v1"', '"http://127.0.0.1:2/v1"', "settings"),
    ],
)
def test_what_decides_moves_the_id_and_its_part(tmp_path: Path, old: str, new: str, part: str) -> None:
    folder = written(tmp_path / "f")
    before = built(folder)
    (folder / "c.toml").write_text(CONFIG.replace(old, new))
    after = built(folder)
    assert after.digest != before.digest
    assert part in {name for name in before.parts if before.parts[name] != after.parts[name]}


@pytest.mark.parametrize(
    ("file", "text", "part"),
    [
        ("taxonomy/a.md", "# A\nroute:: b, y\nsynonyms:: some words, other words\n", "taxonomy"),
        ("taxonomy/d.md", "# D\nroute:: b, y\n", "taxonomy"),
        ("plugins/one.wat", RULE.replace("i64.const 0", "i64.const 1"), "rules"),
        ("plugins/one.toml", 'config = { t = 4 }\ntags = { b = ["y", "x"], a = ["z"] }\n', "rules"),
        ("plugins/two.wat", RULE, "rules"),
    ],
)
def test_files_move_their_own_part_alone(tmp_path: Path, file: str, text: str, part: str) -> None:
    folder = written(tmp_path / "f")
    before = built(folder)
    (folder / file).write_text(text)
    after = built(folder)
    assert {name for name in before.parts if before.parts[name] != after.parts[name]} == {part}
    assert after.digest != before.digest


def test_the_digest_is_of_all_parts() -> None:
    parts = dict(snapshot().parts)
    assert digest_of(parts) == snapshot().digest
    assert set(parts) == {"settings", "taxonomy", "rules", "catalogue", "vocabularies", "code"}
    for name in parts:
        assert digest_of(parts | {name: "other"}) != snapshot().digest


def test_simulated_answers_are_another_snapshot() -> None:
    real, simulated = presets.embedded({"openai"}, {}), settings()
    assert snapshot(real.model_copy(update={"simulated": True})).digest != snapshot(real).digest
    assert deciding(simulated)["simulated"] is True


def test_no_name_of_a_key_is_in_it() -> None:
    def shown(**keys: Any) -> dict[str, Any]:
        provider = ProviderSettings(dialect="openai", base_url="http://127.0.0.1:1", **keys)
        return deciding(settings().model_copy(update={"providers": {"p": provider}}))

    found = [shown(api_key={"env": "A"}), shown(api_keys=[{"env": "A"}, {"file": "/b"}]), shown()]
    assert found[0] == found[1] == found[2]
    assert "api_key" not in str(found[0])
