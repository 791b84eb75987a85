"""The journal's file: opening it safely, its lock, its schema. `rows` has the statements on what is in it."""

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import Protocol

from edge.errors import JournalDamaged, JournalFault
from sync_protocol.errors import TextFault
from sync_protocol.ids import RunId, run_id

SCHEMA = 2
"""Newest file in schema/. A journal with a higher number was written by a newer program and is left alone."""

FILE = "journal.db"
"""Its name in the box's folder."""

Row = tuple[int, int, str, bytes, bytes, str | None]
"""Run's row id, seq, kind, bytes, hash, id of the entry that this one says again."""


class Cursor(Protocol):
    """What is used of a DB-API cursor: sqlite3's, or that of a test that cuts the power."""

    def fetchone(self) -> tuple[object, ...] | None: ...

    def fetchall(self) -> list[tuple[object, ...]]: ...


class Connection(Protocol):
    """What is used of a connection."""

    def execute(self, sql: str, parameters: Sequence[object] = ..., /) -> Cursor: ...

    def executemany(self, sql: str, parameters: Sequence[Row], /) -> Cursor: ...

    def close(self) -> None: ...


Connect = Callable[[Path], Connection]


def connect_sqlite(path: Path) -> sqlite3.Connection:
    """A connection in autocommit mode: transactions are begun and committed by name."""
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False)


def open_for_writing(path: Path, connect: Connect = connect_sqlite) -> Connection:
    """Open or create the journal's file, durable from its first page. Raises sqlite3.Error; JournalFault for a newer schema."""
    connection = connect(path)
    try:
        _prepare(connection, path.name)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: Connection, name: str) -> None:
    version = number(connection.execute("PRAGMA user_version"))
    if version > SCHEMA:
        raise JournalFault(f"{name} has schema {version}, this program knows up to {SCHEMA}: it is left alone")
    if version < 0:
        raise JournalDamaged(f"{name} says that its schema is {version}")
    # EXTRA until the file is in WAL mode: with less, a rollback journal left by a power cut during creation may come back
    # later and empty the file on file systems that write metadata lazily.
    connection.execute("PRAGMA synchronous=EXTRA")
    if version == 0:
        # Only a file without tables takes it: what pruning frees can then be given back to the file system.
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
    connection.execute("PRAGMA journal_mode=WAL")
    _migrate(connection, version)
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")


def _migrate(connection: Connection, version: int) -> None:
    if version == SCHEMA:
        return
    connection.execute("BEGIN IMMEDIATE")
    for step in range(version + 1, SCHEMA + 1):
        script = resources.files("edge.journal").joinpath(f"schema/{step:04}.sql").read_text(encoding="utf-8")
        for statement in _statements(script):
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version={SCHEMA}")
    connection.execute("COMMIT")


def _statements(script: str) -> Iterator[str]:
    # `executescript` would commit the transaction that makes the migration whole.
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def lock(path: Path) -> int:
    """Take the lock beside the journal; returns its file descriptor. Raises JournalFault when another process writes."""
    fd = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        os.close(fd)
        raise JournalFault(f"another process writes {path.name}") from exc
    return fd


def unlock(fd: int) -> None:
    """Give the lock back."""
    os.close(fd)


def number(cursor: Cursor) -> int:
    """The one number that a statement gives. Raises JournalDamaged when it is none."""
    found = cursor.fetchone()
    return as_number(found[0]) if found else 0


def as_number(value: object) -> int:
    if not isinstance(value, int):
        raise JournalDamaged(f"the journal holds {type(value).__name__} where a number belongs")
    return value


def as_run(value: object) -> RunId:
    try:
        return run_id(str(value))
    except TextFault as exc:
        raise JournalDamaged(f"the journal holds what is no run's name: {exc}") from exc


def as_blob(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise JournalDamaged(f"the journal holds {type(value).__name__} where bytes belong")
    return value
