"""Durable readings a second: our journal beside plain sqlite3 with the same rows, the same pragmas and the same group commit.

The yardstick gets its rows ready made, so the ratio carries our encoding, hashing and bookkeeping. Both are driven by one
producer that keeps `in_flight` readings unconfirmed. Rounds alternate, the median ratio counts.
"""

import base64
import secrets
import sqlite3
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from edge.clock import BoxClock
from edge.journal import rows, store
from edge.journal.notices import Durable, Notices
from edge.journal.queue import Origin
from edge.journal.writer import JournalWriter
from sync_protocol.entries import Clk, Encoded, ReadingFields, encode_reading
from sync_protocol.ids import run_id

RAW = base64.b64encode(b"S S     12.340 kg\r\n").decode()
CLOCK = BoxClock("0f0e0d0c-0b0a-4908-8706-050403020100", Clk(s="ntp", err_ms=5))
ROUNDS = 15


def reading(n: int) -> Encoded:
    fields = ReadingFields(
        device="scale-1",
        driver="mt-sics",
        kind="mass",
        value=f"{n % 60000 / 1000:.3f}",
        unit="kg",
        op=None,
        flags=["net", "stable"],
        instrument_time=None,
        details={},
        raw=RAW,
    )
    return encode_reading(CLOCK.stamp(), fields)


def tip_of(durable: Durable) -> int:
    return durable.ends[-1][1]


class PlainSqlite:
    """What a careful program would write by hand: one writer thread that commits whatever arrived during the last commit."""

    def __init__(self, path: Path) -> None:
        connection = store.open_for_writing(path)
        assert isinstance(connection, sqlite3.Connection)
        self._connection = connection
        self._row = 1
        rows.insert_run(connection, self._row, run_id(secrets.token_hex(16)))
        self._wake = threading.Condition()
        self._pending: list[store.Row] = []
        self._closing = False
        self._next = 0

    def start(self, on_durable: Callable[[int], None]) -> None:
        self._on_durable = on_durable
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def submit(self, data: bytes, digest: bytes) -> None:
        with self._wake:
            self._pending.append((self._row, self._next, "reading", data, digest, None))
            self._next += 1
            if len(self._pending) == 1:
                self._wake.notify()

    def _work(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._pending or self._closing)
                group, self._pending = self._pending, []
                if not group:
                    return
            self._connection.execute("BEGIN IMMEDIATE")
            rows.insert_entries(self._connection, group)
            self._connection.execute("COMMIT")
            self._on_durable(group[-1][1] + 1)

    def close(self) -> None:
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()
        self._connection.close()


class Driver:
    """Keeps `in_flight` readings on their way until `count` are durable."""

    def __init__(self, in_flight: int, count: int) -> None:
        self._in_flight = in_flight
        self._count = count
        self._durable = 0
        self._changed = threading.Condition()

    def durable(self, tip: int) -> None:
        with self._changed:
            self._durable = tip
            self._changed.notify()

    def run(self, submit: Callable[[int], object], base: int) -> float:
        """Readings a second; `base` entries of the run are no readings."""
        sent = 0
        started = time.perf_counter()
        while sent < self._count:
            free = self._room(sent, base)
            for _ in range(min(free, self._count - sent)):
                submit(sent)
                sent += 1
        self._room(self._count + self._in_flight - 1, base)
        return self._count / (time.perf_counter() - started)

    def _room(self, sent: int, base: int) -> int:
        """Wait until there is room; how many more may be on their way."""
        with self._changed:
            self._changed.wait_for(lambda: sent - max(self._durable - base, 0) < self._in_flight)
            return self._in_flight - (sent - max(self._durable - base, 0))


def ours(in_flight: int, count: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        writer = JournalWriter(Path(folder) / "journal.db", Origin(CLOCK, "bench"))
        driver = Driver(in_flight, count)
        writer.start(Notices(lambda durable: driver.durable(tip_of(durable)), lambda _exc, _ticket: None, lambda _exc: None))
        try:
            return driver.run(lambda n: writer.submit(reading(n)), base=1)
        finally:
            writer.close()


def plain(in_flight: int, count: int) -> float:
    payload = [reading(n).data for n in range(count)]
    digest = bytes(32)
    with tempfile.TemporaryDirectory() as folder:
        yardstick = PlainSqlite(Path(folder) / "plain.db")
        driver = Driver(in_flight, count)
        yardstick.start(driver.durable)
        try:
            return driver.run(lambda n: yardstick.submit(payload[n], digest), base=0)
        finally:
            yardstick.close()


def run() -> list[dict[str, object]]:
    """One row per number in flight: both rates and the median of the rounds' ratios."""
    results: list[dict[str, object]] = []
    for in_flight, count, aim in ((1, 1500, 0.8), (8, 8000, 0.8), (256, 40000, 0.5)):
        pairs = [(ours(in_flight, count), plain(in_flight, count)) for _ in range(ROUNDS)]
        ratio = statistics.median(mine / theirs for mine, theirs in pairs)
        results.append(
            {
                "bench": "journal",
                "in_flight": in_flight,
                "readings_per_s": round(statistics.median(mine for mine, _ in pairs)),
                "plain_sqlite_per_s": round(statistics.median(theirs for _, theirs in pairs)),
                "ratio": round(ratio, 2),
                "aim": aim,
            }
        )
    return results


if __name__ == "__main__":
    for line in run():
        print(line)
