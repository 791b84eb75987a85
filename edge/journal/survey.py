"""A journal looked at from outside, beside its writer or without one: its runs, and whether every chain in it is whole.

Reads only, in one snapshot; takes files of every schema so far.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from edge.errors import JournalDamaged, JournalFault
from edge.journal import recovery
from edge.journal.store import SCHEMA
from sync_protocol import chain
from sync_protocol.entries import Position, RunEntry, Stamp, parse
from sync_protocol.errors import TextFault
from sync_protocol.ids import EntryId, RunId

WAIT_S: Final = 5.0
"""For a writer that is just moving its log into the file."""


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run: entries first..tip-1 are in the file, the cloud has 0..acked-1; `stopped` is why it gets no more."""

    row: int
    run: RunId
    first: int
    tip: int
    acked: int
    stopped: str | None
    bytes: int


@dataclass(frozen=True, slots=True)
class Bad:
    """The first entry of a run that does not hold, and what is wrong with it."""

    entry: EntryId
    reason: str

    def __str__(self) -> str:
        return f"{self.entry}: {self.reason}"


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """One snapshot of a journal, read-only. Raises JournalFault when there is none or it cannot be read, JournalDamaged."""
    if not path.is_file():
        raise JournalFault(f"{path} is not there")
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None, timeout=WAIT_S)) as connection:
            # Checkpoints are the writer's alone: two connections doing that at one moment is what old SQLite gets wrong.
            connection.execute("PRAGMA wal_autocheckpoint=0")
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if not 0 < version <= SCHEMA:
                raise JournalFault(f"{path.name} has schema {version}, this program knows 1 to {SCHEMA}")
            connection.execute("BEGIN")
            yield connection
    except sqlite3.Error as exc:
        kind = JournalDamaged if recovery.is_damaged(exc) or recovery.is_nonsense(exc) else JournalFault
        raise kind(f"{path.name} cannot be read: {exc}") from exc


def runs_of(connection: sqlite3.Connection) -> list[RunRow]:
    """Every run that has entries, oldest first."""
    columns = {row[1] for row in connection.execute("PRAGMA table_info(run)")}
    stopped = "stopped" if "stopped" in columns else "NULL"
    sql = f"""
        SELECT run.id, run.run, min(seq), max(seq) + 1, acked, {stopped}, sum(length(bytes))
        FROM run JOIN entry ON entry.run = run.id GROUP BY run.id ORDER BY run.id
    """  # noqa: S608 - one of two words of our own
    rows = connection.execute(sql)
    return [RunRow(row, RunId(run), first, tip, acked, why, size) for row, run, first, tip, acked, why, size in rows]


def entries_of(connection: sqlite3.Connection, run: RunRow, first: int) -> Iterator[tuple[int, str, bytes, bytes]]:
    """Seq, kind, bytes and hash from `first` on."""
    sql = "SELECT seq, kind, bytes, hash FROM entry WHERE run=? AND seq>=? ORDER BY seq"
    yield from connection.execute(sql, (run.row, first))


def hash_at(connection: sqlite3.Connection, run: str, seq: int) -> bytes | None:
    """The chain's hash at an entry, None where the file does not have it."""
    sql = "SELECT hash FROM entry WHERE run=(SELECT id FROM run WHERE run=?) AND seq=?"
    found = connection.execute(sql, (run, seq)).fetchone()
    return bytes(found[0]) if found is not None else None


def stamp_at(connection: sqlite3.Connection, run: RunRow, seq: int) -> Stamp | None:
    """The clocks as they were at an entry; None when it cannot be read."""
    found = connection.execute("SELECT bytes FROM entry WHERE run=? AND seq=?", (run.row, seq)).fetchone()
    try:
        return parse(bytes(found[0])) if found is not None else None
    except TextFault:
        return None


def parent_of(connection: sqlite3.Connection, run: RunRow) -> Position | None:
    """What entry 0 names as its parent; None where there is none or entry 0 is not in the file."""
    entry = stamp_at(connection, run, 0) if run.first == 0 else None
    return entry.parent if isinstance(entry, RunEntry) else None


def first_bad(connection: sqlite3.Connection, run: RunRow) -> Bad | None:
    """Check one run: no hole, every hash, entry 0 and its parent, the kinds as indexed. None when all of it holds.

    Of a run whose beginning was pruned the first entry that is left cannot be proven by the chain: its hash is where it begins.
    """
    expected = run.first
    digest = chain.seed(run.run) if run.first == 0 else None
    for seq, kind, data, stored in entries_of(connection, run, run.first):
        here = EntryId(run.run, expected)
        if seq != expected:
            return Bad(here, "the entry is missing")
        if digest is not None and chain.link(digest, seq, data) != stored:
            return Bad(here, "the bytes do not fit the chain")
        if _kind(data) != kind:
            return Bad(here, f"the entry is filed as {kind!r} and says otherwise")
        if seq == 0 and (why := _bad_start(connection, data)) is not None:
            return Bad(here, why)
        digest, expected = stored, expected + 1
    return None if run.acked >= run.first else Bad(EntryId(run.run, run.acked), "entries that the cloud lacks are gone")


def damage(path: Path) -> str | None:
    """What is wrong with the file, all of it looked at: SQLite's own check first, then every chain. None when it is whole.

    Raises JournalFault when it cannot be said: a newer program's file, one that is held.
    """
    try:
        with opened(path) as connection:
            found = connection.execute("PRAGMA integrity_check(1)").fetchone()
            if found is None or found[0] != "ok":
                return str(found[0]) if found else "no answer to a check"
            bad = next((one for run in runs_of(connection) if (one := first_bad(connection, run)) is not None), None)
    except JournalDamaged as exc:
        return str(exc)
    return None if bad is None else str(bad)


def _bad_start(connection: sqlite3.Connection, data: bytes) -> str | None:
    try:
        entry = parse(data)
    except TextFault as exc:
        return str(exc)
    if not isinstance(entry, RunEntry):
        return f"a run begins with an entry of kind {entry.t!r}"
    if entry.parent is None:
        return None
    held = hash_at(connection, entry.parent.run, entry.parent.seq)
    return "the parent has another hash at that entry" if held is not None and held.hex() != entry.parent.hash else None


def _kind(data: bytes) -> Any:
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    return found.get("t") if isinstance(found, dict) else None
