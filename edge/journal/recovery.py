"""What is believed after a transaction failed: the same connection, the file once it is opened anew, or nothing.

A refusal (no room, a rule of the file) leaves the connection as it was, which is proved before it is believed. Anything else,
an I/O error above all, means that nobody knows what is on the disk: after a failed fsync the kernel may say yes to the next one
without having written what failed. So the same commit is never tried again on the same connection.
"""

import contextlib
import sqlite3
from pathlib import Path

from edge.errors import JournalBroken, JournalDamaged, JournalFault, JournalFull
from edge.journal import rows
from edge.journal.rows import Tail
from edge.journal.store import Connect, Connection, number, open_for_writing

CHECKED_DEPTH = 2_000
"""Entries of the last run that are proved when the journal is opened again: what any commit under way can have touched."""

_REFUSALS = frozenset(
    {sqlite3.SQLITE_FULL, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_ERROR}
)
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def _code(exc: BaseException | None) -> int:
    """SQLite's primary result code, 0 where there is none."""
    return (getattr(exc, "sqlite_errorcode", None) or 0) & 0xFF


def is_full(exc: BaseException) -> bool:
    return _code(exc) == sqlite3.SQLITE_FULL or "disk is full" in str(exc)


def is_damaged(exc: BaseException) -> bool:
    """Whether SQLite says that the file is not what it should be."""
    return _code(exc) in _DAMAGED or "malformed" in str(exc) or "not a database" in str(exc)


def is_nonsense(exc: sqlite3.Error) -> bool:
    """Whether statements of this program do not fit the tables in the file, or the file ends where it says it goes on."""
    return _code(exc) == sqlite3.SQLITE_ERROR or getattr(exc, "sqlite_errorcode", 0) == sqlite3.SQLITE_IOERR_SHORT_READ


def is_refusal(exc: sqlite3.Error) -> bool:
    """Whether SQLite refused what was asked, and did not fail at it."""
    return _code(exc) in _REFUSALS or is_full(exc)


def is_hopeless(fault: JournalFault) -> bool:
    """Whether opening the file again cannot help: a damaged one is set aside at the next start."""
    return isinstance(fault, JournalDamaged) or (fault.__cause__ is not None and is_damaged(fault.__cause__))


def fault_of(exc: sqlite3.Error | OSError | JournalFault, what: str) -> JournalFault:
    """The error as callers of the journal know it."""
    if isinstance(exc, JournalFault):
        return exc
    fault = (JournalFull if is_full(exc) else JournalBroken)(f"{what}: {exc}")
    fault.__cause__ = exc
    return fault


def for_good(fault: JournalFault) -> JournalBroken:
    """The error that ends the process."""
    if isinstance(fault, JournalBroken):
        return fault
    broken = JournalBroken(str(fault))
    broken.__cause__ = fault
    return broken


def roll_back(connection: Connection) -> None:
    """End the transaction, if SQLite has not done so by itself."""
    with contextlib.suppress(sqlite3.Error):
        connection.execute("ROLLBACK")


def is_as_before(connection: Connection, tail: Tail) -> bool:
    """Roll back; whether the file then ends exactly where the last good commit left it."""
    roll_back(connection)
    try:
        connection.execute("BEGIN IMMEDIATE")
        found = rows.last_run(connection)
        connection.execute("ROLLBACK")
    except (sqlite3.Error, JournalFault):
        return False
    return found == tail


def open_again(path: Path, connect: Connect, tail: Tail) -> Connection:
    """A new connection to a file that holds everything up to `tail`. Raises sqlite3.Error or JournalFault."""
    connection = open_for_writing(path, connect)
    try:
        _rewrite(connection)
        _check(connection, tail)
    except BaseException:
        connection.close()
        raise
    return connection


def _check(connection: Connection, tail: Tail) -> None:
    """Everything confirmed is there, and the chain that goes on is whole."""
    confirmed = rows.tail_of(connection, tail.row, tail.run)
    if confirmed.tip < tail.tip:
        raise JournalFault(f"run {tail.run} ends at {confirmed.tip}, but entries up to {tail.tip} were confirmed")
    newest = rows.last_run(connection)
    if newest is not None:
        rows.check_chain(connection, newest, newest.tip - CHECKED_DEPTH)


def _rewrite(connection: Connection) -> None:
    """Write the log's content into the file and begin the log anew.

    What the failed sync left in the log may exist in memory only. Commits behind it would be found after a power cut only if it
    were really there, since reading the log ends at the first frame that is not whole.
    """
    if number(connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")):
        raise JournalFault("a reader holds the journal's log")
