"""The proxy saves what serves, and says which one that is."""

from pathlib import Path

import httpx
from command import Cli
from configs import write_config
from proxy import running

from core import settings
from core.generation import load_generation
from core.snapshot_saving import SnapshotSaving, serving
from core.snapshots import SnapshotStore
from prove.scene import wait

CONFIG = '[providers.here]\ndialect = "loopback"\nmodels = { a = {}, b = {} }\n[routing]\ndefault = "here,a"\n'


def test_each_that_serves_is_saved_under_the_id_that_the_proxy_says(tmp_path: Path, clean_env: dict[str, str]) -> None:
    config = write_config(tmp_path, "http://127.0.0.1:1")
    state = Path(clean_env["HOME"]) / ".local/state/terraphim-proxy"
    store = SnapshotStore(state / "snapshots", tmp_path / "cache")
    with running(clean_env, "--config", str(config)) as proxy:
        first = httpx.get(f"{proxy.url}/health").json()["snapshot"]
        config.write_text(config.read_text().replace('default = "one,main"', 'default = "one,small"'))
        second = proxy.wait_for(event="snapshot_swapped")["snapshot"]
        _, out, _ = Cli(clean_env, tmp_path)("check", "--config", config)
        assert f"snapshot {second}" in out
        wait(lambda: serving(store.folder).get(proxy.process.pid, "").startswith(second), "it is not marked")
        assert serving(store.folder) == {proxy.process.pid: store.find(second).name}
        assert [entry.id for entry in store.list()] == [second, first]
        assert store.load(first).settings.routing.default == "one,main"
        assert store.load(second).settings.routing.default == "one,small"
        assert proxy.log(event="snapshot_not_saved") == []
    assert serving(store.folder) == {}


def test_a_failure_is_said_and_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(CONFIG)
    (tmp_path / "saved").write_text("a file")
    said: list[dict[str, object]] = []
    saving = SnapshotSaving(SnapshotStore(tmp_path / "saved"), lambda fields, _: said.append(fields))
    loaded = settings.load(tmp_path / "c.toml", {"HOME": str(tmp_path), "TERRAPHIM_DISCOVERY": "off"})
    generation = load_generation(loaded, tmp_path / "cache")
    saving.keep(loaded, b"some bytes")
    saving.save(generation)
    saving.close()
    assert [(line["event"], line["snapshot"]) for line in said] == [("snapshot_not_saved", generation.snapshot.id)]


def test_the_mark_of_a_dead_process_counts_for_nothing(tmp_path: Path) -> None:
    (tmp_path / "serving").mkdir()
    (tmp_path / "serving" / "1").write_text("0123456789ab.00000000\n")
    assert serving(tmp_path) == {}
    assert list((tmp_path / "serving").iterdir()) == []
