import fcntl
import threading
from pathlib import Path

import pytest

from core.errors import ConfigError
from core.swap_lock import NAME, changing, reading


def test_readers_do_not_wait_for_each_other(tmp_path: Path) -> None:
    with reading(tmp_path / "a"), reading(tmp_path / "a"):
        assert (tmp_path / "a" / NAME).stat().st_mode & 0o777 == 0o600


def test_who_reads_waits_until_all_has_changed(tmp_path: Path) -> None:
    file, seen = tmp_path / "file", list[str]()
    file.write_text("old")

    def look() -> None:
        with reading(tmp_path):
            seen.append(file.read_text())

    reader = threading.Thread(target=look)
    with changing(tmp_path, "x"):
        reader.start()
        file.write_text("half")
        assert seen == []
        file.write_text("new")
    reader.join(10)
    assert seen == ["new"]


def test_who_changes_waits_for_readers_and_gives_up(tmp_path: Path) -> None:
    naps: list[float] = []
    with reading(tmp_path), pytest.raises(TimeoutError), changing(tmp_path, "x", naps.append):
        raise AssertionError
    assert sum(naps) == pytest.approx(5)
    naps.clear()
    with changing(tmp_path, "x"), pytest.raises(ConfigError, match="under way"), reading(tmp_path, naps.append):
        raise AssertionError
    assert sum(naps) == pytest.approx(5)


def test_what_did_not_finish_is_not_read_until_it_is_done_again(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), changing(tmp_path, "0123.45"):
        raise RuntimeError
    told = r"0123\.45 did not finish.*config rollback 0123\.45"
    with pytest.raises(ConfigError, match=told) as refused, reading(tmp_path):
        raise AssertionError
    assert refused.value.awaited == (tmp_path / NAME,)
    with changing(tmp_path, "0123.45"):
        pass
    with reading(tmp_path):
        pass


def test_without_a_place_for_the_lock_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with reading(tmp_path / "file"):
        done = True
    assert done
    with pytest.raises(OSError, match="file"), changing(tmp_path / "file", "x"):
        raise AssertionError


def test_nothing_is_held_after_it(tmp_path: Path) -> None:
    with changing(tmp_path, "x"):
        pass
    with (tmp_path / NAME).open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
