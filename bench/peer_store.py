"""The box's journal with the five verbs of the peers' harness (`stores.Store`), so that it stands in a table with other stores.

What the harness hands over is the text of one event; here it becomes the value of a reading, so encoding, clocks, hashing and
the chain are paid for. Acknowledged is what the writer says is durable. Nothing is deleted when it was delivered: the cloud's
position is noted, as after its answer, and what is noted late is sent again under its old id.
"""

import json
import sqlite3
import sys
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path

import structlog

from edge.clock import BoxClock
from edge.errors import JournalFault
from edge.journal.notices import Durable, Notices
from edge.journal.queue import Origin
from edge.journal.writer import MAX_PENDING, JournalWriter
from sync_protocol.entries import Encoded, ReadingFields, encode_reading
from sync_protocol.ids import RunId

PACK = 1000
"""Events of one pack, as in the harness's other stores."""

FLUSH_S = 300.0

OnAck = Callable[[int], None]


class ProductStore:
    """Our journal. `submit` waits while too much is pending, as whoever reads a device does."""

    def open(self, d: str) -> None:
        # The harness reads standard output.
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(file=sys.stderr))
        self._path = Path(d) / "journal.db"
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._clock = BoxClock.of_this_machine()
        self._changed = threading.Condition()
        self._waiting: deque[tuple[int, int, OnAck]] = deque()
        self._acked: dict[str, int] = {}
        self._pack: dict[str, int] = {}
        self._writer = JournalWriter(self._path, Origin(self._clock, "bench"))
        self._writer.start(Notices(self._durable, self._failed, lambda _exc: None))
        self._reader = sqlite3.connect(f"{self._path.as_uri()}?mode=ro", uri=True, check_same_thread=False)
        self._reader.execute("PRAGMA wal_autocheckpoint=0")

    def _reading(self, payload: str) -> Encoded:
        fields = ReadingFields(
            device="peer", driver="bench", kind="event", value=payload, unit=None, op=None, flags=["stable"],
            instrument_time=None, details={}, raw="",
        )  # fmt: skip
        return encode_reading(self._clock.stamp(), fields)

    def submit(self, seq: int, payload: str, on_ack: OnAck) -> bool:
        entry = self._reading(payload)
        try:
            with self._changed:
                if len(self._waiting) >= MAX_PENDING:
                    self._changed.wait_for(lambda: len(self._waiting) < MAX_PENDING)
                # The ticket is noted under the lock, so that no notice overtakes it.
                self._waiting.append((self._writer.submit(entry).ticket, seq, on_ack))
        except JournalFault:
            return False
        return True

    def _durable(self, durable: Durable) -> None:
        with self._changed:
            done = self._take(durable.ticket)
            self._changed.notify_all()
        for _, seq, on_ack in done:
            on_ack(seq)

    def _failed(self, _fault: JournalFault, ticket: int) -> None:
        with self._changed:
            self._take(ticket)
            self._changed.notify_all()

    def _take(self, ticket: int) -> list[tuple[int, int, OnAck]]:
        taken = []
        while self._waiting and self._waiting[0][0] <= ticket:
            taken.append(self._waiting.popleft())
        return taken

    def flush(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting, FLUSH_S)

    def pull(self) -> list[str]:
        """The oldest events that the cloud is not known to have, of one run."""
        for row, run, acked in self._reader.execute("SELECT id, run, acked FROM run ORDER BY id").fetchall():
            first = max(acked, self._acked.get(run, 0))
            sql = "SELECT seq, kind, bytes FROM entry WHERE run=? AND seq>=? ORDER BY seq LIMIT ?"
            found = self._reader.execute(sql, (row, first, PACK)).fetchall()
            if found:
                self._pack = {run: found[-1][0] + 1}
                events = [json.loads(data)["value"] for _, kind, data in found if kind == "reading"]
                if events:
                    return events
                self.done()
        return []

    def done(self) -> None:
        for run, acked in self._pack.items():
            self._acked[run] = acked
            self._writer.mark_acked(RunId(run), acked)
        self._pack = {}

    def backlog(self) -> int:
        sql = "SELECT count(*) FROM entry JOIN run ON run.id = entry.run WHERE seq >= acked"
        return int(self._reader.execute(sql).fetchone()[0])

    def close(self) -> None:
        self.flush()
        self._writer.close()
        self._reader.close()
