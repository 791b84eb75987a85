"""The journal's file: opening it safely, its schema, and every SQL statement on it."""

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Protocol

from edge.errors import JournalFault
from sync_protocol import chain
from sync_protocol.ids import RunId

SCHEMA = 1
"""Newest file in schema/. A journal with a higher number was written by a newer program and is left alone."""

Row = tuple[int, int, str, bytes, bytes]
"""Run's row id, seq, kind, bytes, hash."""


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


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run in the file: its row id, how many entries it has and how many the cloud is known to hold."""

    row: int
    run: RunId
    tip: int
    acked: int
    last_hash: bytes


def connect_sqlite(path: Path) -> sqlite3.Connection:
    """A connection in autocommit mode: transactions are begun and committed by name."""
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False)


def open_for_writing(path: Path, connect: Connect = connect_sqlite) -> Connection:
    """Open or create the journal's file, durable from its first page. Raises JournalFault when it cannot be used."""
    try:
        connection = connect(path)
        version = _int(connection.execute("PRAGMA user_version"))
        if version > SCHEMA:
            connection.close()
            raise JournalFault(f"{path.name} has schema {version}, this program knows up to {SCHEMA}: it is left alone")
        # EXTRA until the file is in WAL mode: with less, a rollback journal left by a power cut during creation may come back
        # later and empty the file on file systems that write metadata lazily.
        connection.execute("PRAGMA synchronous=EXTRA")
        connection.execute("PRAGMA journal_mode=WAL")
        _migrate(connection, version)
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
    except sqlite3.Error as exc:
        raise JournalFault(f"{path.name} cannot be opened: {exc}") from exc
    return connection


def _migrate(connection: Connection, version: int) -> None:
    if version == SCHEMA:
        return
    connection.execute("BEGIN IMMEDIATE")
    for number in range(version + 1, SCHEMA + 1):
        script = resources.files("edge.journal").joinpath(f"schema/{number:04}.sql").read_text(encoding="utf-8")
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


def last_run(connection: Connection) -> RunRow | None:
    """The newest run, or None in a new journal."""
    found = connection.execute("SELECT id, run, acked FROM run ORDER BY id DESC LIMIT 1").fetchone()
    if found is None:
        return None
    row, run, acked = found
    end = connection.execute("SELECT seq, hash FROM entry WHERE run=? ORDER BY seq DESC LIMIT 1", (row,)).fetchone()
    run_id = RunId(str(run))
    seq, digest = end if end is not None else (-1, chain.seed(run_id))
    return RunRow(_number(row), run_id, _number(seq) + 1, _number(acked), _blob(digest))


def insert_run(connection: Connection, run: RunId) -> int:
    """Add a run; its row id."""
    connection.execute("INSERT INTO run (run) VALUES (?)", (run,))
    return _int(connection.execute("SELECT last_insert_rowid()"))


def insert_entries(connection: Connection, rows: Sequence[Row]) -> None:
    connection.executemany("INSERT INTO entry (run, seq, kind, bytes, hash) VALUES (?, ?, ?, ?, ?)", rows)


def set_acked(connection: Connection, run: RunId, acked: int) -> None:
    connection.execute("UPDATE run SET acked=? WHERE run=?", (acked, run))


def _int(cursor: Cursor) -> int:
    found = cursor.fetchone()
    return _number(found[0]) if found else 0


def _number(value: object) -> int:
    if not isinstance(value, int):
        raise JournalFault(f"the journal holds {type(value).__name__} where a number belongs")
    return value


def _blob(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise JournalFault(f"the journal holds {type(value).__name__} where bytes belong")
    return value


def unlock(fd: int) -> None:
    """Give the lock back."""
    os.close(fd)
