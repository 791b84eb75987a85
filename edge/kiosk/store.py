"""The kiosk's small database: sign-ins, wrong PINs and unfinished inputs. Losing it costs a sign-in, never a reading."""

import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import aiosqlite

from edge.errors import JournalFull
from edge.journal.recovery import is_full

_SCHEMA = """
CREATE TABLE IF NOT EXISTS session (
    token_hash TEXT PRIMARY KEY, login TEXT NOT NULL, locale TEXT NOT NULL, began_wall_ns INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS failure (login TEXT PRIMARY KEY, count INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS preference (login TEXT PRIMARY KEY, locale TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS draft (job TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS number (prefix TEXT PRIMARY KEY, count INTEGER NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class SessionRow:
    """One sign-in as stored: the cookie's hash, never the cookie."""

    token_hash: str
    login: str
    locale: str
    began_wall_ns: int


class KioskStore:
    """One SQLite file in WAL mode; also the `DraftStore` and `NumberStore` of the job desk.

    What writes raises JournalFull on a full medium.
    """

    def __init__(self, db: aiosqlite.Connection) -> None:
        self._db = db

    @classmethod
    async def open(cls, path: Path) -> Self:
        """Open or make the file. Raises sqlite3.Error when it cannot be used."""
        db = await aiosqlite.connect(path)
        try:
            await db.execute("PRAGMA journal_mode=WAL")
            await db.execute("PRAGMA synchronous=NORMAL")
            await db.executescript(_SCHEMA)
            await db.commit()
        except BaseException:
            await db.close()
            raise
        return cls(db)

    async def close(self) -> None:
        await self._db.close()

    async def sessions(self) -> list[SessionRow]:
        """Oldest first."""
        rows = await self._db.execute_fetchall("SELECT token_hash, login, locale, began_wall_ns FROM session ORDER BY rowid")
        return [SessionRow(str(a), str(b), str(c), int(d)) for a, b, c, d in rows]

    async def add_session(self, row: SessionRow) -> None:
        await self._write(
            "INSERT OR REPLACE INTO session VALUES (?, ?, ?, ?)", (row.token_hash, row.login, row.locale, row.began_wall_ns)
        )

    async def drop_session(self, token_hash: str) -> None:
        await self._write("DELETE FROM session WHERE token_hash = ?", (token_hash,))

    async def failures(self) -> dict[str, int]:
        rows = await self._db.execute_fetchall("SELECT login, count FROM failure")
        return {str(login): int(count) for login, count in rows}

    async def set_failures(self, login: str, count: int) -> None:
        await self._write("INSERT OR REPLACE INTO failure VALUES (?, ?)", (login, count))

    async def preference(self, login: str) -> str | None:
        rows = list(await self._db.execute_fetchall("SELECT locale FROM preference WHERE login = ?", (login,)))
        return str(rows[0][0]) if rows else None

    async def prefer(self, login: str, locale: str, token_hash: str) -> None:
        """The person's language from now on, in this sign-in and the next."""
        await self._write("UPDATE session SET locale = ? WHERE token_hash = ?", (locale, token_hash))
        await self._write("INSERT OR REPLACE INTO preference VALUES (?, ?)", (login, locale))

    async def load_drafts(self) -> Mapping[str, str]:
        rows = await self._db.execute_fetchall("SELECT job, body FROM draft ORDER BY rowid")
        return {str(job): str(body) for job, body in rows}

    async def save_draft(self, job: str, text: str | None, /) -> None:
        if text is None:
            await self._write("DELETE FROM draft WHERE job = ?", (job,))
        else:
            await self._write("INSERT OR REPLACE INTO draft VALUES (?, ?)", (job, text))

    async def load_numbers(self) -> Mapping[str, int]:
        rows = await self._db.execute_fetchall("SELECT prefix, count FROM number")
        return {str(prefix): int(count) for prefix, count in rows}

    async def save_number(self, prefix: str, count: int, /) -> None:
        await self._write(
            "INSERT INTO number VALUES (?, ?) ON CONFLICT (prefix) DO UPDATE SET count = max(count, excluded.count)",
            (prefix, count),
        )

    async def _write(self, sql: str, values: tuple[str | int, ...]) -> None:
        try:
            await self._db.execute(sql, values)
            await self._db.commit()
        except sqlite3.Error as exc:
            with suppress(sqlite3.Error):
                await self._db.rollback()
            if is_full(exc):
                raise JournalFull("the medium is full: the kiosk's own file cannot grow") from exc
            raise
