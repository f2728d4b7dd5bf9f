"""`rules lock`, `sign` and `verify`: what they say and what they leave behind."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from facts import ROOT
from typer.testing import CliRunner

from core import cli as program
from core import settings

DEMO = (ROOT / "plugins" / "wasm-demo.wat").read_text()


class Cli:
    """The commands, run in this process: there are many of them."""

    def __init__(self, env: dict[str, str]) -> None:
        self.env = env

    def __call__(self, *args: str) -> tuple[int, str, str]:
        """Exit code, stdout, stderr."""
        done = CliRunner().invoke(program.app, args)
        assert done.exception is None or isinstance(done.exception, SystemExit)
        return done.exit_code, done.stdout, done.stderr

    def json(self, *args: str) -> tuple[int, Any]:
        code, out, _ = self(*args, "--json")
        return code, msgspec.json.decode(out)


@pytest.fixture
def cli(clean_env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    (plugins / "demo.wat").write_text(DEMO)
    commands = Cli({**clean_env, "TERRAPHIM_PLUGINS__DIR": "plugins"})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(settings, "environ", lambda: commands.env)
    return commands


def test_a_folder_is_locked_checked_and_verified(cli: Cli, tmp_path: Path) -> None:
    code, out, _ = cli("rules", "lock", "--check")
    assert (code, "new: demo.wat\n" in out) == (1, True)
    assert not (tmp_path / "plugins" / "plugins.lock").exists()
    code, found = cli.json("rules", "lock")
    assert (code, found["changes"], found["files"]) == (0, [{"file": "demo.wat", "change": "new"}], 1)
    assert cli("rules", "lock", "--check")[0] == 0
    assert cli("rules", "verify") == (0, "demo.wat: locked\n", "")
    code, found = cli.json("rules", "list")
    assert [(rule["name"], rule["trust"]) for rule in found["rules"]] == [("demo", "locked")]
    (tmp_path / "plugins" / "demo.wat").write_text(DEMO + "\n")
    assert cli("rules", "lock", "--check")[:2] == (
        1, f"changed: demo.wat\n{tmp_path}/plugins/plugins.lock: differs, 1 files, 1 changes\n",
    )  # fmt: skip
    code, out, _ = cli("rules", "verify")
    assert (code, "plugins.lock expects" in out) == (1, True)
    code, out, _ = cli("rules", "list")
    assert code == 1
    assert "refused:" in out
    assert "review it, then run: terraphim-proxy rules lock" in out
    code, found = cli.json("rules", "inspect", "plugins/demo.wat")
    assert (code, found["trust"]) == (0, "")
    assert any("a proxy would refuse this" in note for note in found["notes"])


def test_a_broken_lock_is_said_and_can_be_written_anew(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "plugins" / "plugins.lock").write_text("broken")
    code, _, err = cli("rules", "lock", "--check")
    assert (code, "plugins.lock is not a lock" in err) == (1, True)
    code, found = cli.json("rules", "verify")
    assert (code, found["ok"], found["files"][0]["file"]) == (1, False, "plugins.lock")
    assert cli("rules", "lock")[0] == 0
    assert cli("rules", "verify")[0] == 0


def test_what_cannot_be_locked_stops_the_lock(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "plugins" / "link.wat").symlink_to("demo.wat")
    code, _, err = cli("rules", "lock")
    assert (code, "link.wat is a symbolic link (copy the file itself" in err) == (1, True)
    assert not (tmp_path / "plugins" / "plugins.lock").exists()
    code, _, err = cli("rules", "lock", "--plugins", "nowhere")
    assert (code, "nowhere: cannot be read" in err) == (1, True)


def test_a_module_is_signed_verified_and_served(cli: Cli, tmp_path: Path) -> None:
    code, made = cli.json("rules", "sign", "plugins/demo.wat", "--new-key", "author.key")
    assert (code, made["signature_file"]) == (0, "plugins/demo.wat.sig")
    secret = (tmp_path / "author.key").read_text().splitlines()[1]
    code, out, err = cli("rules", "sign", "plugins/demo.wat", "--key", "author.key")
    assert (code, secret in out + err, f"key_id: {made['key_id']}\n" in out) == (0, False, True)
    said = f"demo.wat: signed by {made['key_id']}\n"
    for key in ("author.key.pub", made["public_key"]):
        assert cli("rules", "verify", "plugins/demo.wat", "--public-key", key) == (0, said, "")
    cli.env |= {
        "TERRAPHIM_PLUGINS__REQUIRE_SIGNATURE": "true", "TERRAPHIM_PLUGINS__PUBLIC_KEYS": '["author.key.pub"]',
    }  # fmt: skip
    assert cli("rules", "verify") == (0, said, "")
    code, found = cli.json("rules", "list")
    assert [rule["trust"] for rule in found["rules"]] == ["signed"]
    (tmp_path / "plugins" / "demo.wat.sig").unlink()
    code, found = cli.json("rules", "list")
    assert (code, found["rules"], "demo.wat.sig is missing" in found["problems"][0]["message"]) == (1, [], True)


def test_verify_says_who_signed_instead(cli: Cli, tmp_path: Path) -> None:
    assert cli("rules", "sign", "plugins/demo.wat", "--new-key", "stranger.key")[0] == 0
    assert cli("rules", "sign", "--new-key", "author.key")[0] == 0
    code, out, _ = cli("rules", "verify", "plugins", "--public-key", "author.key.pub")
    assert (code, "not one of plugins.public_keys" in out) == (1, True)
    code, out, _ = cli("rules", "verify", "plugins")
    assert (code, "is neither locked nor signed by a known key" in out) == (1, True)


def test_keys_and_files_that_cannot_be_used(cli: Cli, tmp_path: Path) -> None:
    assert cli("rules", "sign", "--new-key", "author.key")[0] == 0
    code, _, err = cli("rules", "sign", "--new-key", "author.key")
    assert (code, "author.key is already there" in err) == (1, True)
    (tmp_path / "author.key").chmod(0o644)
    code, _, err = cli("rules", "sign", "plugins/demo.wat", "--key", "author.key")
    assert (code, err) == (
        1,
        "error: author.key: others may read or write this private key (run: chmod 600 author.key)\n",
    )
    (tmp_path / "author.key").chmod(0o600)
    (tmp_path / "notes.txt").write_text("x")
    for file in ("notes.txt", "absent.wat"):
        code, _, err = cli("rules", "sign", file, "--key", "author.key")
        assert (code, err.startswith(f"error: {file}: ")) == (1, True)
    for wrong in ([], ["plugins/demo.wat"], ["--key", "author.key"], ["--key", "author.key", "--new-key", "b"]):
        assert cli("rules", "sign", *wrong)[0] == 2
    code, _, err = cli("rules", "verify", "plugins", "--public-key", "author.key")
    assert (code, "author.key is not an Ed25519 public key" in err) == (2, True)
