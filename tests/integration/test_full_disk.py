"""A real full medium: nothing confirmed is lost, nothing un-acked is deleted, and after acks there is room again."""

import asyncio
import contextlib
import ctypes
import json
import os
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from edge.disk.ballast import NAME, Ballast, make_room_to_start, usage_of
from edge.disk.gate import Door
from edge.disk.guard import DiskGuard, DiskPolicy
from edge.disk.levels import MIB, Level, Marks
from edge.errors import JournalFault, JournalFull
from edge.journal import survey
from edge.journal.service import Journal
from sync_protocol.entries import Clk, NoteEntry, ReadingEntry, StampFields
from sync_protocol.ids import EntryId, RunId
from tests.integration.commanding import running, stopped

SIZE, BALLAST = 24 * MIB, 4 * MIB
DAY = 86_400
TMPFS = b"tmpfs"


@pytest.fixture
def medium(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, 24 MiB."""
    libc = ctypes.CDLL(None, use_errno=True)
    place = tmp_path / "medium"
    place.mkdir()
    if libc.mount(TMPFS, bytes(place), TMPFS, 0, b"size=%d,mode=700" % SIZE) != 0:
        pytest.skip(f"no tmpfs can be mounted here: {os.strerror(ctypes.get_errno())}")
    try:
        yield place
    finally:
        assert libc.umount2(bytes(place), 2) == 0


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


def reading(clock: Clock, number: int) -> ReadingEntry:
    return ReadingEntry(**clock.stamp(), device="scale", driver="x", kind="mass", value=str(number), raw="x" * 700)


async def hear(journal: Journal, clock: Clock, acked: int, run: str | None = None) -> None:
    """The cloud says how far it is."""
    journal.mark_acked(RunId(run or journal.run), acked)
    await journal.append(NoteEntry(**clock.stamp(), name="acked"))


def guarded(folder: Path, journal: Journal, ballast: int = BALLAST) -> DiskGuard:
    return DiskGuard(folder, journal, DiskPolicy(Marks()), ballast=Ballast(folder, ballast))


async def fill(door: Door, clock: Clock, guard: DiskGuard | None, most: int = 60_000) -> tuple[list[EntryId], JournalFault]:
    """Write until it is refused; what was confirmed, and the refusal."""
    kept: list[EntryId] = []
    for start in range(0, most, 200):
        if guard is not None:
            await guard.check()
        found = await asyncio.gather(
            *(door.append(reading(clock, start + number)) for number in range(200)), return_exceptions=True
        )
        kept += [one for one in found if isinstance(one, EntryId)]
        refused = [one for one in found if isinstance(one, BaseException)]
        if refused:
            assert all(isinstance(one, JournalFault) for one in refused), refused
            return kept, refused[0]
    raise AssertionError("the medium never filled")


def there(path: Path, kept: list[EntryId]) -> bool:
    with survey.opened(path) as connection:
        assert [survey.first_bad(connection, run) for run in survey.runs_of(connection)] == [None] * len(
            survey.runs_of(connection)
        )
        sql = "SELECT run.run, seq FROM entry JOIN run ON run.id = entry.run"
        stored = {EntryId(run, seq) for run, seq in connection.execute(sql)}
    return set(kept) <= stored


async def test_a_medium_that_fills_refuses_in_words_keeps_everything_and_recovers_after_acks(medium: Path) -> None:
    clock, path = Clock(), medium / "journal.db"
    async with Journal.open(path, clock=clock, firmware="0") as journal:
        guard = guarded(medium, journal)
        door = Door(journal, guard)
        await guard.check()
        assert (medium / NAME).exists()
        kept, refused = await fill(door, clock, guard)
        assert isinstance(refused, JournalFull)
        assert guard.level is Level.FULL
        assert len(kept) > 5000
        assert there(path, kept)
        # Time alone frees nothing of what the cloud lacks.
        clock.ns += 100 * DAY * 1_000_000_000
        for _ in range(3):
            await guard.check()
        assert guard.facts.pruned == 0
        assert there(path, kept)
        # What says how the box is still gets in.
        assert isinstance(await door.append(NoteEntry(**clock.stamp(), name="full")), EntryId)
        # The cloud takes the older half; a day later there is room again.
        half = kept[len(kept) // 2].seq
        await hear(journal, clock, half)
        await guard.check()
        assert guard.facts.pruned == 0, "the floor is a day"
        clock.ns += 2 * DAY * 1_000_000_000
        await hear(journal, clock, half)
        await guard.check()
        assert 0 < guard.facts.pruned < half
        assert guard.level is not Level.FULL
        assert isinstance(await door.append(reading(clock, 0)), EntryId)
        assert there(path, [entry for entry in kept if entry.seq >= half])
        await guard.check()
        assert (medium / NAME).exists()


def squeeze(folder: Path) -> Path:
    """Somebody else takes every last byte."""
    other = folder / "other"
    with contextlib.suppress(OSError), other.open("ab", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    assert usage_of(folder).free == 0
    return other


async def filled(medium: Path, clock: Clock, ballast: int) -> tuple[list[EntryId], str]:
    """A journal half acked long ago on a medium without a free byte."""
    async with Journal.open(medium / "journal.db", clock=clock, firmware="0") as journal:
        guard = guarded(medium, journal, ballast)
        door = Door(journal, guard)
        await guard.check()
        found = await asyncio.gather(*(door.append(reading(clock, number)) for number in range(4000)))
        await hear(journal, clock, 3000)
        return list(found), journal.run


@pytest.mark.parametrize("ballast", [BALLAST, 0])
async def test_without_a_ballast_not_even_deleting_works(medium: Path, ballast: int) -> None:
    clock = Clock()
    kept, run = await filled(medium, clock, ballast)
    clock.ns += 3 * DAY * 1_000_000_000
    # The box stands still; its log was moved into the file and is gone.
    squeeze(medium)
    freed = make_room_to_start(medium, Ballast(medium, ballast))
    assert freed is bool(ballast)
    opening = Journal.open(medium / "journal.db", clock=clock, firmware="0")
    if not ballast:
        plain = sqlite3.connect(medium / "journal.db")
        # "disk I/O error" where already the file for shared memory finds no room.
        with contextlib.closing(plain), pytest.raises(sqlite3.OperationalError):
            plain.execute("DELETE FROM entry WHERE seq < 1000")
        with pytest.raises(JournalFault):
            async with opening:
                pass
    else:
        async with opening as journal:
            guard = guarded(medium, journal, ballast)
            await guard.check()
            assert guard.facts.pruned == 0, "the age of the acks counts while the journal is open"
            clock.ns += 3 * DAY * 1_000_000_000
            await hear(journal, clock, 3000, run)
            await guard.check()
            assert guard.facts.pruned > 2000
            assert guard.facts.usage.free > 0
    (medium / "other").unlink()
    assert there(medium / "journal.db", [entry for entry in kept if entry.seq >= 3000])


async def test_a_medium_that_others_fill_while_the_box_writes_refuses_and_goes_on_afterwards(medium: Path) -> None:
    clock, path = Clock(), medium / "journal.db"
    async with Journal.open(path, clock=clock, firmware="0") as journal:
        guard = guarded(medium, journal)
        door = Door(journal, guard)
        await guard.check()
        kept = list(await asyncio.gather(*(door.append(reading(clock, number)) for number in range(1000))))
        other = squeeze(medium)
        # The guard has not looked yet: the file itself refuses.
        more, refused = await fill(Door(journal, guard), clock, None)
        assert isinstance(refused, JournalFull), refused
        await guard.check()
        assert guard.level is Level.FULL
        assert not (medium / NAME).exists()
        with pytest.raises(JournalFull):
            await door.append(reading(clock, 1))
        other.unlink()
        await guard.check()
        assert guard.level is Level.OK
        assert (medium / NAME).exists()
        kept += [*more, await door.append(reading(clock, 2))]
    assert there(path, kept)


LIBRARIES = Path(__file__).resolve().parents[2] / "node_modules"
CONFIG = """
data_dir = "{data}"
station = "receiving-1"
browser_libs = "{libs}"
kiosk = {{ port = 0, locale = "en" }}
disk = {{ ballast_mib = 4, every_s = 0.2 }}
"""


def wait_for(url: str, level: str, *, ballast: bool) -> None:
    """Ask until the medium is at that level and the ballast lies there or not."""
    deadline = time.monotonic() + 40
    while True:
        found = httpx.get(f"{url}/health.json").json()["disk"]
        if (found["level"], found["ballast"]) == (level, ballast):
            return
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


def test_the_box_starts_on_a_full_medium_says_so_and_recovers(medium: Path, tmp_path: Path) -> None:
    if not (LIBRARIES / "htmx.org").exists():
        pytest.skip("the browser libraries are missing: run script/setup")
    config = tmp_path / "box.toml"
    config.write_text(CONFIG.format(data=medium / "box", libs=LIBRARIES))
    with running("edge", "run", "--config", config) as (process, said):
        wait_for(said["kiosk"], "ok", ballast=True)
        process.kill()
    other = squeeze(medium)
    with running("edge", "run", "--config", config) as (process, said):
        wait_for(said["kiosk"], "full", ballast=False)
        assert "The box is full" in httpx.get(f"{said['kiosk']}/signin").text
        other.unlink()
        wait_for(said["kiosk"], "ok", ballast=True)
        assert "The box is full" not in httpx.get(f"{said['kiosk']}/signin").text
        assert stopped(process) == 0
    with survey.opened(medium / "box" / "journal.db") as connection:
        runs = survey.runs_of(connection)
        assert [survey.first_bad(connection, run) for run in runs] == [None, None]
        sql = "SELECT bytes FROM entry WHERE kind = 'health'"
        levels = [json.loads(data)["disk_level"] for (data,) in connection.execute(sql)]
    assert {"full", "ok"} <= set(levels)
