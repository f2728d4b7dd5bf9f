from pathlib import Path

import pytest
from command import Cli
from configs import write_config

from core import settings
from core.generation import load_generation
from core.snapshot_saving import SnapshotSaving
from core.snapshots import NAME, SnapshotStore


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_config(tmp_path, "http://127.0.0.1:1")


@pytest.fixture
def cli(clean_env: dict[str, str], tmp_path: Path) -> Cli:
    return Cli(clean_env, tmp_path)


def served(cli: Cli, config: Path) -> str:
    """As if a proxy had served the files of now; the snapshot's name."""
    store = SnapshotStore(settings.state_dir(cli.env) / NAME, settings.cache_dir(cli.env))
    saving = SnapshotSaving(store, lambda *_: None)
    loaded = settings.load(config, cli.env)
    generation = load_generation(loaded, settings.cache_dir(cli.env), keep=lambda data: saving.keep(loaded, data))
    saving.save(generation)
    saving.close()
    return store.list()[0].name


def test_it_asks_and_does_nothing_without_a_yes(cli: Cli, config: Path) -> None:
    first, text = served(cli, config), config.read_text()
    config.write_text(text + "[limits]\nrequests_per_minute = 3\n")
    second = served(cli, config)
    changed = config.read_text()
    code, out, _ = cli("config", "rollback", "--config", config, stdin=b"n\n")
    assert (code, config.read_text()) == (1, changed)
    assert "limits.requests_per_minute: 3 -> (none)" in out
    code, out, _ = cli("config", "rollback", "--config", config, stdin=b"y\n")
    assert (code, config.read_text()) == (0, text)
    assert f"{first} is back" in out
    code, out, _ = cli("config", "rollback", second, "--config", config, "--yes")
    assert (code, config.read_text()) == (0, changed)
    assert cli("config", "rollback", second, "--config", config)[1] == f"the files are those of {second} already\n"


def test_a_broken_configuration_goes_aside(cli: Cli, config: Path) -> None:
    first, text = served(cli, config), config.read_text()
    config.write_text("[routing\n")
    code, out, err = cli("config", "rollback", "--config", config, "--yes")
    assert (code, config.read_text()) == (0, text)
    assert "cannot be used" in err
    assert f"{first} is back" in out
    assert Path(f"{config}.rolled-back").read_text() == "[routing\n"


def test_what_the_environment_says_is_named(cli: Cli, config: Path) -> None:
    served(cli, config)
    config.write_text(config.read_text().replace('default = "one,main"', 'default = "one,long"'))
    served(cli, config)
    other = Cli({**cli.env, "TERRAPHIM_ROUTING__DEFAULT": "one,eyes"}, cli.cwd)
    code, out, _ = other("config", "rollback", "--config", config, "--yes")
    assert code == 1
    assert 'default = "one,main"' in config.read_text()
    assert "set in the environment now: TERRAPHIM_DISCOVERY, TERRAPHIM_ROUTING__DEFAULT" in out


def test_without_a_file_or_a_snapshot_it_says_what_to_do(cli: Cli, config: Path) -> None:
    assert "say --config FILE" in cli("config", "rollback")[2]
    code, _, err = cli("config", "rollback", "--config", config)
    assert (code, "no other snapshot of" in err) == (1, True)
    served(cli, config)
    code, _, err = cli("config", "rollback", "0123", "--config", config)
    assert (code, "is saved here" in err) == (1, True)
