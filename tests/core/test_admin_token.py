import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from facts import settings

from core.admin_token import AdminToken
from core.credentials import Secrets
from core.settings import Loaded


def loaded(admin: str = "") -> Loaded:
    return Loaded(settings(), Secrets(admin=admin), None)


def token_of(folder: Path) -> str:
    return AdminToken(folder).completed(loaded()).secrets.admin


def test_one_is_made_and_is_the_same_from_then_on(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "terraphim-proxy"
    token = token_of(folder)
    assert len(token) == 43
    assert token_of(folder) == token
    assert (folder / "admin-token").read_text() == f"{token}\n"
    assert stat.S_IMODE((folder / "admin-token").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [path.name for path in folder.iterdir()] == ["admin-token"]


def test_two_machines_have_two(tmp_path: Path) -> None:
    assert token_of(tmp_path / "a") != token_of(tmp_path / "b")


def test_processes_that_begin_at_once_have_one(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as threads:
        assert len(set(threads.map(token_of, [tmp_path] * 64))) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["admin-token"]


def test_a_configured_one_counts_and_no_file_is_made(tmp_path: Path) -> None:
    given = loaded("configured-by-the-operator")
    assert AdminToken(tmp_path).completed(given) is given
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "short\n", "x" * 42, "x" * 44, "x" * 42 + "/", "x" * 2000, "\0" * 43])
def test_a_file_that_holds_none_of_ours_is_replaced(tmp_path: Path, text: str) -> None:
    (tmp_path / "admin-token").write_text(text)
    (tmp_path / "admin-token").chmod(0o600)
    if len(text) > 1024:  # not ours at all: it is left, and said
        completed = AdminToken(tmp_path).completed(loaded())
        assert [str(tmp_path / "admin-token") in str(each) for each in completed.warnings] == [True]
        return
    token = token_of(tmp_path)
    assert len(token) == 43
    assert token_of(tmp_path) == token


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_file_that_others_could_read_or_write_is_replaced(tmp_path: Path, mode: int) -> None:
    before = token_of(tmp_path)
    (tmp_path / "admin-token").chmod(mode)
    after = token_of(tmp_path)
    assert after != before
    assert stat.S_IMODE((tmp_path / "admin-token").stat().st_mode) == 0o600


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text("x" * 43)
    (tmp_path / "admin-token").symlink_to(tmp_path / "theirs")
    completed = AdminToken(tmp_path).completed(loaded())
    assert completed.secrets.admin != "x" * 43
    assert "symbolic link" in str(completed.warnings[0])


def test_without_a_folder_it_lives_as_long_as_the_process(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    token = AdminToken(tmp_path / "file" / "state")
    first, second = token.completed(loaded()), token.completed(loaded())
    assert first.secrets.admin == second.secrets.admin != ""
    [warning] = second.warnings
    assert "another one at each start" in warning.hint
    assert first.secrets.admin not in str(warning)


def test_it_is_a_known_secret(tmp_path: Path) -> None:
    secrets = AdminToken(tmp_path).completed(loaded()).secrets
    assert secrets.redactor.text(f"model {secrets.admin}") == "model [redacted]"
    assert secrets.admin not in repr(secrets)
