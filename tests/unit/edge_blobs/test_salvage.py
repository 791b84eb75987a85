"""What was salvaged of a damaged journal becomes a file that goes up, once."""

import json
from pathlib import Path

from edge.blobs.store import BlobStore
from edge.clock import BoxClock
from edge.errands import BLOBS, Files
from edge.journal.service import Journal
from edge.settings import BoxSettings
from sync_protocol.entries import BlobEntry, Clk, NoteEntry, parse

CLOCK = BoxClock("boot", Clk(s="none"))


def spoil(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[:64] = bytes(64)
    path.write_bytes(content)


async def damaged(path: Path) -> None:
    """A journal whose file begins with something else."""
    async with Journal.open(path, clock=CLOCK, firmware="0") as journal:
        for number in range(30):
            await journal.append(NoteEntry(**CLOCK.stamp(), name=f"n{number}"))
    spoil(path)


async def entries(journal: Journal, kind: type[BlobEntry] | type[NoteEntry]) -> list[BlobEntry | NoteEntry]:
    found = [parse(data) for data in await journal.reader.page(journal.run, 0)]
    return [entry for entry in found if isinstance(entry, kind)]


def files_of(folder: Path) -> Files:
    return Files(BoxSettings(data_dir=folder, station="s", browser_libs=folder))


async def test_salvage_goes_up_as_a_file_once(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    await damaged(path)
    files = files_of(tmp_path)
    async with Journal.open(path, clock=CLOCK, firmware="0") as journal:
        await files.take_salvage(journal, CLOCK)
        (entry,) = await entries(journal, BlobEntry)
        assert isinstance(entry, BlobEntry)
        lines = BlobStore(tmp_path / BLOBS).path(entry.sha256).read_text().splitlines()
        assert len(lines) >= 31
        assert all(json.loads(line) for line in lines)
        assert files.waiting() == 1
        await files.take_salvage(journal, CLOCK)
        assert len(await entries(journal, BlobEntry)) == 1
    async with Journal.open(path, clock=CLOCK, firmware="0") as journal:
        await files.take_salvage(journal, CLOCK)
        assert await entries(journal, BlobEntry) == []


async def test_salvage_beyond_what_the_cloud_takes_stays_and_is_told(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    await damaged(path)
    files = files_of(tmp_path)
    files.store = BlobStore(tmp_path / BLOBS, max_bytes=100)
    async with Journal.open(path, clock=CLOCK, firmware="0") as journal:
        (file,) = journal.salvage_files()
        await files.take_salvage(journal, CLOCK)
        names = [entry.name for entry in await entries(journal, NoteEntry)]
        assert names.count("salvage_not_sent") == 1
        assert await entries(journal, BlobEntry) == []
        assert file.exists()


async def test_a_good_journal_has_nothing_to_send(tmp_path: Path) -> None:
    async with Journal.open(tmp_path / "journal.db", clock=CLOCK, firmware="0") as journal:
        await files_of(tmp_path).take_salvage(journal, CLOCK)
        assert await entries(journal, BlobEntry) == []
