import os
import sqlite3
import threading
from pathlib import Path

import pytest

from core.state.sqlite import MIGRATIONS, Unusable, readable, writable


def version(path: Path) -> int:
    connection = sqlite3.connect(path)
    try:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])
    finally:
        connection.close()


def test_a_new_database_is_its_users_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        connection = writable(tmp_path / "made" / "deep" / "records.db")
    finally:
        os.umask(before)
    connection.execute("CREATE TABLE other (one INTEGER)")
    files = sorted((tmp_path / "made" / "deep").iterdir())
    assert [file.name for file in files] == ["records.db", "records.db-shm", "records.db-wal"]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert (tmp_path / "made" / "deep").stat().st_mode & 0o777 == 0o700
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (1,)
    connection.close()
    assert version(tmp_path / "made" / "deep" / "records.db") == len(MIGRATIONS)


def test_a_file_that_others_could_read_no_longer_is(tmp_path: Path) -> None:
    path = tmp_path / "records.db"
    path.touch(0o644)
    writable(path).close()
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_older_database_is_brought_up_and_keeps_what_it_has(tmp_path: Path) -> None:
    path = tmp_path / "records.db"
    with sqlite3.connect(path) as old:
        old.execute("CREATE TABLE theirs (one INTEGER)")
        old.execute("INSERT INTO theirs VALUES (7)")
    old.close()
    connection = writable(path)
    assert connection.execute("SELECT one FROM theirs").fetchall() == [(7,)]
    assert connection.execute("SELECT count(*) FROM usage").fetchone() == (0,)
    connection.close()
    assert version(path) == len(MIGRATIONS)


def test_a_newer_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "records.db"
    with sqlite3.connect(path) as newer:
        newer.execute(f"PRAGMA user_version={len(MIGRATIONS) + 1}")
    newer.close()
    for opened in (writable, readable):
        with pytest.raises(Unusable, match="newer program"):
            opened(path)
    assert version(path) == len(MIGRATIONS) + 1


def test_many_that_make_it_at_once_make_it_once(tmp_path: Path) -> None:
    path, wrong, gate = tmp_path / "records.db", list[Exception](), threading.Barrier(8)

    def make() -> None:
        gate.wait()
        try:
            writable(path).close()
        except (Unusable, sqlite3.Error) as exc:
            wrong.append(exc)

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert wrong == []
    assert version(path) == len(MIGRATIONS)


@pytest.mark.parametrize("what", ["garbage", "folder", "link", "no folder"])
def test_what_is_no_database_is_said_and_left_as_it_is(tmp_path: Path, what: str) -> None:
    path = tmp_path / "records.db"
    if what == "garbage":
        path.write_bytes(b"not a database, " * 300)
    elif what == "folder":
        path.mkdir()
    elif what == "link":
        path.symlink_to(tmp_path / "theirs")
    else:
        (tmp_path / "file").touch()
        path = tmp_path / "file" / "records.db"
    with pytest.raises(Unusable):
        writable(path)
    if what == "garbage":
        assert path.read_bytes() == b"not a database, " * 300
    if what == "link":
        assert not (tmp_path / "theirs").exists()


def test_reading_makes_nothing(tmp_path: Path) -> None:
    assert readable(tmp_path / "records.db") is None
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "records.db").touch()
    assert readable(tmp_path / "records.db") is None
