"""A box's disk, and the shipped journal on it: its writer works in virtual time instead of in a thread of its own.

The queue, the SQL, the recovery, the reader and the service are the shipped ones. What is not committed is lost with the power.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from edge.errors import JournalBroken, JournalFault
from edge.journal import recovery, rows
from edge.journal.notices import Notices
from edge.journal.queue import Origin
from edge.journal.reader import JournalReader
from edge.journal.service import Journal
from edge.journal.store import Connection, open_for_writing
from edge.journal.writer import JournalWriter

T = TypeVar("T")

TRIES = 5
"""To open the journal again, a second apart."""


class Disk:
    """One database in memory, and faults to come: each fails one statement of a transaction."""

    def __init__(self, image: bytes | None = None) -> None:
        self._database = sqlite3.connect(":memory:", isolation_level=None)
        if image is not None:
            self._database.deserialize(image)
        self.faults: list[str] = []

    def image(self) -> bytes:
        """All of it as it is now."""
        self.lose_power()
        return self._database.serialize()

    def lose_power(self) -> None:
        """A transaction that was not committed never was."""
        if self._database.in_transaction:
            self._database.execute("ROLLBACK")

    def overwrite(self, image: bytes) -> None:
        """Put an image in its place."""
        self._database.close()
        self._database = sqlite3.connect(":memory:", isolation_level=None)
        self._database.deserialize(image)

    def connect(self, _path: Path) -> "Opened":
        self.lose_power()
        return Opened(self)

    def run(self, sql: str, parameters: Sequence[Any]) -> sqlite3.Cursor:
        if self.faults and sql == "COMMIT":
            fault = self.faults.pop(0)
            if fault == "disk I/O error":
                # Nobody knows what a failed sync left behind: here everything or nothing.
                self._database.execute("COMMIT" if len(self.faults) % 2 else "ROLLBACK")
            raise sqlite3.OperationalError(fault)
        return self._database.execute(sql, parameters)

    def run_many(self, sql: str, parameters: Iterable[Any]) -> sqlite3.Cursor:
        return self._database.executemany(sql, parameters)

    def close(self) -> None:
        self._database.close()


class Opened:
    """A connection as the journal's writer uses it, and as its reader does."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    def execute(self, sql: str, parameters: Sequence[object] = (), /) -> Any:
        return self._disk.run(sql, parameters)

    def executemany(self, sql: str, parameters: Sequence[Any], /) -> Any:
        return self._disk.run_many(sql, parameters)

    async def execute_fetchall(self, sql: str, parameters: Sequence[object] = ()) -> list[Any]:
        return self._disk.run(sql, parameters).fetchall()

    def close(self) -> None:
        """The disk stays."""


class VirtualWriter(JournalWriter):
    """The shipped writer, whose commits happen some milliseconds of virtual time after they were asked for."""

    def __init__(self, disk: Disk, origin: Origin, *, random: Random, resume: bool) -> None:
        super().__init__(Path("journal.db"), origin, connect=disk.connect)
        self._disk = disk
        self._random = random
        self._resume = resume
        self._due: asyncio.TimerHandle | None = None
        self.dead = False

    @property
    def path(self) -> Path:
        return self._path

    def start(self, notices: Notices) -> None:
        """As the shipped one, without lock file and thread."""
        self._notices = notices
        self._connection = open_for_writing(self._path, self._connect)
        self._opened_ns = self._origin.clock.now_ns()
        self.known = rows.all_known(self._connection)
        self._age_s = int(self.known.get(rows.AGE, "0"))
        tail = rows.last_run(self._connection)
        if self._resume and tail is not None:
            # A machine that was copied as it ran knows no start.
            self._queue.forget(tail)
            self._queue.names[tail.row] = tail.run
            self._durable = tail
        else:
            self._begin_run(tail)

    def submit(self, entry: Any) -> Any:
        return self._soon(super().submit(entry))

    def submit_again(self, entries: Any) -> Any:
        return self._soon(super().submit_again(entries))

    def fresh_run(self) -> Any:
        return self._soon(super().fresh_run())

    def mark_acked(self, run: Any, acked: int) -> None:
        super().mark_acked(run, acked)
        self._soon(None)

    def in_turn(self, work: Callable[[Connection], T], *, transaction: bool = True) -> T:
        if (refusal := self._refusal()) is not None:
            raise refusal
        try:
            return self._turn_of(work, transaction)
        finally:
            self._soon(None)

    def close(self) -> None:
        """The power is gone, or the process: nothing more is written."""
        self.dead = True
        if self._due is not None:
            self._due.cancel()
        self._disk.lose_power()

    def _soon(self, result: T) -> T:
        if self._due is None and not self.dead:
            delay_s = self._random.choice((0.001, 0.005, 0.05, 0.5))
            self._due = asyncio.get_running_loop().call_later(delay_s, self._commit)
        return result

    def _commit(self) -> None:
        self._due = None
        if self.dead or self._broken is not None:
            return
        group = self._queue.take()
        if (suspect := self._suspect) is not None:
            self._suspect = None
            self._recover(suspect, group)
            return
        try:
            self._write(group)
        except sqlite3.Error as exc:
            self._recover(exc, group)
            return
        if group.rows:
            self._tell_durable(group)
        if self._queue.rows or self._queue.acks:
            self._soon(None)

    def _reopen(self, fault: JournalFault) -> bool:
        asyncio.get_running_loop().call_later(0.2, self._reopen_now, fault, TRIES)
        return True

    def _reopen_now(self, fault: JournalFault | sqlite3.Error, tries: int) -> None:
        if self.dead:
            return
        try:
            self._open_again()
        except (sqlite3.Error, JournalFault) as exc:
            if tries:
                asyncio.get_running_loop().call_later(1.0, self._reopen_now, exc, tries - 1)
            else:
                self._notices.on_broken(recovery.for_good(recovery.fault_of(fault, "the journal cannot be opened again")))


def open_journal(disk: Disk, origin: Origin, *, random: Random, resume: bool = False) -> tuple[Journal, VirtualWriter]:
    """The shipped journal on this disk."""
    writer = VirtualWriter(disk, origin, random=random, resume=resume)
    made: list[Journal] = []
    loop = asyncio.get_running_loop()

    def hand_over(take: Callable[[Journal], None]) -> None:
        if made and not writer.dead:
            loop.call_soon(take, made[0])

    writer.start(
        Notices(
            on_durable=lambda durable: hand_over(lambda journal: journal.advance(durable)),
            on_failed=lambda fault, ticket: hand_over(lambda journal: journal.fail(fault, ticket)),
            on_broken=lambda fault: hand_over(lambda journal: journal.end(fault)),
        )
    )
    reader = JournalReader(Opened(disk))  # type: ignore[arg-type]
    made.append(Journal(writer.path, writer, reader, origin.clock))
    return made[0], writer


def broken(journal: Journal) -> JournalBroken | None:
    """Why the journal is lost to its process, None while it is not."""
    with suppress(asyncio.InvalidStateError):
        return journal.broken.result()
    return None
