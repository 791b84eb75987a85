"""The mirror's file: rows and cookie change together or not at all."""

import json
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Self

import aiosqlite
import structlog

from edge.errors import MirrorFault
from sync_protocol.mirror import Key, Row

log = structlog.get_logger()

_SCHEMA = """
CREATE TABLE IF NOT EXISTS row (
    t TEXT NOT NULL, k TEXT NOT NULL, rev INTEGER NOT NULL, v TEXT NOT NULL, PRIMARY KEY (t, k)
) STRICT;
CREATE TABLE IF NOT EXISTS cookie (only INTEGER PRIMARY KEY CHECK (only = 1), value TEXT NOT NULL) STRICT;
"""


_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR})
"""Primary result codes (sqlite.org/rescode.html) that speak of the file's content, not of the disk, a lock or a right.

SQLITE_ERROR is how other columns than ours show.
"""

_FILES = ("", "-wal", "-shm")
"""A database in WAL mode is these three (sqlite.org/walformat.html): a log left behind would be played into the next one."""

SET_ASIDE = ".damaged"
"""Only the newest damaged mirror is kept: a medium that damages one each day must not fill itself."""


class _Damaged(Exception):
    """The file is no mirror that can be read; never leaves this module."""


class MirrorStore:
    """One scope's rows. What it holds can always be pulled again, so `synchronous=NORMAL` is enough."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path) -> AsyncIterator[Self]:
        """Open or create; closed at the end of the block. Raises MirrorFault.

        A file that cannot be read for what is in it is set aside beside itself, and an empty mirror takes its place.
        """
        try:
            store = await cls._opened(path)
        except _Damaged as damaged:
            aside = _set_aside(path)
            log.warning("mirror_set_aside", file=aside.name, reason=str(damaged))
            store = await cls._opened_anew(path)
        try:
            yield store
        finally:
            await store.close()

    async def close(self) -> None:
        await self._connection.close()

    @classmethod
    async def _opened_anew(cls, path: Path) -> Self:
        try:
            return await cls._opened(path)
        except _Damaged as exc:
            raise MirrorFault(f"{path.name} cannot be used, nor a new one in its place: {exc}") from exc

    @classmethod
    async def _opened(cls, path: Path) -> Self:
        try:
            connection = await aiosqlite.connect(path, isolation_level=None)
        except sqlite3.Error as exc:
            raise MirrorFault(f"{path.name} cannot be opened: {exc}") from exc
        store = cls(connection)
        try:
            await store._prepare()
        except BaseException:
            await connection.close()
            raise
        return store

    async def _prepare(self) -> None:
        connection = self._connection
        try:
            await connection.execute("PRAGMA journal_mode=WAL")
            await connection.execute("PRAGMA synchronous=NORMAL")
            await connection.executescript(_SCHEMA)
            found = list(await connection.execute_fetchall("PRAGMA quick_check(1)"))
        except sqlite3.Error as exc:
            raise _blame(exc) from exc
        if found != [("ok",)]:
            raise _Damaged(str(found[0][0]) if found else "not checked")
        try:
            await self.load()
        except ValueError as exc:
            raise _Damaged(str(exc)) from exc
        except sqlite3.Error as exc:
            raise _blame(exc) from exc

    async def load(self) -> tuple[str, dict[Key, Row]]:
        """The cookie ("" before the first pull) and all rows."""
        rows = await self._connection.execute_fetchall("SELECT t, k, rev, v FROM row")
        cookies = list(await self._connection.execute_fetchall("SELECT value FROM cookie"))
        return (cookies[0][0] if cookies else ""), {(t, k): Row(t, k, rev, _object(v)) for t, k, rev, v in rows}

    async def save(self, before: Mapping[Key, Row], after: Mapping[Key, Row], cookie: str) -> None:
        """Replace `before` by `after` in one transaction, with the cookie that belongs to it. Raises MirrorFault."""
        gone = [key for key in before if key not in after]
        put = [(row.t, row.k, row.rev, json.dumps(row.v)) for key, row in after.items() if before.get(key) != row]
        try:
            await self._connection.execute("BEGIN IMMEDIATE")
            await self._connection.executemany("DELETE FROM row WHERE t = ? AND k = ?", gone)
            await self._connection.executemany("INSERT OR REPLACE INTO row (t, k, rev, v) VALUES (?, ?, ?, ?)", put)
            await self._connection.execute("INSERT OR REPLACE INTO cookie (only, value) VALUES (1, ?)", (cookie,))
            await self._connection.execute("COMMIT")
        except sqlite3.Error as exc:
            await self._roll_back()
            raise MirrorFault(f"the mirror cannot be saved: {exc}") from exc
        except BaseException:
            await self._roll_back()
            raise

    async def _roll_back(self) -> None:
        # SQLite has done so by itself after some faults, a full disk among them.
        with suppress(sqlite3.OperationalError):
            await self._connection.execute("ROLLBACK")


def _object(text: str) -> dict[str, Any]:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError("a row's value is no JSON object")  # noqa: TRY004 - the same fault as text that is no JSON
    return value


def _blame(exc: sqlite3.Error) -> Exception:
    """_Damaged for a fault of the content, MirrorFault for any other."""
    # Text that is not UTF-8 is found by the sqlite3 module itself, which gives no code.
    if getattr(exc, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF in _DAMAGED:
        return _Damaged(str(exc))
    return MirrorFault(f"the mirror cannot be used: {exc}")


def _set_aside(path: Path) -> Path:
    aside = path.with_name(path.name + SET_ASIDE)
    try:
        for suffix in _FILES:
            found, target = path.with_name(path.name + suffix), aside.with_name(aside.name + suffix)
            target.unlink(missing_ok=True)
            if found.exists():
                found.replace(target)
    except OSError as exc:
        raise MirrorFault(f"{path.name} is damaged and cannot be set aside: {exc}") from exc
    return aside
