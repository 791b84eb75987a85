"""The one writer: a thread that commits whatever arrived while the previous commit was on its way to the disk.

`submit` gives an entry its place at once; `on_durable` says up to which ticket all is safe. Nothing may be confirmed before
that. A commit that fails confirms nothing: `recovery` says what is believed afterwards.
"""

import contextlib
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import structlog

from edge.errors import JournalFault, JournalFull
from edge.journal import aside, opening, recovery, rows, store
from edge.journal.notices import Durable, Notices
from edge.journal.opening import Opened, open_checked
from edge.journal.queue import Group, Origin, Place, Queue
from edge.journal.rows import Tail
from edge.journal.turns import Turns
from sync_protocol.entries import Encoded, Entry, encode
from sync_protocol.ids import RunId

log = structlog.get_logger()

T = TypeVar("T")

MAX_PENDING = 20_000
"""Entries waiting for the disk, about 10 MB: a minute of a stalled card on a busy box; more is refused, not queued."""

ACK_DELAY_S = 1.0
"""Acks of the cloud ride on the next commit, or wait this long for one: they cost a sync and losing one costs a resend."""

COMMITS_TIMED = 512
"""Commits whose duration is kept: enough for a 99th percentile of the last minutes."""

REOPEN_AFTER_S = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Pauses before each try to open the journal again after a failed commit; then the process ends and is started anew."""


class JournalWriter:
    """Opens a new run at `start` and appends to it until `close`. Thread-safe."""

    def __init__(
        self,
        path: Path,
        origin: Origin,
        *,
        connect: store.Connect = store.connect_sqlite,
        reopen_after_s: Sequence[float] = REOPEN_AFTER_S,
    ) -> None:
        self._path = path
        self._origin = origin
        self._connect = connect
        self._reopen_after_s = reopen_after_s
        mutex = threading.Lock()
        self._mutex = mutex
        self._wake = threading.Condition(mutex)
        self._turns = Turns(mutex, self._wake)
        self._queue = Queue(Tail(0, RunId(""), 0, b""))
        self._broken: JournalFault | None = None
        self._suspect: sqlite3.Error | None = None
        self._closing = False
        self._ended = False
        self._durations: deque[int] = deque(maxlen=COMMITS_TIMED)

    def start(self, notices: Notices) -> None:
        """Take the lock, open the file, make entry 0 durable and start the thread. Raises JournalFault."""
        self._lock = store.lock(self._path)
        self._notices = notices
        with contextlib.ExitStack() as undo:
            undo.callback(store.unlock, self._lock)
            try:
                self._open_or_salvage()
            except (sqlite3.Error, OSError) as exc:
                raise recovery.fault_of(exc, "the journal cannot be opened") from exc
            undo.pop_all()
        self._thread = threading.Thread(target=self._work, name="journal", daemon=True)
        self._thread.start()

    def _open_or_salvage(self) -> None:
        try:
            self._open()
        except sqlite3.Error as exc:
            if not recovery.is_damaged(exc):
                raise
            # Where the check does not look, the first use finds it.
            aside.set_aside(self._path)
            self._open()

    def _open(self) -> None:
        opened = open_checked(self._path, self._connect)
        with contextlib.ExitStack() as undo:
            undo.callback(opened.connection.close)
            self._connection = opened.connection
            self._opened_ns = self._origin.clock.now_ns()
            self.known = rows.all_known(self._connection)
            self._age_s = int(self.known.get(rows.AGE, "0"))
            self._begin_run(rows.last_run(self._connection), opened)
            undo.pop_all()
        if opened.folder is not None:
            aside.finish(opened.folder)

    @property
    def run(self) -> RunId:
        """The run in which the next entry will stand."""
        return self._queue.run

    @property
    def durable(self) -> Tail:
        """Where the chain on the disk ends."""
        return self._durable

    def submit(self, entry: Entry | Encoded) -> Place:
        """Give the entry its place; it is safe once `on_durable` passes its ticket.

        Raises JournalFault when too much waits for the disk or the writer is closed, JournalBroken or JournalFull while the
        journal is not open again after a failed commit.
        """
        data = encode(entry)
        with self._mutex:
            if self._broken or self._closing or len(self._queue.rows) >= MAX_PENDING:
                raise self._refusal() or JournalFault(f"{MAX_PENDING} entries wait for the disk")
            place = self._queue.place(entry.t, data)
            if len(self._queue.rows) == 1:
                self._wake.notify()
        return place

    def submit_again(self, entries: Sequence[tuple[str, bytes, str]]) -> int:
        """The same for entries that were in the journal before: kind, bytes, and the id that each had. The last's ticket."""
        with self._mutex:
            if (refusal := self._refusal()) is not None:
                raise refusal
            for kind, data, was in entries:
                self._queue.place(kind, data, was)
            self._wake.notify()
            return self._queue.placed

    def repeat_preamble(self) -> int:
        """Write once more what every run begins with; the ticket. Raises as `submit`."""
        for entry in self._origin.preamble():
            self.submit(entry)
        return self.last_ticket()

    def last_ticket(self) -> int:
        """The ticket of the last entry that was placed."""
        with self._mutex:
            return self._queue.placed

    def fresh_run(self) -> Place:
        """Go on in a new run; the place of the last entry that it begins with. Raises as `submit`."""
        with self._mutex:
            if (refusal := self._refusal()) is not None:
                raise refusal
            place = self._queue.begin_run(self._origin)
            self._wake.notify()
        return place

    def _refusal(self) -> JournalFault | None:
        return self._broken or (JournalFault("the journal is closed") if self._closing else None)

    def mark_acked(self, run: RunId, acked: int) -> None:
        """Note the cloud's position in a run; written with a later commit."""
        with self._mutex:
            self._queue.acks[run] = acked
            self._wake.notify()

    def drop_acks(self) -> None:
        """Forget the positions that wait for the next commit: they are of before the cloud was restored."""
        with self._mutex:
            self._queue.acks.clear()

    def in_turn(self, work: Callable[[store.Connection], T], *, transaction: bool = True) -> T:
        """Let `work` use the connection between two commits, in a transaction of its own unless told otherwise.

        Blocks; one at a time, and between two of them a commit that waits. Raises JournalFault when the journal refuses.
        """
        with self._turns.turn(self._refusal):
            return self._turn_of(work, transaction)

    def _turn_of(self, work: Callable[[store.Connection], T], transaction: bool) -> T:
        connection = self._connection
        try:
            if transaction:
                connection.execute("BEGIN IMMEDIATE")
            result = work(connection)
            if transaction:
                connection.execute("COMMIT")
        except sqlite3.Error as exc:
            # The writer's own thread finds out whether the connection can still be believed.
            self._suspect = exc
            raise recovery.fault_of(exc, "the journal refused") from exc
        except BaseException:
            recovery.roll_back(connection)
            raise
        return result

    def pending(self) -> int:
        """Entries that wait for the disk."""
        return len(self._queue.rows)

    def durations_us(self) -> list[int]:
        """How long the last commits took, in microseconds."""
        return list(self._durations)

    def age_s(self) -> int:
        """Seconds that this journal was open, in all its life."""
        return self._age_s + (self._origin.clock.now_ns() - self._opened_ns) // 1_000_000_000

    def close(self) -> None:
        """Commit what is pending and stop. May be called twice."""
        with self._mutex:
            if self._closing:
                return
            self._closing = True
            self._wake.notify()
        self._thread.join()
        with contextlib.suppress(sqlite3.Error):
            rows.put_known(self._connection, rows.AGE, str(self.age_s()))
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()
        store.unlock(self._lock)

    def _work(self) -> None:
        while self._step():
            pass
        with self._mutex:
            self._turns.end()

    def _step(self) -> bool:
        group = self._next_group()
        if group is None:
            return False
        if (suspect := self._suspect) is not None:
            self._suspect = None
            return self._recover(suspect, group)
        try:
            began_ns = self._origin.clock.now_ns()
            self._write(group)
        except sqlite3.Error as exc:
            return self._recover(exc, group)
        if group.rows:
            self._durations.append((self._origin.clock.now_ns() - began_ns) // 1000)
            self._tell_durable(group)
        return True

    def _next_group(self) -> Group | None:
        """The next commit, empty when there is something else to look at, None at the end."""
        with self._mutex:
            self._turns.lend()
            if self._suspect:
                return Group()
            queue = self._queue
            self._wake.wait_for(lambda: queue.rows or queue.acks or self._called_away())
            if not queue.rows and not self._called_away():
                self._wake.wait_for(lambda: queue.rows or self._called_away(), ACK_DELAY_S)
            if self._turns.wanted and not queue.rows:
                return Group()
            if self._closing and not queue.rows and not queue.acks:
                return None
            return queue.take()

    def _called_away(self) -> bool:
        return self._closing or self._turns.wanted

    def _write(self, group: Group) -> None:
        if not group.rows and not group.acks:
            return
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        for row, run in group.runs:
            rows.insert_run(connection, row, run)
            rows.put_known(connection, rows.CURRENT_RUN, run)
        if group.rows:
            rows.insert_entries(connection, group.rows)
        for run, acked in group.acks.items():
            rows.set_acked(connection, run, acked, age_s=self.age_s())
        for key, value in group.known.items():
            rows.put_known(connection, key, value)
        for cmd_id, state in group.commands.items():
            rows.put_command(connection, cmd_id, state)
        connection.execute("COMMIT")

    def _tell_durable(self, group: Group) -> None:
        # Rows of one run stand together; the last of each says how far it goes.
        ends = {row: seq + 1 for row, seq, *_ in (group.rows if group.runs else group.rows[-1:])}
        names = self._queue.names
        last = group.rows[-1]
        with self._mutex:
            self._durable = Tail(last[0], names[last[0]], last[1] + 1, last[4])
            ticket = self._queue.placed - len(self._queue.rows)
        self._notices.on_durable(Durable(tuple((names[row], tip) for row, tip in ends.items()), ticket))

    def _begin_run(self, parent: Tail | None, opened: Opened | None = None) -> None:
        lost = opened.note(self._origin.clock.stamp()) if opened is not None else None
        with self._mutex:
            self._queue.forget(parent or Tail(0, RunId(""), 0, b""))
            self._queue.begin_run(self._origin, [lost] if lost is not None else [])
            if opened is not None:
                self._queue.say_again(opened.rescued)
            group = self._queue.take(limit=MAX_PENDING + opening.MAX_RESCUED)
            if opened is not None and opened.lost is not None:
                group.known, group.commands = opened.carried(), opened.lost.commands
        self.known |= group.known
        self._write(group)
        with self._mutex:
            self._durable = self._queue.tail

    def _recover(self, exc: sqlite3.Error, group: Group) -> bool:
        """After a failed transaction: whether the writer goes on."""
        believed = recovery.is_refusal(exc) and recovery.is_as_before(self._connection, self._durable)
        if believed and not group.rows:
            self._take_back(group)
            return True
        fault = recovery.fault_of(exc, "a commit failed")
        with self._mutex:
            if not believed:
                self._broken = fault
            ticket = self._queue.placed
            self._queue.forget(self._durable)
        self._take_back(group)
        log.error("commit_failed", reason=str(exc), same_run=believed)
        self._notices.on_failed(fault, ticket)
        return believed or self._reopen(fault)

    def _take_back(self, group: Group) -> None:
        with self._mutex:
            self._queue.acks = group.acks | self._queue.acks

    def _reopen(self, fault: JournalFault) -> bool:
        tries = list(self._reopen_after_s)
        pause_s = 0.0
        while tries and not recovery.is_hopeless(fault):
            # A full disk is no reason to give up: what makes room for the journal needs this process.
            pause_s = tries.pop(0) if not isinstance(fault, JournalFull) else pause_s or tries[0]
            with self._mutex:
                if self._wake.wait_for(lambda: self._closing, pause_s):
                    break
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            try:
                self._open_again()
            except (sqlite3.Error, JournalFault) as exc:
                fault = recovery.fault_of(exc, "the journal cannot be opened again")
                log.warning("journal_not_reopened", reason=str(exc))
            else:
                return True
        self._notices.on_broken(recovery.for_good(fault))
        return False

    def _open_again(self) -> None:
        before = self._durable
        self._connection = recovery.open_again(self._path, self._connect, before)
        self._begin_run(rows.last_run(self._connection))
        with self._mutex:
            self._broken = None
            ticket = self._queue.placed
        log.info("journal_reopened", run=self._durable.run)
        # What the failed commit was to write may be there all the same: then it is sent, though nobody was told it is saved.
        self._notices.on_durable(Durable(rows.ends_since(self._connection, before.row), ticket))
