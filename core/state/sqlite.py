"""A database of records: one SQLite file in WAL mode, which several processes may write and others read meanwhile.

What was committed survives the death of every process: it is the kernel's by then. It does not survive a power cut for
certain (`synchronous=NORMAL`: the log is synced when it is folded into the file, not at each commit).
"""

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from wasm_host import files

#: Seconds that a process waits for another one's commit.
BUSY_S: Final = 5.0
#: The n-th makes version n + 1 of an older database; none is ever changed, only added.
Migrations = Sequence[str]
#: Those of usage records.
MIGRATIONS: Final[Migrations] = (
    """
    CREATE TABLE usage (
        request_id TEXT NOT NULL UNIQUE, time INTEGER NOT NULL, client TEXT NOT NULL,
        endpoint TEXT NOT NULL, dialect TEXT NOT NULL, phase TEXT NOT NULL, reason TEXT NOT NULL,
        provider TEXT NOT NULL, model TEXT NOT NULL, status INTEGER NOT NULL, error TEXT NOT NULL,
        input INTEGER NOT NULL, output INTEGER NOT NULL, cache_read INTEGER NOT NULL, cache_write INTEGER NOT NULL,
        reasoning INTEGER NOT NULL, lost_input INTEGER NOT NULL, lost_output INTEGER NOT NULL,
        cost INTEGER, unpriced INTEGER NOT NULL, estimated INTEGER NOT NULL,
        ms INTEGER NOT NULL, attempts INTEGER NOT NULL, simulated INTEGER NOT NULL, snapshot TEXT NOT NULL
    ) STRICT;
    CREATE INDEX usage_time ON usage (time);
    """,
)


class Unusable(Exception):
    """The database cannot be used now; the message says why."""


def writable(path: Path, migrations: Migrations = MIGRATIONS) -> sqlite3.Connection:
    """Open for writing; make it, and its folder, for our user alone if it is not there. Unusable says why not."""
    try:
        _make(path)
        connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
    except (OSError, sqlite3.Error) as exc:
        raise Unusable(words(exc)) from None
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        _migrate(connection, migrations)
    except sqlite3.Error as exc:
        connection.close()
        raise Unusable(words(exc)) from None
    except Unusable:
        connection.close()
        raise
    return connection


def _make(path: Path) -> None:
    """SQLite gives its other two files the mode of this one."""
    files.private_folder(path.parent)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)


def _migrate(connection: sqlite3.Connection, migrations: Migrations) -> None:
    """Bring it to our version; two processes at once do it once."""
    if _version(connection) == len(migrations):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = _version(connection)
        if version > len(migrations):
            raise Unusable(_newer(version, migrations))
        for number, script in enumerate(migrations[version:], version + 1):
            for statement in filter(str.strip, script.split(";")):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version={number}")
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def readable(path: Path, migrations: Migrations = MIGRATIONS) -> sqlite3.Connection | None:
    """Open for reading, beside whoever writes; None if there is none yet. Unusable says why it cannot be read."""
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_S)
    except sqlite3.Error as exc:
        if not path.exists():
            return None
        raise Unusable(words(exc)) from None
    try:
        version = _version(connection)
    except sqlite3.Error as exc:
        connection.close()
        raise Unusable(words(exc)) from None
    if version > len(migrations):
        connection.close()
        raise Unusable(_newer(version, migrations))
    if not version:  # it was begun, and holds nothing yet
        connection.close()
        return None
    return connection


def _newer(version: int, migrations: Migrations) -> str:
    return f"it was made by a newer program (version {version}; this one knows {len(migrations)})"


def inode(path: Path) -> int:
    """Which file this is now; 0 if none is there."""
    try:
        return path.stat().st_ino
    except OSError:
        return 0


def words(exc: Exception) -> str:
    """What went wrong, for people."""
    if isinstance(exc, OSError):
        return exc.strerror or type(exc).__name__
    return str(exc)
