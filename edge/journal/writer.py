"""The one writer: a thread that commits whatever arrived while the previous commit was on its way to the disk.

`submit` gives an entry its place in the run at once; `on_durable` says how far the run is safe. Nothing may be confirmed before
that. After a failed commit the writer is dead for good: what the file holds is known again only when it is opened anew.
"""

import contextlib
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge.clock import Clock
from edge.errors import JournalBroken, JournalFault
from edge.journal import store
from sync_protocol import chain
from sync_protocol.entries import Encoded, Entry, Position, RunEntry, encode
from sync_protocol.ids import RunId

MAX_PENDING = 20_000
"""Entries waiting for the disk, about 10 MB: a minute of a stalled card on a busy box; more is refused, not queued."""

MAX_GROUP = 4_000
"""Entries of one commit: keeps a commit after a stall under half a second, so that live readings are not held up by it."""

ACK_DELAY_S = 1.0
"""Acks of the cloud ride on the next commit, or wait this long for one: they cost a sync and losing one costs a resend."""


@dataclass(frozen=True, slots=True)
class Notices:
    """Called in the writer's thread: they must hand over and return."""

    on_durable: Callable[[int], None]
    """Entries 0..n-1 of this run are on the disk."""

    on_broken: Callable[[JournalBroken], None]
    """A commit failed; nothing more will become durable."""


class JournalWriter:
    """Opens a new run at `start` and appends to it until `close`. Thread-safe."""

    def __init__(
        self, path: Path, *, clock: Clock, run: RunId, firmware: str, connect: store.Connect = store.connect_sqlite
    ) -> None:
        self._path = path
        self._clock = clock
        self._connect = connect
        self._firmware = firmware
        self.run = run
        self._wake = threading.Condition()
        self._pending: list[store.Row] = []
        self._acks: dict[RunId, int] = {}
        self._next = 0
        self._hash = chain.seed(run)
        self._broken: JournalBroken | None = None
        self._closing = False
        self._notices = Notices(lambda _tip: None, lambda _exc: None)

    def start(self, notices: Notices) -> None:
        """Take the lock, open the file, make entry 0 durable and start the thread. Raises JournalFault."""
        self._lock = store.lock(self._path)
        self._notices = notices
        try:
            self._connection = store.open_for_writing(self._path, self._connect)
            self._begin_run()
        except BaseException:
            self._unlock()
            raise
        self._thread = threading.Thread(target=self._work, name="journal", daemon=True)
        self._thread.start()

    def _begin_run(self) -> None:
        parent = store.last_run(self._connection)
        position = Position(run=parent.run, seq=parent.tip - 1, hash=parent.last_hash.hex()) if parent and parent.tip else None
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._row = store.insert_run(self._connection, self.run)
            entry = RunEntry(**self._clock.stamp(), parent=position, fw=self._firmware)
            store.insert_entries(self._connection, [self._place("run", encode(entry))])
            self._connection.execute("COMMIT")
        except sqlite3.Error as exc:
            raise JournalFault(f"a new run cannot be written: {exc}") from exc

    def _place(self, kind: str, data: bytes) -> store.Row:
        seq = self._next
        self._hash = chain.link(self._hash, seq, data)
        self._next = seq + 1
        return (self._row, seq, kind, data, self._hash)

    def submit(self, entry: Entry | Encoded) -> int:
        """Give the entry its place in the run, its seq; it is safe once `on_durable` passes that.

        Raises JournalFault when too much waits for the disk or the writer is closed, JournalBroken after a failed commit.
        """
        data = encode(entry)
        with self._wake:
            if self._broken:
                raise self._broken
            if self._closing or len(self._pending) >= MAX_PENDING:
                raise JournalFault("the journal is closed" if self._closing else f"{MAX_PENDING} entries wait for the disk")
            row = self._place(entry.t, data)
            self._pending.append(row)
            if len(self._pending) == 1:
                self._wake.notify()
        return row[1]

    def mark_acked(self, run: RunId, acked: int) -> None:
        """Note the cloud's position in a run; written with a later commit."""
        with self._wake:
            self._acks[run] = acked
            self._wake.notify()

    def close(self) -> None:
        """Commit what is pending and stop. May be called twice."""
        with self._wake:
            if self._closing:
                return
            self._closing = True
            self._wake.notify()
        self._thread.join()
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()
        self._unlock()

    def _unlock(self) -> None:
        store.unlock(self._lock)

    def _work(self) -> None:
        while (work := self._next_group()) is not None:
            rows, acks = work
            try:
                self._commit(rows, acks)
            except sqlite3.Error as exc:
                self._break(exc)
                return
            if rows:
                self._notices.on_durable(rows[-1][1] + 1)

    def _next_group(self) -> tuple[list[store.Row], dict[RunId, int]] | None:
        with self._wake:
            self._wake.wait_for(lambda: self._pending or self._acks or self._closing)
            if not self._pending and not self._closing:
                self._wake.wait_for(lambda: self._pending or self._closing, ACK_DELAY_S)
            if self._closing and not self._pending and not self._acks:
                return None
            rows, self._pending = self._pending[:MAX_GROUP], self._pending[MAX_GROUP:]
            acks, self._acks = self._acks, {}
            return rows, acks

    def _commit(self, rows: list[store.Row], acks: dict[RunId, int]) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        if rows:
            store.insert_entries(self._connection, rows)
        for run, acked in acks.items():
            store.set_acked(self._connection, run, acked)
        self._connection.execute("COMMIT")

    def _break(self, exc: sqlite3.Error) -> None:
        broken = JournalBroken(f"a commit failed: {exc}")
        broken.__cause__ = exc
        with self._wake:
            self._broken = broken
            self._pending.clear()
        self._notices.on_broken(broken)
