"""The journal: durable before confirmed, one writer, chained, and dead after a failed commit."""

import asyncio
import os
import secrets
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from edge.clock import BoxClock
from edge.errors import JournalBroken, JournalFault, JournalFull
from edge.journal import recovery
from edge.journal.service import Journal
from edge.journal.store import Row, connect_sqlite
from sync_protocol import chain
from sync_protocol.entries import Clk, NoteEntry, RunEntry, StepEntry, parse
from sync_protocol.ids import EntryId, RunId, run_id

CLOCK = BoxClock("boot", Clk(s="none"))


def fresh_run() -> RunId:
    return run_id(secrets.token_hex(16))


def note(name: str) -> NoteEntry:
    return NoteEntry(**CLOCK.stamp(), name=name)


def rows(path: Path) -> list[tuple[int, int, bytes, bytes]]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute("SELECT run, seq, bytes, hash FROM entry ORDER BY run, seq").fetchall()
    finally:
        connection.close()


def journal(path: Path, **more: object):
    return Journal.open(path, clock=CLOCK, run=fresh_run(), firmware="0", **more)


async def test_an_appended_entry_is_in_the_file_when_append_returns(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    async with journal(path) as opened:
        placed = await opened.append(note("one"))
        assert parse(rows(path)[-1][2]).name == "one"
        assert (placed.run, placed.seq) == (opened.run, 1)


async def test_many_at_once_keep_their_order_and_the_chain_holds(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    async with journal(path) as opened:
        placed = await asyncio.gather(*(opened.append(note(f"n{n}")) for n in range(500)))
        run = opened.run
    assert [entry.seq for entry in placed] == list(range(1, 501))
    stored = rows(path)
    assert [seq for _, seq, _, _ in stored] == list(range(501))
    assert [bytes(digest) for *_, digest in stored] == chain.links(chain.seed(run), 0, [data for _, _, data, _ in stored])
    assert [parse(data).name for _, _, data, _ in stored[1:]] == [f"n{n}" for n in range(500)]


async def test_each_start_is_a_new_run_that_names_its_parent(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    async with journal(path) as first:
        await first.append(note("x"))
    async with journal(path) as second:
        outbox = await second.reader.outbox()
    assert [(state.run, state.tip) for state in outbox.runs] == [(first.run, 2), (second.run, 1)]
    started = parse(rows(path)[-1][2])
    assert isinstance(started, RunEntry)
    assert (started.parent.run, started.parent.seq, started.parent.hash) == (first.run, 1, rows(path)[1][3].hex())


async def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    async with journal(path):
        with pytest.raises(JournalFault, match="another process"):
            async with journal(path):
                pass


async def test_a_journal_of_a_newer_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(JournalFault, match="schema 99"):
        async with journal(path):
            pass


async def test_a_file_that_is_no_database_is_set_aside_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(b"not a database, but somebody's data" * 100)
    async with journal(path) as opened:
        await opened.append(note("on"))
    assert (tmp_path / "journal-corrupt-1" / "journal.db").read_bytes() == b"not a database, but somebody's data" * 100
    lost = parse(rows(path)[1][2])
    assert (lost.name, lost.data["runs"], lost.data["n"]) == ("journal_lost", [], 1)


async def test_positions_of_the_cloud_survive_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    async with journal(path) as first:
        await first.append(note("x"))
        first.mark_acked(first.run, 2)
    async with journal(path) as second:
        assert (await second.reader.outbox()).runs[0].acked == 2


async def test_pages_keep_to_what_a_frame_holds(tmp_path: Path) -> None:
    async with journal(tmp_path / "journal.db") as opened:
        await asyncio.gather(*(opened.append(note("x" * 1000)) for _ in range(600)))
        page = await opened.reader.page(opened.run, 0)
        assert len(page) < 500
        assert sum(map(len, page)) + len(page) <= 256 * 1024
        assert await opened.reader.page(opened.run, 601) == []
        assert len(await opened.reader.page(opened.run, 600)) == 1


async def test_steps_come_back_in_the_order_of_their_runs(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    for start in (0, 2):
        async with journal(path) as opened:
            for n in (start, start + 1):
                await opened.append(note("between"))
                await opened.append(
                    StepEntry(**CLOCK.stamp(), job="j", job_kind="receive", n=n, step="open", station="s", by="dana")
                )
    async with journal(path) as opened:
        assert [entry.n async for _, entry in opened.steps()] == [0, 1, 2, 3]


class FailsToCommit:
    """A real connection on which some commits, counted over all connections of the test, fail as SQLite says it."""

    def __init__(self, path: Path, failing: dict[int, str], done: list[int], *, written: bool) -> None:
        self._real = connect_sqlite(path)
        self._written = written
        self._failing = failing
        self._done = done

    def execute(self, sql: str, parameters: Sequence[object] = (), /) -> sqlite3.Cursor:
        if sql == "COMMIT":
            self._done.append(1)
            if (message := self._failing.get(len(self._done))) is not None:
                if self._written:
                    self._real.execute(sql)
                raise sqlite3.OperationalError(message)
        return self._real.execute(sql, parameters)

    def executemany(self, sql: str, parameters: Sequence[Row], /) -> sqlite3.Cursor:
        return self._real.executemany(sql, parameters)

    def close(self) -> None:
        self._real.close()


def failing(*commits: int, message: str, written: bool = False):
    """`connect` for a journal; commit 1 makes the tables, commit 2 the run. `written`: what failed is in the file after all."""
    done: list[int] = []
    return lambda path: FailsToCommit(path, dict.fromkeys(commits, message), done, written=written)


async def test_a_full_disk_refuses_and_the_run_goes_on_when_there_is_room(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    async with journal(path, connect=failing(4, 5, message="database or disk is full")) as opened:
        await opened.append(note("kept"))
        for _ in range(2):
            with pytest.raises(JournalFull, match="full"):
                await opened.append(note("refused"))
        placed = await opened.append(note("after"))
        assert (placed.run, placed.seq) == (opened.run, 2)
    assert [getattr(parse(data), "name", "run") for _, _, data, _ in rows(path)] == ["run", "kept", "after"]
    assert [digest for *_, digest in rows(path)] == chain.links(chain.seed(placed.run), 0, [row[2] for row in rows(path)])


async def test_after_an_io_error_the_journal_goes_on_in_a_new_run_that_names_the_last_good_entry(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    preamble = [note("preamble")]
    connect = failing(4, message="disk I/O error")
    async with journal(path, connect=connect, reopen_after_s=[0, 0], preamble=lambda: preamble) as opened:
        first = opened.run
        kept = await opened.append(note("kept"))
        with pytest.raises(JournalBroken, match="I/O"):
            await opened.append(note("lost"))
        placed = await appended(opened, note("after"))
        assert placed.run == opened.run != first
        assert not opened.broken.done()
        assert [(run, tip) for run, tip in opened.tips.items()] == [(first, kept.seq + 1), (placed.run, placed.seq + 1)]
    entries = [parse(data) for _, _, data, _ in rows(path)]
    assert [getattr(entry, "name", "run") for entry in entries] == ["run", "preamble", "kept", "run", "preamble", "after"]
    assert (entries[3].parent.run, entries[3].parent.seq) == (first, 2)


@pytest.mark.parametrize("message", ["database or disk is full", "disk I/O error"])
async def test_a_failed_commit_that_is_in_the_file_all_the_same_is_found_and_not_written_over(
    tmp_path: Path, message: str
) -> None:
    path = tmp_path / "journal.db"
    async with journal(path, connect=failing(4, message=message, written=True), reopen_after_s=[0, 0]) as opened:
        first = opened.run
        await opened.append(note("kept"))
        with pytest.raises(JournalFault):
            await opened.append(note("unsure"))
        placed = await appended(opened, note("after"))
        assert placed.run != first
    entries = [parse(data) for _, _, data, _ in rows(path)]
    assert [getattr(entry, "name", "run") for entry in entries] == ["run", "kept", "unsure", "run", "after"]
    assert (entries[3].parent.run, entries[3].parent.seq) == (first, 2)


async def test_a_file_that_lost_what_was_confirmed_is_not_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    async with journal(path) as opened:
        await opened.append(note("kept"))
        tail = opened._writer.durable
    connection = recovery.open_again(path, connect_sqlite, tail)
    connection.close()
    with pytest.raises(JournalFault, match="confirmed"):
        recovery.open_again(path, connect_sqlite, replace(tail, tip=tail.tip + 1))
    connection = connect_sqlite(path)
    connection.execute("DROP TRIGGER entry_as_written")
    connection.execute("UPDATE entry SET bytes = CAST('{}' AS BLOB) WHERE seq = 1")
    connection.close()
    with pytest.raises(JournalFault, match="broken at entry 1"):
        recovery.open_again(path, connect_sqlite, tail)


async def test_a_journal_that_cannot_be_opened_again_ends_the_process(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    connect = failing(*range(3, 30), message="disk I/O error")
    async with journal(path, connect=connect, reopen_after_s=[0, 0]) as opened:
        with pytest.raises(JournalBroken):
            await opened.append(note("lost"))
        assert isinstance(await opened.broken, JournalBroken)
        with pytest.raises(JournalBroken):
            await opened.append(note("after"))
        with pytest.raises(JournalBroken):
            await opened.know("a", "b")
    async with journal(path) as again:
        await again.append(note("new run"))
    assert [parse(data).t for _, _, data, _ in rows(path)] == ["run", "run", "note"]


async def appended(opened: Journal, entry: NoteEntry) -> EntryId:
    """Append as soon as the journal is open again."""
    async with asyncio.timeout(20):
        while True:
            try:
                return await opened.append(entry)
            except JournalFault:
                await asyncio.sleep(0.001)


async def test_a_cancelled_append_disturbs_nobody(tmp_path: Path) -> None:
    async with journal(tmp_path / "journal.db") as opened:
        task = asyncio.create_task(opened.append(note("cancelled")))
        await asyncio.sleep(0)
        task.cancel()
        assert (await opened.append(note("next"))).seq == 2


KILLED = textwrap.dedent("""
    import asyncio, secrets, sys
    from pathlib import Path
    from edge.clock import BoxClock
    from edge.journal.service import Journal
    from sync_protocol.entries import Clk, NoteEntry
    clock = BoxClock("boot", Clk(s="none"))
    async def main():
        async with Journal.open(Path(sys.argv[1]), clock=clock, run=secrets.token_hex(16), firmware="0") as journal:
            async def produce(who):
                n = 0
                while True:
                    entry = await journal.append(NoteEntry(**clock.stamp(), name=f"{who}.{n}"))
                    sys.stdout.write(f"{entry} {who}.{n}\\n")
                    sys.stdout.flush()
                    n += 1
            await asyncio.gather(*(produce(who) for who in range(8)))
    asyncio.run(main())
""")


@pytest.mark.parametrize("seed", range(4))
def test_what_was_confirmed_survives_kill_9(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "journal.db"
    with subprocess.Popen([sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True) as box:
        confirmed = [box.stdout.readline() for _ in range(50 + 37 * seed)]
        os.kill(box.pid, signal.SIGKILL)
        confirmed += box.stdout.readlines()
    whole = [line.split() for line in confirmed if line.endswith("\n")]
    stored = {seq: data for _, seq, data, _ in rows(path)}
    assert len(whole) >= 50
    for placed, name in whole:
        assert parse(stored[int(placed.split(":")[1])]).name == name
