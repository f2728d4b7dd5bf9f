"""The file of moves: made for us alone, changed under a lock, never overwritten when it is none of ours."""

import fcntl
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.rollout import PROMOTE, Move, Rollouts
from core.state import rollouts as module
from core.state.rollouts import RolloutFile
from wasm_host import files


def step(why: str = "") -> Move:
    return Move(
        rule="r", module="a" * 64, at=datetime(2026, 1, 1, tzinfo=UTC), action=PROMOTE, came_from="shadow",
        to="enforce", by="ann", why=why,
    )  # fmt: skip


def test_without_a_file_there_are_no_moves(tmp_path: Path) -> None:
    assert RolloutFile(tmp_path / "state").read() == Rollouts()
    assert not (tmp_path / "state").exists()


def test_it_is_made_for_our_user_alone(tmp_path: Path) -> None:
    file = RolloutFile(tmp_path / "state")
    assert file.change(lambda _: step()) == step()
    assert file.read() == Rollouts((step(),))
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (file.path.parent, *file.path.parent.iterdir())]
    assert modes == [0o700, 0o600, 0o600]


def test_changes_at_once_are_all_there(tmp_path: Path) -> None:
    file = RolloutFile(tmp_path)

    def one(number: int) -> None:
        file.change(lambda before: step(f"{number} after {len(before.moves)}"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(40)))
    whys = [move.why.split(" after ") for move in file.read().moves]
    assert sorted(int(number) for number, _ in whys) == list(range(40))
    assert [int(after) for _, after in whys] == list(range(40))


def test_a_step_that_is_refused_changes_nothing(tmp_path: Path) -> None:
    file = RolloutFile(tmp_path)
    file.change(lambda _: step())
    before = file.path.read_bytes()

    def refuse(_: Rollouts) -> Move:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        file.change(refuse)
    assert file.path.read_bytes() == before
    file.change(lambda _: step("the lock is free again"))


@pytest.mark.parametrize("content", [b"version = 99\n", b"not toml [", b"\xff\xfe", b"x = 1\n"])
def test_what_is_none_of_ours_is_said_and_never_overwritten(tmp_path: Path, content: bytes) -> None:
    file = RolloutFile(tmp_path)
    file.path.write_bytes(content)
    with pytest.raises(files.Unusable) as read:
        file.read()
    with pytest.raises(files.Unusable):
        file.change(lambda _: step())
    assert file.path.read_bytes() == content
    assert "mend it, or remove it" in read.value.hint


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("version = 1\n")
    file = RolloutFile(tmp_path)
    file.path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(files.Unusable, match="symbolic link"):
        file.read()


def test_a_lock_that_is_held_is_waited_for_and_then_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.05)
    file = RolloutFile(tmp_path)
    file.change(lambda _: step())
    with file.path.with_suffix(".lock").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(files.Unusable, match="another process"):
            file.change(lambda _: step())
    assert file.change(lambda _: step("now")).why == "now"


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(files.Unusable, match="cannot be written"):
        RolloutFile(tmp_path / "file").change(lambda _: step())
