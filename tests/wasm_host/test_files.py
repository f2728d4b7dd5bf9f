import os
from pathlib import Path

import pytest

from wasm_host.files import Unusable, private_folder, read, read_if_there, write


def refused(path: Path, limit: int = 10) -> Unusable:
    with pytest.raises(Unusable) as caught:
        read(path, limit)
    assert caught.value.hint
    return caught.value


def test_a_file_of_at_most_the_limit_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"0123456789")
    assert read(path, 10) == b"0123456789"
    assert "larger than 9 bytes" in refused(path, 9).message


def test_nothing_but_a_regular_file_is_read(tmp_path: Path) -> None:
    real, link, dangling, fifo = (tmp_path / name for name in ("real", "link", "dangling", "fifo"))
    real.write_bytes(b"x")
    link.symlink_to(real)
    dangling.symlink_to(tmp_path / "nowhere")
    os.mkfifo(fifo)
    for path, words in (
        (link, "symbolic link"),
        (dangling, "symbolic link"),
        (fifo, "not a regular file"),
        (tmp_path, "not a regular file"),
        (Path("/dev/zero"), "not a regular file"),
        (tmp_path / "absent", "No such file"),
    ):
        assert words in refused(path).message, path


def test_a_file_that_everybody_may_write_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x")
    path.chmod(0o666)
    assert refused(path).hint == f"run: chmod o-w {path}"


def test_only_what_has_no_name_at_all_is_absent(tmp_path: Path) -> None:
    assert read_if_there(tmp_path / "a", 10) is None
    (tmp_path / "a").symlink_to(tmp_path / "nowhere")
    with pytest.raises(Unusable):
        read_if_there(tmp_path / "a", 10)


def test_a_file_is_replaced_whole_and_a_link_is_not_followed(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"kept")
    link.symlink_to(target)
    write(link, b"new")
    assert (target.read_bytes(), link.read_bytes(), link.is_symlink()) == (b"kept", b"new", False)
    assert link.stat().st_mode & 0o777 == 0o644
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "target"]


def test_a_folder_in_the_way_is_said_and_nothing_is_left_behind(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        write(tmp_path / "a", b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    with pytest.raises(FileNotFoundError):
        write(tmp_path / "nowhere" / "a", b"x")


def test_a_private_folder_is_private_up_to_what_was_there(tmp_path: Path) -> None:
    before = tmp_path.stat().st_mode
    private_folder(tmp_path / "state" / "metrics" / "here")
    private_folder(tmp_path / "state" / "metrics" / "here")
    made = [tmp_path / "state", tmp_path / "state" / "metrics", tmp_path / "state" / "metrics" / "here"]
    assert [path.stat().st_mode & 0o777 for path in made] == [0o700] * 3
    assert tmp_path.stat().st_mode == before
