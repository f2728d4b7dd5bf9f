from pathlib import Path

import pytest
from command import Cli

from wasm_host import scaffold


@pytest.fixture
def cli(clean_env: dict[str, str], tmp_path: Path) -> Cli:
    return Cli(clean_env, tmp_path)


def test_the_folder_of_a_new_rule(cli: Cli, tmp_path: Path) -> None:
    code, out, _ = cli("rules", "new", "mine", "--lang", "rust", "--into", tmp_path / "some" / "where")
    folder = tmp_path / "some" / "where" / "mine"
    assert code == 0
    assert f"sh {folder}/build.sh" in out
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert files == set(scaffold.files("rust", "mine"))


def test_what_is_made_builds_and_passes_its_own_cases(cli: Cli, tmp_path: Path) -> None:
    """WebAssembly text, which needs no toolchain; the other languages are built by `make test-plugins`."""
    import subprocess  # noqa: PLC0415 - for this test only

    assert cli("rules", "new", "mine", "--lang", "wat")[0] == 0
    subprocess.run(["/bin/sh", tmp_path / "mine" / "build.sh"], check=True, env=cli.env, timeout=10)
    code, out, _ = cli("rules", "test", tmp_path / "mine" / "mine.wat")
    assert code == 0, out
    code, facts = cli.json("rules", "run", tmp_path / "mine" / "mine.wat", "-i", tmp_path / "mine/fixtures/long.json")
    assert (code, facts["code"], facts["reason"]) == (0, "route", "long")


def test_mistakes_are_said(cli: Cli, tmp_path: Path) -> None:
    code, _, error = cli("rules", "new", "mine", "--lang", "cobol")
    assert code == 2
    assert "assemblyscript" in error
    (tmp_path / "file").write_text("")
    code, _, error = cli("rules", "new", "mine", "--lang", "c", "--into", tmp_path / "file")
    assert code == 1
    assert "choose another folder" in error
