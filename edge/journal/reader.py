"""Reading the journal beside its writer: ranges for the uplink, hashes, steps for the jobs. Sees only what is durable."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

import aiosqlite

from sync_protocol.entries import StepEntry, parse
from sync_protocol.errors import TextFault
from sync_protocol.frame import MAX_ENTRIES, how_many
from sync_protocol.ids import EntryId, RunId
from sync_protocol.outbox import Outbox, RunState


class JournalReader:
    """A read-only connection. It never checkpoints: two connections doing that at one moment is what old SQLite gets wrong."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path) -> AsyncIterator[Self]:
        """A reader of an existing journal, closed at the end of the block."""
        async with aiosqlite.connect(f"file:{path}?mode=ro", uri=True) as connection:
            await connection.execute("PRAGMA query_only=ON")
            await connection.execute("PRAGMA wal_autocheckpoint=0")
            yield cls(connection)

    async def outbox(self) -> Outbox:
        """Every run with its tip and the position that the cloud was last known to have."""
        sql = """
            SELECT run.run, (SELECT max(seq) + 1 FROM entry WHERE entry.run = run.id), run.acked FROM run ORDER BY run.id
        """
        rows = await self._connection.execute_fetchall(sql)
        return Outbox(tuple(RunState(RunId(run), tip or 0, acked) for run, tip, acked in rows))

    async def page(self, run: RunId, first: int) -> list[bytes]:
        """Entries from `first` on, as many as one frame holds; empty behind the tip."""
        sql = """
            SELECT entry.bytes FROM entry JOIN run ON run.id = entry.run WHERE run.run = ? AND seq >= ? ORDER BY seq LIMIT ?
        """
        entries = [bytes(row[0]) for row in await self._connection.execute_fetchall(sql, (run, first, MAX_ENTRIES))]
        return entries[: how_many([len(entry) for entry in entries])] if entries else []

    async def hash_at(self, run: RunId, seq: int) -> bytes | None:
        """The chain's hash at an entry, None where there is none."""
        sql = "SELECT entry.hash FROM entry JOIN run ON run.id = entry.run WHERE run.run = ? AND seq = ?"
        rows = list(await self._connection.execute_fetchall(sql, (run, seq)))
        return bytes(rows[0][0]) if rows else None

    async def steps(self) -> AsyncIterator[tuple[EntryId, StepEntry]]:
        """All steps of all jobs in the order in which they were written. A step that cannot be read is passed over."""
        sql = """
            SELECT run.run, seq, bytes FROM entry JOIN run ON run.id = entry.run WHERE kind = 'step' ORDER BY entry.run, seq
        """
        async with self._connection.execute(sql) as rows:
            async for run, seq, data in rows:
                try:
                    entry = parse(bytes(data))
                except TextFault:
                    continue
                if isinstance(entry, StepEntry):
                    yield EntryId(RunId(run), seq), entry
