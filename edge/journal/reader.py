"""Reading the journal beside its writer: stretches for the uplink, hashes, steps for the jobs. Sees only what is durable."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import aiosqlite

from edge.journal.reissue import Old
from sync_protocol import chain
from sync_protocol.entries import DeviceEntry, StepEntry, parse
from sync_protocol.errors import TextFault
from sync_protocol.frame import MAX_ENTRIES, how_many
from sync_protocol.ids import EntryId, RunId
from sync_protocol.outbox import Outbox, RunState

GENERATION = "gen"
"""Key under which the cloud's generation is known."""

MAX_RENAMINGS = 16
"""How often an entry may have been said again: each took a fork of its own, and a circle must not hold the reader."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Consecutive entries of a run from `first` on, with the hash before them and each one's own."""

    first: int
    before: bytes
    entries: tuple[bytes, ...]
    hashes: tuple[bytes, ...]


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
        """Every run with its tip, the position that the cloud was last known to have, and why it is stopped; the generation."""
        sql = """
            SELECT run.run, (SELECT max(seq) + 1 FROM entry WHERE entry.run = run.id), run.acked, run.stopped
            FROM run ORDER BY run.id
        """
        rows = await self._connection.execute_fetchall(sql)
        gen = list(await self._connection.execute_fetchall("SELECT value FROM known WHERE key = ?", (GENERATION,)))
        runs = tuple(RunState(RunId(run), tip or 0, acked, stopped) for run, tip, acked, stopped in rows)
        return Outbox(runs, gen=int(gen[0][0]) if gen else 0)

    async def stretch(self, run: RunId, first: int, limit: int = MAX_ENTRIES) -> Stretch | None:
        """Entries from `first` on, at most `limit` and as many as one frame holds; None where there are none, or where the
        entry before them is gone."""
        sql = """
            SELECT seq, bytes, entry.hash FROM entry JOIN run ON run.id = entry.run
            WHERE run.run = ? AND seq >= ? ORDER BY seq LIMIT ?
        """
        found = list(await self._connection.execute_fetchall(sql, (run, first - 1, limit + 1)))
        before = chain.seed(run) if first == 0 else None
        if first and found and found[0][0] == first - 1:
            before = found.pop(0)[2]
        if before is None or not found or found[0][0] != first:
            return None
        end = how_many([len(row[1]) for row in found[:limit]])
        return Stretch(first, before, tuple(row[1] for row in found[:end]), tuple(row[2] for row in found[:end]))

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
        """All steps of all jobs in the order in which they were written. A step that cannot be read is passed over, and
        one that only says again what is still here under its old id."""
        sql = """
            SELECT run.run, seq, bytes FROM entry JOIN run ON run.id = entry.run WHERE kind = 'step' AND NOT EXISTS (
                SELECT 1 FROM run AS old_run JOIN entry AS old ON old.run = old_run.id
                WHERE old_run.run = substr(entry.was, 1, 32) AND old.seq = CAST(substr(entry.was, 34) AS INTEGER)
            ) ORDER BY entry.run, seq
        """
        async with self._connection.execute(sql) as rows:
            async for run, seq, data in rows:
                try:
                    entry = parse(bytes(data))
                except TextFault:
                    continue
                if isinstance(entry, StepEntry):
                    yield EntryId(RunId(run), seq), entry

    async def not_said_again(self, run: RunId, first: int, limit: int) -> list[Old]:
        """Entries of a run from `first` on that no other entry says again; the run's own first entry is not among them."""
        sql = """
            SELECT run.run || ':' || seq, kind, bytes FROM entry JOIN run ON run.id = entry.run
            WHERE run.run = ? AND seq >= ? AND kind <> 'run'
            AND NOT EXISTS (SELECT 1 FROM entry AS newer WHERE newer.was = run.run || ':' || entry.seq) ORDER BY seq LIMIT ?
        """
        found = await self._connection.execute_fetchall(sql, (run, first, limit))
        return [Old(name, kind, data) for name, kind, data in found]

    async def devices_before(self, run: RunId, first: int) -> list[Old]:
        """The last description of each device before an entry of its run: what the entries from there on are understood by."""
        sql = """
            SELECT run.run || ':' || seq, bytes FROM entry JOIN run ON run.id = entry.run
            WHERE run.run = ? AND seq < ? AND kind = 'device' ORDER BY seq
        """
        last: dict[str, Old] = {}
        for name, data in await self._connection.execute_fetchall(sql, (run, first)):
            entry = parse(data)
            if isinstance(entry, DeviceEntry):
                last[entry.device] = Old(name, "device", data)
        return list(last.values())

    async def renamed(self, names: Sequence[str]) -> Mapping[str, str]:
        """Where entries that were said again stand now, by their old ids; those that were not are left out."""
        found: dict[str, str] = {}
        asked = {name: name for name in names}
        for _ in range(MAX_RENAMINGS):
            sql = """
                SELECT entry.was, run.run || ':' || seq FROM entry JOIN run ON run.id = entry.run
                WHERE entry.was IN (SELECT value FROM json_each(?))
            """
            again = await self._connection.execute_fetchall(sql, (json.dumps([*asked.values()]),))
            rows: dict[str, str] = {was: now for was, now in again}  # noqa: C416 - they are no pairs to mypy
            asked = {name: rows[now] for name, now in asked.items() if now in rows}
            found |= asked
            if not asked:
                break
        return found

    async def has_reissued(self) -> bool:
        """Whether anything in this journal was said again."""
        rows = await self._connection.execute_fetchall("SELECT 1 FROM entry WHERE was IS NOT NULL LIMIT 1")
        return bool(list(rows))
