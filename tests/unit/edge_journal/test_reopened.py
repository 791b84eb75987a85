"""After a commit that failed: what is on the disk all the same is known to the uplink, though nobody was told it is saved."""

import asyncio
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from edge.errors import JournalBroken
from edge.journal.store import connect_sqlite
from sync_protocol.ids import run_id

RUN = run_id("ab" * 16)


class Doubtful:
    """A connection whose next commit is carried out, and then said to have failed, once armed."""

    armed = False

    def __init__(self, path: Path) -> None:
        self._connection = connect_sqlite(path)

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Any:
        found = self._connection.execute(sql, parameters)
        if sql == "COMMIT" and Doubtful.armed:
            Doubtful.armed = False
            raise sqlite3.OperationalError("disk I/O error")
        return found

    def executemany(self, sql: str, parameters: Sequence[Any], /) -> Any:
        return self._connection.executemany(sql, parameters)

    def close(self) -> None:
        self._connection.close()


@pytest.mark.parametrize("fresh", [False, True])
async def test_entries_of_a_doubtful_commit_are_known_to_the_uplink(opened: Any, note: Any, contents: Any, fresh: bool) -> None:
    async with opened(run=RUN, connect=Doubtful, reopen_after_s=(0.01,)) as journal:
        await journal.append(note("sure"))
        Doubtful.armed = True
        with pytest.raises(JournalBroken):
            await (journal.fresh_run() if fresh else journal.append(note("in doubt")))
        while True:
            try:
                await journal.append(note("after"))
                break
            except JournalBroken:
                await asyncio.sleep(0.001)
        tips = dict(journal.tips)
        newest = journal.run
    found = contents()
    assert tips == {run: sum(row[0] == run for row in found.rows) for run, *_ in found.runs}
    assert found.names(newest) == ["run", "after"]
    assert len(tips) == (3 if fresh else 2)
    found.check_chains()
