"""The box's figures: the entry that they make, and that it is written in time, at every level, and never in the way."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from edge.disk.guard import DiskFacts
from edge.disk.levels import MIB, Level, Usage
from edge.errors import JournalFull
from edge.health.care import About, Care
from edge.health.facts import BoxHealth, JournalFigures, UplinkFigures, entry_of, file_bytes, rss_bytes
from edge.health.keeper import RARE, HealthKeeper, due_after_s
from edge.journal.service import Journal
from edge.settings import BoxSettings, DiskSettings
from sync_protocol.entries import Clk, Entry, HealthEntry, NoteEntry, encode, parse
from sync_protocol.ids import EntryId, RunId
from tests.unit.edge_jobs.station import TurnedClock

HEALTH = BoxHealth(
    uplink=UplinkFigures("mqtt", up=True, batch_ms_p50=11, batch_ms_p99=90),
    journal=JournalFigures(5, 60, 3, commit_us_p50=800, commit_us_p99=5000, bytes=7 * MIB),
    disk=DiskFacts(Level.SHED, Usage(100 * MIB, 12 * MIB), 0, True, 0),
    clk=Clk(s="rtc"),
    blobs_waiting=2,
    rss_bytes=64 * MIB,
)


class Taken:
    """A journal that keeps, or is full."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.full = False
        self.came = asyncio.Event()

    async def append(self, entry: Entry) -> EntryId:
        if self.full:
            raise JournalFull("no room")
        self.entries.append(entry)
        self.came.set()
        return EntryId(RunId("0" * 32), len(self.entries))


def test_the_entry_carries_every_figure() -> None:
    entry = parse(encode(entry_of(HEALTH, TurnedClock().stamp())))
    assert isinstance(entry, HealthEntry)
    assert (entry.unacked, entry.oldest_unacked_s, entry.runs, entry.link, entry.blobs_waiting) == (5, 60, 3, "mqtt", 2)
    assert (entry.commit_us_p50, entry.commit_us_p99, entry.batch_ms_p50, entry.batch_ms_p99) == (800, 5000, 11, 90)
    assert (entry.disk_free, entry.disk_total, entry.disk_level) == (12 * MIB, 100 * MIB, "shed")
    assert (entry.journal_bytes, entry.rss_bytes) == (7 * MIB, 64 * MIB)


def test_what_is_not_known_is_absent() -> None:
    entry = entry_of(BoxHealth(), TurnedClock().stamp())
    assert b"null" not in encode(entry)
    assert (entry.link, entry.oldest_unacked_s, entry.rss_bytes) == ("none", None, None)


@pytest.mark.parametrize(("level", "times"), [(Level.OK, 1), (Level.PRUNE, 1), (Level.SHED, RARE), (Level.FULL, RARE)])
def test_entries_become_rare_when_room_does(level: Level, times: int) -> None:
    assert due_after_s(level, 300) == 300 * times


@asynccontextmanager
async def keeping(gather: Callable[[], BoxHealth], every_s: float) -> AsyncIterator[tuple[Taken, asyncio.Event, HealthKeeper]]:
    journal, moved = Taken(), asyncio.Event()
    keeper = HealthKeeper(journal, gather, clock=TurnedClock(), moved=moved)
    task = asyncio.create_task(keeper.run(every_s))
    try:
        yield journal, moved, keeper
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_it_is_written_every_so_often() -> None:
    async with keeping(lambda: replace(HEALTH, disk=DiskFacts()), 0.01) as (journal, _, _):
        while len(journal.entries) < 3:
            await asyncio.wait_for(journal.came.wait(), 20)
            journal.came.clear()


async def test_a_new_level_is_written_at_once() -> None:
    async with keeping(lambda: HEALTH, 3600) as (journal, moved, _):
        await asyncio.sleep(0)
        moved.set()
        await asyncio.wait_for(journal.came.wait(), 20)
    assert [entry.disk_level for entry in journal.entries if isinstance(entry, HealthEntry)] == ["shed"]


async def test_a_journal_that_cannot_take_it_ends_nothing() -> None:
    async with keeping(lambda: HEALTH, 3600) as (journal, moved, keeper):
        journal.full = True
        await keeper.write()
        journal.full = False
        moved.set()
        await asyncio.wait_for(journal.came.wait(), 20)
    assert len(journal.entries) == 1


def test_memory_is_read_in_pages_and_may_be_unknown(tmp_path: Path) -> None:
    statm = tmp_path / "statm"
    statm.write_text("5000 1000 200 1 0 900 0\n")
    assert rss_bytes(statm) == 1000 * 4096 or (rss_bytes(statm) or 0) % 1000 == 0
    assert rss_bytes(tmp_path / "none") is None
    statm.write_text("nonsense")
    assert rss_bytes(statm) is None
    assert (rss_bytes() or 0) > MIB


def test_a_journal_takes_up_its_file_and_its_log(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    assert file_bytes(path) == 0
    path.write_bytes(b"x" * 8192)
    path.with_name("journal.db-wal").write_bytes(b"x" * 4096)
    assert file_bytes(path) == 12288


async def test_a_box_without_cloud_counts_what_waits_over_all_its_starts(tmp_path: Path) -> None:
    clock, path = TurnedClock(), tmp_path / "journal.db"
    settings = BoxSettings(data_dir=tmp_path, station="s", browser_libs=tmp_path, disk=DiskSettings(ballast_mib=0))
    for earlier in (0, 4):
        async with Journal.open(path, clock=clock, firmware="7") as journal:
            for _ in range(3):
                await journal.append(NoteEntry(**clock.stamp(), name="n"))
            care = Care(settings, path, journal, clock, About(box=None, firmware="7"))
            await care.recount()
            await care.guard.check()
            found = care.health()
            assert (found.journal.unacked, found.journal.runs) == (earlier + 4, 1 + earlier // 4)
            assert found.journal.commit_us_p50 is not None
            assert (found.uplink.link, found.firmware) == ("none", "7")
            assert found.disk.usage.total > 0
            assert isinstance(await care.door.append(NoteEntry(**clock.stamp(), name="n")), EntryId)
            journal.mark_acked(journal.run, 1)
