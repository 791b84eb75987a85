"""Files behind records: when a piece may go, what is let go for room, and what a restored cloud is asked again."""

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edge.errands import GENERATION_EVERY_S, LONGEST_WAIT_S, Files, records_first
from edge.journal.reader import GENERATION


@dataclass
class Sends:
    """How many entries wait, from one look to the next."""

    counts: list[int]

    def waiting(self) -> int:
        return self.counts.pop(0) if len(self.counts) > 1 else self.counts[0]


@pytest.mark.parametrize(("counts", "waits"), [([0], 0), ([99], 0), ([5000, 3000, 100, 50], 3), ([1], 0)])
async def test_piece_waits_until_few_entries_do(counts: list[int], waits: int) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    sends: Any = Sends(counts)
    await records_first(lambda: sends, sleep=sleep)
    assert len(slept) == waits


async def test_piece_goes_once_a_minute_behind_a_backlog_of_hours() -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    sends: Any = Sends([1_000_000])
    await records_first(lambda: sends, sleep=sleep)
    assert sum(slept) == pytest.approx(LONGEST_WAIT_S)
    await records_first(lambda: None, sleep=sleep)


@pytest.fixture
async def files(tmp_path: Path) -> Files:
    settings: Any = SimpleNamespace(data_dir=tmp_path)
    made = Files(settings)
    for number in range(3):
        name = made.store.put([bytes([number]) * 100], media="image/png", name="x", about={}).sha256
        made.store.note(replace(made.store.get(name), uploaded=number < 2))
    return made


async def test_room_is_made_of_files_that_the_cloud_holds_and_of_no_others(files: Files) -> None:
    assert files.waiting() == 1
    assert await files.free(150) == 200
    assert await files.free(1000) == 0
    assert files.waiting() == 1


class Known(dict[str, str]):
    """What the journal remembers."""

    def known(self, key: str) -> str | None:
        return self.get(key)

    async def know(self, key: str, value: str) -> None:
        self[key] = value


async def test_restored_cloud_is_asked_about_every_file_again(files: Files) -> None:
    journal: Any = Known()
    turns = asyncio.Queue[str | None]()

    async def sleep(seconds: float) -> None:
        assert seconds == GENERATION_EVERY_S
        seen.append(files.waiting())
        generation = await turns.get()
        if generation is not None:
            journal[GENERATION] = generation

    seen: list[int] = []
    for generation in (None, "0", "1", "1"):
        turns.put_nowait(generation)
    task = asyncio.create_task(files.doubt_restored(journal, sleep=sleep))
    async with asyncio.timeout(20):
        while len(seen) < 5:  # noqa: ASYNC110 - the loop under test cannot wake anyone
            await asyncio.sleep(0.005)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert seen == [1, 1, 1, 3, 3]
