"""The guard over a real journal: what the cloud lacks stays, what it has goes by age and for room; the ballast."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from edge.disk import pages
from edge.disk.ballast import NAME, Ballast
from edge.disk.gate import Door
from edge.disk.guard import DiskGuard, DiskPolicy
from edge.disk.levels import MIB, Level, Usage
from edge.errors import JournalFault, JournalFull
from edge.journal.service import Journal
from sync_protocol.entries import Clk, NoteEntry, ReadingEntry, StampFields, StepEntry
from sync_protocol.ids import EntryId

DAY = 86_400
SIZE = 64 * 1024
CARD = 1000 * MIB
ROOMY = Usage(CARD, 900 * MIB)


@dataclass
class Clock:
    """Stands until it is turned."""

    ns: int = 1_000_000_000

    def now_ns(self) -> int:
        return self.ns

    def wall_ns(self) -> int:
        return self.ns

    def stamp(self) -> StampFields:
        return {"boot_id": "b", "mono_ns": self.ns, "wall_ns": self.ns, "clk": Clk(s="none")}

    def turn(self, seconds: float) -> None:
        self.ns += int(seconds * 1e9)


@dataclass
class Box:
    """A journal with its guard, on a medium whose figures the test sets."""

    folder: Path
    clock: Clock
    journal: Journal
    usage: list[Usage] = field(default_factory=lambda: [ROOMY])
    jobs: list[str] = field(default_factory=list)
    freed: list[int] = field(default_factory=list)
    until: int = 0

    def guard(self, **policy: float) -> DiskGuard:
        async def free(wanted: int) -> int:
            self.freed.append(wanted)
            return 0

        return DiskGuard(
            self.folder,
            self.journal,
            DiskPolicy(**policy),
            ballast=Ballast(self.folder, SIZE),
            open_jobs=lambda: self.jobs,
            frees=[free],
            usage=lambda _: self.usage[0],
        )

    async def note(self, times: int = 1) -> None:
        notes = [NoteEntry(**self.clock.stamp(), name="n" * 400) for _ in range(times)]
        await asyncio.gather(*(self.journal.append(one) for one in notes))

    async def acked(self, until: int | None = None) -> None:
        self.until = self.journal.tip if until is None else until
        self.journal.mark_acked(self.journal.run, self.until)
        await self.note()

    async def later(self, seconds: float) -> None:
        """Time goes by, and at its end the cloud is heard once more: time without a word of it does not count."""
        self.clock.turn(seconds)
        await self.acked(self.until)

    async def seqs(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        rows = await self.journal.housekeeping(
            lambda db: db.execute("SELECT run.run, seq FROM entry JOIN run ON run.id = entry.run ORDER BY 1, 2").fetchall()
        )
        for run, seq in rows:
            found.setdefault(str(run), []).append(int(str(seq)))
        return found


@asynccontextmanager
async def box(folder: Path, clock: Clock | None = None) -> AsyncIterator[Box]:
    clock = clock or Clock()
    async with Journal.open(folder / "journal.db", clock=clock, firmware="0") as journal:
        yield Box(folder, clock, journal)


async def test_what_the_cloud_lacks_never_goes(tmp_path: Path) -> None:
    async with box(tmp_path) as one:
        await one.note(2000)
        one.clock.turn(100 * DAY)
        one.usage[0] = Usage(CARD, 0)
        guard = one.guard()
        await guard.check()
        assert guard.level is Level.FULL
        assert (await one.seqs())[one.journal.run] == list(range(2001))
        assert one.freed, "files were asked for"


async def test_what_the_cloud_has_goes_after_its_days_and_the_next_frame_can_still_be_made(tmp_path: Path) -> None:
    async with box(tmp_path) as one:
        await one.note(1200)
        await one.acked(1000)
        guard = one.guard()
        await one.later(13.9 * DAY)
        await guard.check()
        assert (await one.seqs())[one.journal.run][0] == 0
        await one.later(0.2 * DAY + 3600)
        await guard.check()
        kept = (await one.seqs())[one.journal.run]
        assert kept == list(range(kept[0], 1204))
        assert 900 < kept[0] == guard.facts.pruned
        # The next frame of the run begins behind this hash.
        assert await one.journal.reader.hash_at(one.journal.run, 999) is not None


async def test_room_is_made_earlier_but_not_below_the_floor(tmp_path: Path) -> None:
    async with box(tmp_path) as one:
        await one.note(100)
        await one.acked()
        one.usage[0] = Usage(CARD, 250 * MIB)
        guard = one.guard(floor_days=2)
        await one.later(1.9 * DAY)
        await guard.check()
        assert (guard.level, guard.facts.pruned) == (Level.PRUNE, 0)
        await one.later(0.2 * DAY + 3600)
        await guard.check()
        assert guard.facts.pruned > 90


async def test_a_box_that_stands_still_lets_go_of_what_the_cloud_took_some_hours_ago(tmp_path: Path) -> None:
    async with box(tmp_path) as one:
        await one.note(100)
        await one.acked()
        guard = one.guard()
        await one.later(3 * 3600)
        one.usage[0] = Usage(CARD, 100 * MIB)
        await guard.check()
        assert (guard.level, guard.facts.pruned) == (Level.SHED, 0)
        one.usage[0] = Usage(CARD, 1 * MIB)
        await guard.check()
        assert (guard.level, guard.facts.pruned > 90) == (Level.FULL, True)


async def test_no_more_goes_than_is_needed(tmp_path: Path) -> None:
    async with box(tmp_path) as one:
        await one.note(4000)
        await one.acked()
        await one.later(2 * DAY)
        # 20 kB above the mark: what one short transaction frees inside the file is enough.
        one.usage[0] = Usage(CARD, int(CARD * 0.32) - 20_000)
        guard = one.guard()
        guard.facts = type(guard.facts)(level=Level.PRUNE)
        await guard.check()
        assert 0 < guard.facts.pruned <= 500


async def test_steps_of_an_open_job_stay(tmp_path: Path) -> None:
    async with box(tmp_path) as one:
        await one.note(10)
        step = StepEntry(**one.clock.stamp(), job="j-1", job_kind="receive", n=0, step="open", station="s", by="d")
        placed = await one.journal.append(step)
        await one.note(10)
        await one.acked()
        await one.later(20 * DAY)
        one.jobs.append("j-1")
        guard = one.guard()
        await guard.check()
        assert (await one.seqs())[one.journal.run][0] == placed.seq
        one.jobs.clear()
        await guard.check()
        assert (await one.seqs())[one.journal.run][0] > placed.seq


async def test_runs_of_earlier_starts_go_whole(tmp_path: Path) -> None:
    clock = Clock()
    async with box(tmp_path, clock) as one:
        await one.note(50)
        first = one.journal.run
        await one.acked(52)
        await one.acked(52)
    async with box(tmp_path, clock) as one:
        one.journal.mark_acked(first, 53)
        await one.acked()
        await one.later(20 * DAY)
        await one.guard().check()
        assert list(await one.seqs()) == [one.journal.run]
        assert [state.run for state in (await one.journal.reader.outbox()).runs] == [one.journal.run]


async def test_free_pages_go_back_to_the_file_system(tmp_path: Path) -> None:
    async with box(tmp_path) as one:
        await one.note(6000)
        await one.acked()
        await one.later(2 * DAY)
        one.usage[0] = Usage(CARD, 10 * MIB)
        await one.journal.housekeeping(pages.checkpoint, transaction=False)
        before = (tmp_path / "journal.db").stat().st_size
        guard = one.guard()
        await guard.check()
        assert guard.facts.pruned > 5000
        assert (tmp_path / "journal.db").stat().st_size < before / 2


async def test_the_ballast_is_made_given_and_made_again(tmp_path: Path) -> None:
    async with box(tmp_path) as one:
        guard = one.guard()
        await guard.check()
        assert ((tmp_path / NAME).exists(), guard.facts.ballast) == (True, True)
        one.usage[0] = Usage(CARD, 1000)
        await guard.check()
        assert ((tmp_path / NAME).exists(), guard.level, guard.facts.ballast) == (False, Level.FULL, False)
        one.usage[0] = Usage(CARD, 1000 + SIZE)
        await guard.check()
        assert (guard.level, (tmp_path / NAME).exists()) == (Level.FULL, False)
        one.usage[0] = ROOMY
        await guard.check()
        assert ((tmp_path / NAME).exists(), guard.level) == (True, Level.OK)


async def test_a_level_is_told_once(tmp_path: Path) -> None:
    async with box(tmp_path) as one:
        guard = one.guard()
        await guard.check()
        assert not guard.moved.is_set()
        one.usage[0] = Usage(CARD, 100 * MIB)
        await guard.check()
        assert guard.moved.is_set()
        guard.moved.clear()
        await guard.check()
        assert not guard.moved.is_set()


async def test_a_journal_that_cannot_delete_is_asked_again(tmp_path: Path) -> None:
    async with box(tmp_path) as one:
        guard = one.guard()
        one.usage[0] = Usage(CARD, 0)
        real, calls = one.journal.prune, []

        async def failing(**_: object) -> int:
            calls.append(1)
            raise JournalFull("not even that")

        one.journal.prune = failing  # type: ignore[method-assign,assignment]
        await guard.check()
        one.journal.prune = real  # type: ignore[method-assign]
        await guard.check()
        assert (guard.level, len(calls)) == (Level.FULL, 1)


async def test_a_poke_is_answered_at_once(tmp_path: Path) -> None:
    async with box(tmp_path) as one:
        guard = one.guard()
        running = asyncio.create_task(guard.run(3600))
        await asyncio.sleep(0)
        one.usage[0] = Usage(CARD, 0)
        guard.poke()
        try:
            await asyncio.wait_for(guard.moved.wait(), 20)
        finally:
            running.cancel()
        assert guard.level is Level.FULL


async def test_the_door_refuses_new_work_and_lets_the_rest_by(tmp_path: Path) -> None:
    async with box(tmp_path) as one:
        guard = one.guard()
        door = Door(one.journal, guard)
        stamp = one.clock.stamp()
        reading = ReadingEntry(**stamp, device="d", driver="x", kind="mass", raw="")
        step = StepEntry(**stamp, job="j", job_kind="receive", n=0, step="open", station="s", by="d")
        assert isinstance(await door.append(reading), EntryId)
        one.usage[0] = Usage(CARD, 0)
        await guard.check()
        for entry in (reading, step):
            with pytest.raises(JournalFull):
                await door.append(entry)
        assert isinstance(await door.append(NoteEntry(**stamp, name="still told")), EntryId)
        assert not door.captures("periodic")
        one.usage[0] = ROOMY
        await guard.check()
        assert isinstance(await door.append(reading), EntryId)


async def test_a_refusal_of_the_file_itself_wakes_the_guard() -> None:
    class Full:
        level, poked = Level.OK, 0

        def poke(self) -> None:
            self.poked += 1

        async def append(self, _entry: object) -> EntryId:
            raise JournalFull("no room")

        def steps(self) -> AsyncIterator[tuple[EntryId, StepEntry]]:
            raise JournalFault("not asked for")

    full = Full()
    with pytest.raises(JournalFull):
        await Door(full, full).append(NoteEntry(**Clock().stamp(), name="n"))
    assert full.poked == 1
