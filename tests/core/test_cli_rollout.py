"""`rules promote`, `rollback` and `status`, as a user runs them."""

import subprocess
import sys
from pathlib import Path

import pytest
from command import Cli
from configs import HERE
from facts import ROOT

CONFIG = HERE + '[rules.demo]\nmode = "shadow"\n'


@pytest.fixture
def cli(clean_env: dict[str, str], tmp_path: Path) -> Cli:
    for name in ("plugins", "taxonomy"):
        (tmp_path / name).mkdir()
    (tmp_path / "plugins" / "demo.wat").write_text((ROOT / "plugins" / "wasm-demo.wat").read_text())
    (tmp_path / "c.toml").write_text(CONFIG)
    return Cli({**clean_env, "TERRAPHIM_CONFIG": str(tmp_path / "c.toml")}, tmp_path)


def state(cli: Cli) -> Path:
    return Path(cli.env["HOME"]) / ".local" / "state" / "terraphim-proxy" / "rollout.toml"


def test_from_shadow_to_everybody_and_back(cli: Cli) -> None:
    said = [cli("rules", "promote", "demo")[1].partition(" (")[0] for _ in range(3)]
    assert said == ["demo: shadow → canary 5%", "demo: canary 5% → canary 25%", "demo: canary 25% → enforce"]
    code, _, error = cli("rules", "promote", "demo")
    assert (code, error) == (1, "error: demo decides for everybody already\n")
    _, listed = cli.json("rules", "list")
    assert [(row["mode"], row["set_by"]) for row in listed["rules"]] == [("enforce", "rollout")]
    _, facts = cli.json("rules", "inspect", "plugins/demo.wat")
    assert (facts["rollout"]["stage"], facts["settings"]["mode"]) == ("enforce", "shadow")
    code, move = cli.json("rules", "rollback", "demo", "--why", "too dear")
    assert (code, move["from"], move["to"], move["why"]) == (0, "enforce", "shadow", "too dear")
    code, told = cli.json("rules", "status", "demo", "--url", "http://127.0.0.1:1")
    [row] = told["rules"]
    assert (row["stage"], row["held"], row["figures"], len(row["history"])) == ("shadow", True, None, 4)
    assert "no proxy tells how they do: http://127.0.0.1:1: nobody listens there" in told["notes"]
    assert cli("rules", "rollback", "demo", "--to", "configured")[0] == 0
    assert cli.json("rules", "list")[1]["rules"][0]["set_by"] == "configuration"


def test_off_and_on_again(cli: Cli) -> None:
    assert cli("rules", "disable", "demo", "--why", "it trips")[1].startswith("demo: shadow → off (")
    [row] = cli.json("rules", "list")[1]["rules"]
    assert (row["mode"], row["set_by"]) == ("off", "rollout")
    code, _, error = cli("rules", "promote", "demo")
    assert (code, error) == (1, "error: demo is off: rules enable turns it on, where it was\n")
    (cli.cwd / "plugins" / "demo.wat").write_text((ROOT / "plugins" / "wasm-demo.wat").read_text() + ";; another")
    assert cli.json("rules", "list")[1]["rules"][0]["mode"] == "off"
    code, move = cli.json("rules", "enable", "demo")
    assert (code, move["action"], move["from"], move["to"]) == (0, "enable", "off", "shadow")
    assert cli("rules", "enable", "demo")[2] == "error: demo is on already: at shadow\n"


def test_mistakes_change_nothing(cli: Cli) -> None:
    wrong = (
        (("promote", "dem"), 1, "did you mean demo?"),
        (("promote", "demo", "--share", "200%"), 1, "at most 100"),
        (("rollback", "demo"), 1, "rules promote leads ahead"),
        (("promote", "demo", "--to", "shadow"), 2, "none of canary, enforce"),
        (("rollback", "demo", "--to", "enforce"), 2, "none of shadow, canary, configured"),
    )
    for args, expected, words in wrong:
        code, _, error = cli("rules", *args)
        assert (code, words in error) == (expected, True), (args, error)
    assert not state(cli).exists()


def test_a_file_that_is_none_of_ours_is_said_and_left(cli: Cli) -> None:
    state(cli).parent.mkdir(parents=True)
    state(cli).write_text("version = 99\n")
    code, _, error = cli("rules", "promote", "demo")
    assert (code, "newer program" in error, "remove it" in error) == (1, True, True)
    assert "rules are where the configuration says" in cli("rules", "status")[1]
    assert state(cli).read_text() == "version = 99\n"


def test_of_two_commands_at_once_one_moves_and_the_other_sees_it(cli: Cli) -> None:
    """Both promote to the next step; a step is never taken twice, nor a move lost."""
    command = [sys.executable, "-I", "-m", "core.cli", "rules", "promote", "demo"]
    both = [
        subprocess.Popen(command, env=cli.env, cwd=cli.cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    ended = [(process.communicate(timeout=20), process.returncode) for process in both]
    moved = [out.partition(" (")[0] for (out, _), code in ended if code == 0]
    refused = [error for (_, error), code in ended if code]
    _, told = cli.json("rules", "status", "demo", "--url", "http://127.0.0.1:1")
    history = [f"demo: {move['from']} → {move['to']}" for move in told["rules"][0]["history"]]
    assert sorted(history) == sorted(moved)
    assert all("was moved meanwhile" in error for error in refused)
    assert history[0] == "demo: shadow → canary 5%"
    assert len(set(history)) == len(history)
