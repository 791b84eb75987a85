"""The mirror's file: rows and cookie change together or not at all."""

import json
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

import aiosqlite

from edge.errors import MirrorFault
from sync_protocol.mirror import Key, Row

_SCHEMA = """
CREATE TABLE IF NOT EXISTS row (
    t TEXT NOT NULL, k TEXT NOT NULL, rev INTEGER NOT NULL, v TEXT NOT NULL, PRIMARY KEY (t, k)
) STRICT;
CREATE TABLE IF NOT EXISTS cookie (only INTEGER PRIMARY KEY CHECK (only = 1), value TEXT NOT NULL) STRICT;
"""


class MirrorStore:
    """One scope's rows. What it holds can always be pulled again, so `synchronous=NORMAL` is enough."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path) -> AsyncIterator[Self]:
        """Open or create; closed at the end of the block. Raises MirrorFault."""
        try:
            connection = await aiosqlite.connect(path, isolation_level=None)
        except sqlite3.Error as exc:
            raise MirrorFault(f"{path.name} cannot be opened: {exc}") from exc
        try:
            await connection.execute("PRAGMA journal_mode=WAL")
            await connection.execute("PRAGMA synchronous=NORMAL")
            await connection.executescript(_SCHEMA)
            yield cls(connection)
        except sqlite3.DatabaseError as exc:
            raise MirrorFault(f"{path.name} cannot be used: {exc}") from exc
        finally:
            await connection.close()

    async def load(self) -> tuple[str, dict[Key, Row]]:
        """The cookie ("" before the first pull) and all rows."""
        rows = await self._connection.execute_fetchall("SELECT t, k, rev, v FROM row")
        cookies = list(await self._connection.execute_fetchall("SELECT value FROM cookie"))
        return (cookies[0][0] if cookies else ""), {(t, k): Row(t, k, rev, json.loads(v)) for t, k, rev, v in rows}

    async def save(self, before: Mapping[Key, Row], after: Mapping[Key, Row], cookie: str) -> None:
        """Replace `before` by `after` in one transaction, with the cookie that belongs to it."""
        gone = [key for key in before if key not in after]
        put = [(row.t, row.k, row.rev, json.dumps(row.v)) for key, row in after.items() if before.get(key) != row]
        await self._connection.execute("BEGIN IMMEDIATE")
        try:
            await self._connection.executemany("DELETE FROM row WHERE t = ? AND k = ?", gone)
            await self._connection.executemany("INSERT OR REPLACE INTO row (t, k, rev, v) VALUES (?, ?, ?, ?)", put)
            await self._connection.execute("INSERT OR REPLACE INTO cookie (only, value) VALUES (1, ?)", (cookie,))
        except BaseException:
            await self._connection.execute("ROLLBACK")
            raise
        await self._connection.execute("COMMIT")
