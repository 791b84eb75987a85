"""A working day of the journal's real writer, drawn from a seed, and what was promised to its callers."""

import random
import sqlite3
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge.clock import StampFields
from edge.errors import JournalFault
from edge.journal import retention, rows
from edge.journal.notices import Durable, Notices
from edge.journal.queue import Origin, Place
from edge.journal.store import Connect
from edge.journal.writer import JournalWriter
from sync_protocol import chain
from sync_protocol.entries import Clk, Entry, NoteEntry, RunEntry, parse
from sync_protocol.ids import RunId

HOUR_NS = 3600 * 1_000_000_000
DEADLINE_S = 60.0
TURNS = 26
KEPT_S = 2 * 3600


@dataclass
class TurnClock:
    """Stands still until it is turned."""

    ns: int = HOUR_NS

    def now_ns(self) -> int:
        return self.ns

    def wall_ns(self) -> int:
        return self.ns

    def stamp(self) -> StampFields:
        return {"boot_id": "boot", "mono_ns": self.ns, "wall_ns": self.ns, "clk": Clk(s="none")}


class _Unsynced(sqlite3.Connection):
    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        return super().execute("PRAGMA synchronous=OFF" if sql.startswith("PRAGMA synchronous") else sql, parameters)


def connect_unsynced(path: Path) -> sqlite3.Connection:
    """For files that no power cut is going to hit: the disk is spared."""
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=_Unsynced)


@dataclass
class Promised:
    """What callers were told: entries that are safe, facts that are kept, and how far each run may have been pruned."""

    tried: set[tuple[str, str]] = field(default_factory=set)
    """Facts that were given to the journal, whether it said that they are kept or not."""

    entries: dict[tuple[RunId, int], str] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)
    acked: dict[RunId, int] = field(default_factory=dict)
    """The highest position ever noted."""


class Day:
    """One writer at work until the seed's turns are over or the disk is gone."""

    def __init__(self, path: Path, connect: Connect, seed: int, *, reopen_after_s: Sequence[float] = ()) -> None:
        self._random = random.Random(seed)
        self._clock = TurnClock()
        self.promised = Promised()
        self._changed = threading.Condition()
        self._submitted: list[tuple[Place, str]] = []
        self._ended = False
        origin = Origin(self._clock, "0", self._random.randbytes, self._preamble)
        self._writer = JournalWriter(path, origin, connect=connect, reopen_after_s=reopen_after_s)
        self._count = 0

    def _preamble(self) -> list[Entry]:
        return [NoteEntry(**self._clock.stamp(), name="preamble")]

    def work(self, *, until_refused: bool = True) -> None:
        """Raises JournalFault when the journal could not even be begun."""
        self._writer.start(Notices(self._durable, self._failed, lambda _fault: self._end()))
        for _ in range(TURNS):
            try:
                self._turn()
            except JournalFault:
                if until_refused:
                    return
                self._until_open()

    def close(self) -> None:
        self._writer.close()

    def _turn(self) -> None:
        match self._random.choices(("append", "fresh", "ack", "back", "prune", "know"), (10, 2, 4, 1, 4, 2))[0]:
            case "append":
                self._append(self._random.choice((1, 1, 2, 8, 30)))
            case "fresh":
                self._wait(self._writer.fresh_run().ticket)
            case "ack":
                self._ack(self._writer.durable.run, self._writer.durable.tip)
            case "back":
                run = self._random.choice([*self.promised.acked, self._writer.durable.run])
                self._ack(run, self._random.randint(0, self.promised.acked.get(run, 0)))
            case "prune":
                self._clock.ns += HOUR_NS
                age_s = self._writer.age_s()
                self._writer.in_turn(lambda db: retention.prune(db, age_s=age_s, older_than_s=KEPT_S, limit=40))
            case _:
                key, value = self._random.choice("abc"), str(self._random.random())
                self.promised.tried.add((key, value))
                self._writer.in_turn(lambda db: rows.put_known(db, key, value))
                self.promised.tried.clear()
                self.promised.facts[key] = value

    def _append(self, count: int) -> None:
        place = None
        for _ in range(count):
            self._count += 1
            name = f"n{self._count} {'x' * self._random.choice((20, 200, 200, 3000))}"
            with self._changed:
                place = self._writer.submit(NoteEntry(**self._clock.stamp(), name=name))
                self._submitted.append((place, name))
        if place is not None:
            self._wait(place.ticket)

    def _ack(self, run: RunId, acked: int) -> None:
        self.promised.acked[run] = max(acked, self.promised.acked.get(run, 0))
        self._writer.mark_acked(run, acked)

    def _durable(self, durable: Durable) -> None:
        with self._changed:
            self.promised.entries |= {
                (place.run, place.seq): name for place, name in self._submitted if place.ticket <= durable.ticket
            }
            self._submitted = [pair for pair in self._submitted if pair[0].ticket > durable.ticket]
            self._ticket = durable.ticket
            self._changed.notify_all()

    _ticket = 0

    def _failed(self, _fault: JournalFault, ticket: int) -> None:
        with self._changed:
            self._refused = max(self._refused, ticket)
            self._submitted = [pair for pair in self._submitted if pair[0].ticket > ticket]
            self._changed.notify_all()

    _refused = 0

    def _until_open(self) -> None:
        """A journal that is being opened again refuses everything."""
        deadline = time.monotonic() + DEADLINE_S
        while not self._ended and time.monotonic() < deadline:
            try:
                self._wait(self._writer.submit(NoteEntry(**self._clock.stamp(), name="again")).ticket)
            except JournalFault:
                time.sleep(0.0005)
            else:
                return

    def _end(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _wait(self, ticket: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: max(self._ticket, self._refused) >= ticket or self._ended, DEADLINE_S)
            if self._ticket < ticket:
                raise JournalFault("refused")


@dataclass
class Found:
    """How a journal looks when it is opened again after a cut."""

    integrity: str
    broken: list[str]
    """Entries whose hash does not follow, runs whose parent does not fit."""

    lost: list[tuple[RunId, int]]
    """Entries that were promised and are not there, though nothing allowed to let go of them."""

    forgotten: list[str]
    """Facts that were promised and are older than that, or missing."""


def look(path: Path, promised: Promised) -> Found:
    """Open the journal as the box does at its next start, then read it with nothing but sqlite3."""
    writer = JournalWriter(path, Origin(TurnClock(), "0"), connect=connect_unsynced)
    writer.start(Notices(lambda _durable: None, lambda _fault, _ticket: None, lambda _fault: None))
    writer.close()
    connection = sqlite3.connect(path)
    try:
        integrity = str(connection.execute("PRAGMA integrity_check").fetchone()[0])
        sql = "SELECT r.run, seq, bytes, hash FROM entry e JOIN run r ON r.id = e.run ORDER BY r.id, seq"
        entries = connection.execute(sql).fetchall()
        known = dict(connection.execute("SELECT key, value FROM known").fetchall())
    finally:
        connection.close()
    stored = {(run, seq): data for run, seq, data, _ in entries}
    lost = [
        place
        for place, name in promised.entries.items()
        if (place[1] >= promised.acked.get(place[0], 0) if place not in stored else named(stored[place]) != name)
    ]
    # The last one may be kept though the power went before anyone was told.
    kept = set(known.items())
    forgotten = [key for key, value in promised.facts.items() if known.get(key) != value and not promised.tried & kept]
    return Found(integrity, list(_broken(entries)), lost, forgotten)


def named(data: bytes) -> str | None:
    return getattr(parse(data), "name", None)


def _broken(entries: list[tuple[RunId, int, bytes, bytes]]) -> list[str]:
    broken = []
    hashes: dict[tuple[str, int], bytes] = {}
    runs = {run for run, *_ in entries}
    for run, seq, data, digest in entries:
        before = chain.seed(run) if seq == 0 else hashes.get((run, seq - 1))
        if before is not None and chain.link(before, seq, data) != digest:
            broken.append(f"{run}:{seq}")
        hashes[run, seq] = digest
        entry = parse(data)
        if isinstance(entry, RunEntry) and entry.parent is not None and entry.parent.run in runs:
            parent = hashes.get((entry.parent.run, entry.parent.seq))
            if parent is None or parent.hex() != entry.parent.hash:
                broken.append(f"parent of {run}")
    return broken
