"""The journal's file as the writer gets it: checked, and where it is damaged set aside and begun anew from what can be read."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import structlog

from edge.errors import JournalDamaged
from edge.journal import aside, recovery, rescue, rows, salvage, store
from edge.journal.reissue import Old
from edge.journal.salvage import Salvaged
from sync_protocol.entries import NoteEntry, StampFields

log = structlog.get_logger()

QUICK_CHECK_BYTES = 64 * 1024 * 1024
"""Up to here SQLite looks through the whole file, and every entry that the cloud lacks is proved: a second or two on a card.
Above, only the end of the last run is."""

SALVAGE = "salvage:"
"""Beginning of the keys under which a journal knows the salvage files that it has not taken over whole; the file's name."""

MAX_RESCUED = rescue.MAX_RESCUED

MAX_RUNS_NAMED = 64
"""Newest runs that the note of a lost journal names: 7 kB of them."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A journal that can be written; `lost` is what is left of the one before, when that was damaged."""

    connection: store.Connection
    folder: Path | None = None
    lost: Salvaged | None = None
    reason: str = ""
    rescued: tuple[Old, ...] = ()
    """Entries that belong behind the last one, and are to be said again."""

    def note(self, stamp: StampFields) -> NoteEntry | None:
        """What the cloud is told of a lost journal."""
        if self.lost is None or self.folder is None:
            return None
        runs = [
            {"run": run.run, "tip": run.tip, "acked": run.acked, "found": run.found, "proven": run.proven}
            for run in self.lost.runs[-MAX_RUNS_NAMED:]
        ]
        data = {"n": aside.number_of(self.folder), "reason": self.reason, "file": self.lost.file.name, "runs": runs}
        return NoteEntry(**stamp, name="journal_lost", data=data)

    def carried(self) -> dict[str, str]:
        """Small facts that a new journal begins with."""
        return self.lost.known | {SALVAGE + self.lost.file.name: self.lost.file.name} if self.lost is not None else {}


def open_checked(path: Path, connect: store.Connect) -> Opened:
    """Open the journal, or salvage it. Raises sqlite3.Error for a disk that fails, JournalFault."""
    folder = aside.unfinished(path)
    reason = "set aside before"
    if folder is None:
        try:
            return _open_at_second_look(path, connect)
        except JournalDamaged as exc:
            reason = str(exc)
            log.error("journal_damaged", reason=reason)  # noqa: TRY400 - the reason is all there is to say
        folder = aside.set_aside(path)
    aside.move(path, folder)
    target = salvage.salvage_file(path, aside.number_of(folder))
    lost = salvage.salvage(folder / path.name, target)
    return Opened(store.open_for_writing(path, connect), folder, lost, reason)


def _open_at_second_look(path: Path, connect: store.Connect) -> Opened:
    try:
        return _open_whole(path, connect)
    except JournalDamaged:
        # SQLite takes a read that failed (EIO) for damage. What is damaged is so the second time, too.
        return _open_whole(path, connect)


def _open_whole(path: Path, connect: store.Connect) -> Opened:
    # A creation that was cut off left its rollback journal, which only a writer can play back.
    half_made = path.with_name(path.name + "-journal").exists()
    try:
        if not half_made:
            rescued = _look(path)
            return Opened(store.open_for_writing(path, connect), rescued=tuple(rescued))
        return Opened(_open_half_made(path, connect))
    except sqlite3.Error as exc:
        if recovery.is_damaged(exc) or recovery.is_nonsense(exc):
            raise JournalDamaged(str(exc)) from exc
        raise


def _open_half_made(path: Path, connect: store.Connect) -> store.Connection:
    connection = store.open_for_writing(path, connect)
    try:
        _check(connection, 0)
    except BaseException:
        connection.close()
        raise
    return connection


def _look(path: Path) -> list[Old]:
    """Check the file through a connection that cannot write, so that a damaged one is set aside as it was found.

    Returns the entries behind the end that SQLite sees. Raises sqlite3.Error, JournalDamaged.
    """
    try:
        return _seen(path)
    except UnicodeDecodeError as exc:
        # SQLite names the part of the schema that it cannot read, and the driver cannot read that name.
        raise JournalDamaged("the schema is not text") from exc


def _seen(path: Path) -> list[Old]:
    log_file = path.with_name(path.name + "-wal")
    logged = log_file.stat().st_size if log_file.exists() else 0
    size = path.stat().st_size if path.exists() else 0
    if not size:
        if logged:
            raise JournalDamaged("the file is empty, but its log is not")
        return []
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)) as connection:
        version = store.number(connection.execute("PRAGMA user_version"))
        if version > store.SCHEMA:
            return []
        tables = store.number(connection.execute("SELECT count(*) FROM sqlite_schema"))
        if not tables and not version:
            return []
        last = _check(connection, size + logged)
        return rescue.behind(path, last) if logged else []


def _check(connection: store.Connection, size: int) -> rows.Tail | None:
    """The last run, once the file was seen to be good."""
    last = rows.last_run(connection)
    if size <= QUICK_CHECK_BYTES:
        found = connection.execute("PRAGMA quick_check(1)").fetchone()
        if found is None or found[0] != "ok":
            raise JournalDamaged(str(found[0]) if found else "no answer to a check")
        # SQLite has no checksums of its own: what was written is what the chain says, and what was not sent yet must be that.
        for tail, acked in rows.unacked(connection):
            rows.check_chain(connection, tail, acked)
    elif last is not None:
        rows.check_chain(connection, last, last.tip - recovery.CHECKED_DEPTH)
    return last
