"""Every statement of the writer fails once, the first, the second, until none does: SQLite's own way of testing.

Whatever fails: nothing that was promised is lost, nothing that was refused is promised, and the journal goes on.
"""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from edge.errors import JournalFault
from tests.faults.journal.working import Day, connect_unsynced, look

SEED = 5


class Failing:
    """The n-th statement of all connections fails, and `more` behind it; on the disk or not, as the parameter says."""

    def __init__(self, at: int, more: int, message: str, *, done: bool) -> None:
        self.statements = 0
        self._at = range(at, at + 1 + more)
        self._message = message
        self._done = done

    def connect(self, path: Path) -> "Connection":
        return Connection(connect_unsynced(path), self)

    def run(self, execute: Any, *args: Any) -> sqlite3.Cursor:
        self.statements += 1
        if self.statements not in self._at:
            return execute(*args)
        if self._done:
            # As an fsync that fails: what was written may be there all the same.
            execute(*args)
        raise sqlite3.OperationalError(self._message)

    @property
    def failed(self) -> bool:
        return self.statements >= self._at.start


class Connection:
    def __init__(self, real: sqlite3.Connection, failing: Failing) -> None:
        self._real = real
        self._failing = failing

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> sqlite3.Cursor:
        return self._failing.run(self._real.execute, sql, parameters)

    def executemany(self, sql: str, parameters: Sequence[Any], /) -> sqlite3.Cursor:
        return self._failing.run(self._real.executemany, sql, parameters)

    def close(self) -> None:
        self._real.close()


@pytest.mark.parametrize("done", [False, True], ids=["not done", "done all the same"])
@pytest.mark.parametrize("more", [0, 3], ids=["once", "for a while"])
@pytest.mark.parametrize("message", ["disk I/O error", "database or disk is full"])
def test_each_statement_fails_and_nothing_promised_is_lost(tmp_path: Path, message: str, more: int, done: bool) -> None:
    at = 1
    while True:
        failing = Failing(at, more, message, done=done)
        path = tmp_path / f"{at}.db"
        day = Day(path, failing.connect, SEED, reopen_after_s=(0.0,) * 6)
        try:
            day.work(until_refused=False)
        except JournalFault:
            pass  # the first statements make the file: the box does not start, and is started again
        else:
            day.close()
        found = look(path, day.promised)
        assert (found.integrity, found.broken, found.lost, found.forgotten) == ("ok", [], [], []), at
        if not failing.failed:
            break
        # Close together where the journal begins, further apart on the way.
        at += 1 if at < 40 else 11
    assert at > 100
