"""What can still be read of a damaged journal: whole entries with a proof where the chain gives one, run by run.

The rows come from `carve`; a scratch database puts them in order, so that memory does not grow with the journal. An entry is
proven when its hash follows from the one before it, or when the next one's hash follows from it.
"""

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any, TextIO

import structlog

from edge.errors import JournalFault
from edge.journal import carve
from edge.journal.aside import sync_folder
from edge.journal.reissue import Old, content_of
from edge.journal.rows import CURRENT_RUN
from sync_protocol import chain
from sync_protocol.entries import RunEntry, parse
from sync_protocol.errors import TextFault
from sync_protocol.ids import RunId, run_id

log = structlog.get_logger()

_SCRATCH = """
    CREATE TABLE run (id INTEGER PRIMARY KEY, run TEXT NOT NULL, acked INTEGER NOT NULL);
    CREATE TABLE entry (run INTEGER, seq INTEGER, kind TEXT, bytes BLOB, hash BLOB, was TEXT, UNIQUE (run, seq, bytes, hash));
    CREATE TABLE known (key TEXT PRIMARY KEY, value TEXT);
    CREATE TABLE command (cmd_id TEXT PRIMARY KEY, state TEXT);
"""


@dataclass(frozen=True, slots=True)
class LostRun:
    """What is left of one run: how long it was as far as can be seen, how much of it the cloud had, how many entries were
    found, and how many of them are proven."""

    run: RunId | None
    tip: int
    acked: int
    found: int
    proven: int


@dataclass(frozen=True, slots=True)
class Salvaged:
    """The outcome: the file of everything that was found, the runs, and the small facts to carry over."""

    file: Path
    runs: tuple[LostRun, ...]
    known: dict[str, str]
    commands: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Found:
    seq: int
    kind: str
    data: bytes
    hash: bytes
    was: str | None


def salvage_file(path: Path, number: int) -> Path:
    """Where the entries of the n-th damaged journal are written."""
    return path.with_name(f"salvage-{number}.jsonl")


def salvage(database: Path, target: Path) -> Salvaged:
    """Read what can be read of a damaged journal and write it to `target`, a JSON object a line. Raises JournalFault.

    `run` (null where its name is lost), `seq`, `kind`, `entry` (its text), `hash` (hex), `proven` by the chain, and `again`:
    whether it is written into the new journal, since the cloud is not known to have it.
    """
    scratch_path = target.with_suffix(".scratch")
    scratch_path.unlink(missing_ok=True)
    try:
        with contextlib.closing(sqlite3.connect(scratch_path, isolation_level=None)) as scratch:
            scratch.execute("PRAGMA journal_mode=OFF")
            scratch.execute("PRAGMA synchronous=OFF")
            scratch.executescript(_SCRATCH)
            _gather(database, scratch)
            salvaged = _write(scratch, target)
    except (OSError, sqlite3.Error) as exc:
        raise JournalFault(f"the damaged journal cannot be salvaged: {exc}") from exc
    finally:
        scratch_path.unlink(missing_ok=True)
    log.warning("journal_salvaged", entries=sum(run.found for run in salvaged.runs), file=target.name)
    return salvaged


def olds_of(file: Path) -> Iterator[Old]:
    """The entries of a salvage file that are to be said again, in their order; before those of a run, the last description of
    each device that the cloud has of it: what they are understood by."""
    devices: dict[str, Old] = {}
    run = None
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            found: dict[str, Any] = json.loads(line)
            if found["run"] != run:
                run, devices = found["run"], {}
            old = Old(f"{run}:{found['seq']}", found["kind"], found["entry"].encode())
            if found["again"]:
                yield from devices.values()
                devices = {}
                yield old
            elif found["proven"] and old.kind == "device":
                devices[str((content_of(old.data) or {}).get("device"))] = old


def _gather(database: Path, scratch: sqlite3.Connection) -> None:
    scratch.execute("BEGIN")
    for record in carve.records(database):
        match record:
            case (int(run), int(seq), str(kind), bytes(data), bytes(digest), *was) if _plausible(run, seq, digest):
                row = (run, seq, kind, data, digest, was[0] if was else None)
                scratch.execute("INSERT OR IGNORE INTO entry VALUES (?, ?, ?, ?, ?, ?)", row)
            case (int(row), str(run), int(acked), *_):
                _gather_run(scratch, row, run, acked)
            case (str(key), str(value)):
                table = "command" if value in ("begun", "finished") else "known"
                scratch.execute(f"INSERT OR REPLACE INTO {table} VALUES (?, ?)", (key, value))  # noqa: S608 - one of two names
            case _:
                pass  # a row of an index, or of a table that is made anew
    scratch.execute("COMMIT")
    scratch.execute("CREATE INDEX entry_was ON entry (was) WHERE was IS NOT NULL")


def _plausible(run: int, seq: int, digest: bytes) -> bool:
    return run > 0 and 0 <= seq < 1 << 62 and len(digest) == chain.HASH_BYTES


def _gather_run(scratch: sqlite3.Connection, row: int, run: str, acked: int) -> None:
    with contextlib.suppress(TextFault):
        scratch.execute("INSERT OR REPLACE INTO run VALUES (?, ?, ?)", (row, run_id(run), acked))


def _write(scratch: sqlite3.Connection, target: Path) -> Salvaged:
    known = dict(scratch.execute("SELECT key, value FROM known").fetchall())
    runs: list[LostRun] = []
    unwritten = target.with_suffix(".new")
    with unwritten.open("w", encoding="utf-8") as out:
        for row, run, acked in _named_runs(scratch, known.get(CURRENT_RUN)):
            runs.append(_write_run(scratch, out, row, LostRun(run, 0, acked, 0, 0)))
        out.flush()
        os.fsync(out.fileno())
    unwritten.replace(target)
    sync_folder(target.parent)
    return Salvaged(target, tuple(runs), known, dict(scratch.execute("SELECT cmd_id, state FROM command").fetchall()))


def _named_runs(scratch: sqlite3.Connection, current: str | None) -> list[tuple[int, RunId | None, int]]:
    """Row id, name and position of every run; where the name is lost, the run that came next knows it as its parent."""
    sql = """
        SELECT rows.run, run.run, coalesce(run.acked, 0)
        FROM (SELECT run FROM entry UNION SELECT id FROM run) AS rows LEFT JOIN run ON run.id = rows.run ORDER BY rows.run
    """
    found = scratch.execute(sql).fetchall()
    last = found[-1][0] if found else None
    if last is not None and found[-1][1] is None:
        found[-1] = (last, current, 0)
    parents = _parents(scratch) if any(run is None for _, run, _ in found) else {}
    return [(row, RunId(name) if (name := run or parents.get(row)) else None, acked) for row, run, acked in found]


def _parents(scratch: sqlite3.Connection) -> dict[int, str]:
    names: dict[int, str] = {}
    for (data,) in scratch.execute("SELECT bytes FROM entry WHERE kind = 'run'").fetchall():
        with contextlib.suppress(TextFault, ValueError):
            entry = parse(data)
            if isinstance(entry, RunEntry) and entry.parent is not None:
                place = (bytes.fromhex(entry.parent.hash), entry.parent.seq)
                for (row,) in scratch.execute("SELECT run FROM entry WHERE hash = ? AND seq = ?", place):
                    names[row] = run_id(entry.parent.run)
    return names


def _write_run(scratch: sqlite3.Connection, out: TextIO, row: int, lost: LostRun) -> LostRun:
    sql = "SELECT seq, kind, bytes, hash, was FROM entry WHERE run = ? ORDER BY seq"
    entries = (_Found(*each) for each in scratch.execute(sql, (row,)))
    tip = found = proven = 0
    for entry, is_proven in _proven(entries, lost.run):
        name = f"{lost.run}:{entry.seq}"
        newer = scratch.execute("SELECT 1 FROM entry WHERE was = ?", (name,)).fetchone()
        line = {
            "run": lost.run,
            "seq": entry.seq,
            "kind": entry.kind,
            "entry": entry.data.decode("utf-8", "replace"),
            "hash": entry.hash.hex(),
            "proven": is_proven,
            "again": is_proven and lost.run is not None and entry.seq >= lost.acked and entry.kind != "run" and newer is None,
        }
        out.write(json.dumps(line, ensure_ascii=False) + "\n")
        tip, found, proven = entry.seq + 1, found + 1, proven + is_proven
    return replace(lost, tip=tip, found=found, proven=proven)


def _proven(entries: Iterable[_Found], run: RunId | None) -> Iterator[tuple[_Found, bool]]:
    """One entry for each seq, and whether the chain proves it."""
    before = {chain.seed(run)} if run is not None else set()
    expected = 0
    for here, following in _with_next([*group] for _, group in groupby(entries, key=lambda each: each.seq)):
        seq = here[0].seq
        chosen, digest = _choose(here, before if seq == expected else set(), following)
        yield chosen, digest is not None
        before = {digest} if digest is not None else {each.hash for each in here}
        expected = seq + 1


def _with_next(groups: Iterable[list[_Found]]) -> Iterator[tuple[list[_Found], list[_Found]]]:
    here: list[_Found] = []
    for following in groups:
        if here:
            yield here, following
        here = following
    if here:
        yield here, []


def _choose(here: list[_Found], before: set[bytes], following: list[_Found]) -> tuple[_Found, bytes | None]:
    """The version of an entry that the chain proves, with its hash; else the first."""
    for each in here:
        for previous in before:
            digest = chain.link(previous, each.seq, each.data)
            if digest == each.hash or any(_follows(digest, each, one) for one in following):
                return each, digest
    return here[0], None


def _follows(digest: bytes, entry: _Found, following: _Found) -> bool:
    return following.seq == entry.seq + 1 and chain.link(digest, following.seq, following.data) == following.hash
