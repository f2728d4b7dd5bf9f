import os
from pathlib import Path

import pytest

from core import descriptors, doctor_machine, settings
from core.doctor_machine import EPOCH, clock, memory, mend, permissions, places, room, versions

MIB = 1 << 20


def test_clocks() -> None:
    assert clock(EPOCH + 1.0, 1.0, 2.0).ok
    assert "timedatectl" in clock(0.0, 1.0, 2.0).hint
    assert not clock(EPOCH + 1.0, 2.0, 1.0).ok


@pytest.mark.parametrize(
    ("group", "share", "wanted", "ok"),
    [(0, 4096 * MIB, 0, True), (512 * MIB, 400 * MIB, 0, True), (512 * MIB, 400 * MIB, 600 * MIB, False),
     (128 * MIB, 100 * MIB, 0, False), (0, 0, 0, True)],
)  # fmt: skip
def test_memory(group: int, share: int, wanted: int, ok: bool) -> None:
    found = memory(group, share, wanted)
    assert (found.ok, bool(found.hint)) == (ok, not ok)


def test_room_on_the_disk_of_a_folder_that_is_not_there_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert str(tmp_path) in room(tmp_path / "a" / "b").state
    monkeypatch.setattr(doctor_machine, "ROOM", 1 << 60)
    assert not room(tmp_path).ok


def test_limits_of_descriptors(clean_env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = settings.load(None, clean_env)
    for limit, ok in ((0, True), (20_000, True), (256, False)):
        monkeypatch.setattr(descriptors, "raised", lambda limit=limit: limit)
        assert next(doctor_machine.limits(loaded)).ok is ok


def test_versions_of_clients_see_no_key(tmp_path: Path) -> None:
    claude = tmp_path / "claude"
    claude.write_text('#!/bin/sh\nenv; printf "\\033]0;evil\\007%s" "$SECRET"\n')
    claude.chmod(0o755)
    env = {"PATH": f"{tmp_path}:{os.defpath}", "SECRET": "sk-canary"}
    said = {each.name: each for each in versions(env)}
    assert said["claude"].ok
    assert "sk-canary" not in said["claude"].state
    assert said["claude"].state.isprintable()
    assert said["codex"].note


def test_files_that_others_may_read(clean_env: dict[str, str]) -> None:
    state = settings.state_dir(clean_env)
    state.mkdir(parents=True, mode=0o700)
    (state / "admin-token").write_text("x")
    (state / "admin-token").chmod(0o640)
    (state / "decisions").mkdir(mode=0o755)
    found = places(settings.load(None, clean_env), clean_env)
    assert [path.name for path in found] == ["terraphim-proxy", "admin-token", "decisions"]
    bad = {each.name: each.hint for each in permissions(found) if not each.ok}
    assert bad == {"admin-token": f"chmod 600 {found[1]}", "decisions": f"chmod 700 {found[2]}"}
    assert [mend(path) for path in found] == ["", f"chmod 600 {found[1]}", f"chmod 700 {found[2]}"]
    assert all(each.ok for each in permissions(found))


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "theirs"
    elsewhere.write_text("x")
    elsewhere.chmod(0o644)
    link = tmp_path / "admin-token"
    link.symlink_to(elsewhere)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo, 0o644)
    assert [mend(link), mend(fifo), mend(tmp_path / "none")] == ["", "", ""]
    assert elsewhere.stat().st_mode & 0o777 == 0o644


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_is_somebody_elses_is_said_and_left_alone(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.write_text("x")
    theirs.chmod(0o644)
    os.chown(theirs, 65534, 65534)
    assert mend(theirs) == ""
    [found] = permissions([theirs])
    assert found.hint == f"chown {os.geteuid()} {theirs}"
