"""Others at the writer's connection: between two commits, one at a time, and what they break is theirs."""

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from edge.errors import JournalBroken, JournalFault, JournalFull
from edge.journal.store import connect_sqlite
from sync_protocol.ids import run_id

RUN = run_id("ab" * 16)


async def test_commands_are_taken_once_and_found_unfinished_after_a_crash(opened: Any) -> None:
    async with opened() as journal:
        assert await journal.begin_command("01A")
        assert not await journal.begin_command("01A")
        assert await journal.begin_command("01B")
        await journal.finish_command("01A")
    async with opened() as journal:
        assert await journal.unfinished_commands() == ["01B"]
        assert not await journal.begin_command("01A")


async def test_guests_and_entries_take_turns(opened: Any, note: Any, contents: Any) -> None:
    """Neither starves: a hundred guests and a thousand entries all come through, and the entries' chain is whole."""
    async with opened() as journal:

        async def produce() -> None:
            for n in range(250):
                await journal.append(note(f"n{n}"))

        async def visit(who: int) -> None:
            for n in range(25):
                await journal.know(f"{who}.{n}", str(n))

        await asyncio.gather(*(produce() for _ in range(4)), *(visit(who) for who in range(4)))
        assert all(journal.known(f"{who}.{n}") == str(n) for who in range(4) for n in range(25))
    found = contents()
    found.check_chains()
    assert len(found.rows) == 1001


async def test_what_a_guest_raises_is_rolled_back_and_its_own(opened: Any, note: Any, contents: Any) -> None:
    def spoil(db: Any) -> None:
        db.execute("INSERT INTO known VALUES ('half', 'done')")
        raise ZeroDivisionError

    async with opened(run=RUN) as journal:
        await journal.append(note("a"))
        with pytest.raises(ZeroDivisionError):
            await journal.housekeeping(spoil)
        await journal.append(note("b"))
        assert await journal.housekeeping(
            lambda db: db.execute("SELECT count(*) FROM known WHERE key IN ('half', 'lost')").fetchall()
        ) == [(0,)]
    assert contents().names(RUN) == ["run", "a", "b"]


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM entry WHERE seq = 0", "UPDATE entry SET bytes = x'00'", "SELECT * FROM nowhere", "DELETE FROM run"],
)
async def test_what_the_file_forbids_is_refused_and_disturbs_nobody(
    opened: Any, note: Any, contents: Any, statement: str
) -> None:
    async with opened(run=RUN) as journal:
        waiting = [asyncio.create_task(journal.append(note(f"n{n}"))) for n in range(20)]
        with pytest.raises(JournalFault):
            await journal.housekeeping(lambda db: db.execute(statement))
        await asyncio.gather(*waiting)
        await journal.append(note("after"))
    assert len(contents().of(RUN)) == 22


async def test_what_the_cloud_gave_back_is_kept_again(opened: Any, note: Any) -> None:
    """The position may go down: a restored cloud. What it no longer has is protected again."""
    delete = "DELETE FROM entry WHERE seq < 2"
    async with opened(run=RUN) as journal:
        await journal.append(note("a"))
        journal.mark_acked(RUN, 2)
        await journal.append(note("b"))
        journal.mark_acked(RUN, 1)
        await journal.append(note("c"))
        with pytest.raises(JournalFault, match="cannot be deleted"):
            await journal.housekeeping(lambda db: db.execute(delete))
        journal.mark_acked(RUN, 3)
        await journal.append(note("d"))
        await journal.housekeeping(lambda db: db.execute(delete))
        assert await journal.reader.page(RUN, 0) == await journal.reader.page(RUN, 2)


async def test_a_checkpoint_is_done_outside_a_transaction(opened: Any, note: Any, path: Path) -> None:
    async with opened() as journal:
        await journal.append(note("a"))
        assert path.with_name("journal.db-wal").stat().st_size > 0
        work = lambda db: db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()  # noqa: E731
        assert await journal.housekeeping(work, transaction=False) == [(0, 0, 0)]
        assert path.with_name("journal.db-wal").stat().st_size == 0


class Breaks:
    """A connection that fails as a disk does while `message` is set."""

    message = ""

    def __init__(self, path: Path) -> None:
        self._real = connect_sqlite(path)

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        if Breaks.message and sql == "COMMIT":
            raise sqlite3.OperationalError(Breaks.message)
        return self._real.execute(sql, parameters)

    def executemany(self, sql: str, parameters: Any, /) -> sqlite3.Cursor:
        return self._real.executemany(sql, parameters)

    def close(self) -> None:
        self._real.close()


@pytest.mark.parametrize(("message", "error", "runs"), [("disk I/O error", JournalBroken, 2), ("disk is full", JournalFull, 1)])
async def test_a_guest_that_meets_a_bad_disk_hears_it_and_the_journal_finds_its_way(
    opened: Any, note: Any, contents: Any, monkeypatch: pytest.MonkeyPatch, message: str, error: type[Exception], runs: int
) -> None:
    async with opened(run=RUN, connect=Breaks, reopen_after_s=[0.0] * 5) as journal:
        await journal.append(note("before"))
        monkeypatch.setattr(Breaks, "message", message)
        with pytest.raises(error):
            await journal.know("lost", "1")
        monkeypatch.setattr(Breaks, "message", "")
        assert journal.known("lost") is None
        async with asyncio.timeout(20):
            while len(journal.tips) < runs:  # noqa: ASYNC110 - the writer's thread does it in its own time
                await asyncio.sleep(0.005)
        await journal.append(note("after"))
        assert await journal.housekeeping(
            lambda db: db.execute("SELECT count(*) FROM known WHERE key IN ('half', 'lost')").fetchall()
        ) == [(0,)]
    found = contents()
    found.check_chains()
    assert len(found.runs) == runs


async def test_figures_of_the_commits(opened: Any, note: Any) -> None:
    async with opened() as journal:
        assert journal.stats().commit_us_p50 is None
        for _ in range(5):
            await journal.append(note("a"))
        stats = journal.stats()
    assert (stats.commits, stats.pending, stats.commit_us_p50, stats.commit_us_p99) == (5, 0, 0, 0)
