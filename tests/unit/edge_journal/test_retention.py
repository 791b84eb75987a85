"""What may be let go: only what the cloud has held long enough, by a clock that cannot jump."""

import asyncio
from typing import Any

import pytest

from edge.journal import retention, rows, writer
from sync_protocol.ids import run_id

RUN = run_id("ab" * 16)
DAY = 24


@pytest.fixture(autouse=True)
def _acks_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "ACK_DELAY_S", 0.0)


async def held(journal: Any, run: str, acked: int) -> None:
    """The cloud has so many entries, and the journal's file says so."""
    journal.mark_acked(run, acked)
    async with asyncio.timeout(20):
        while (run, acked) not in {(state.run, state.acked) for state in (await journal.reader.outbox()).runs}:  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def heard(journal: Any, run: str, acked: int) -> None:
    """The cloud says once more how far it is."""
    age_s = journal._writer.age_s()
    await journal.housekeeping(lambda db: rows.set_acked(db, run, acked, age_s=age_s))


async def aged(journal: Any, clock: Any, note: Any, *, hours: float) -> None:
    clock.turn(hours=hours)
    await journal.append(note("tick"))


async def test_what_the_cloud_took_long_ago_goes_and_the_last_two_stay(opened: Any, note: Any, clock: Any) -> None:
    async with opened(run=RUN) as journal:
        for n in range(9):
            await journal.append(note(f"n{n}"))
        await held(journal, RUN, 10)
        await aged(journal, clock, note, hours=14 * DAY)
        assert await journal.prune(older_than_s=14 * 86400, limit=100) == 0
        clock.turn(hours=2)
        await heard(journal, RUN, 10)
        assert await journal.prune(older_than_s=14 * 86400, limit=4) == 4
        assert await journal.prune(older_than_s=14 * 86400, limit=100) == 4
        outbox = await journal.reader.outbox()
        assert [(state.tip, state.acked) for state in outbox.runs] == [(11, 10)]
        assert await journal.reader.stretch(RUN, 8) is None
        assert (await journal.reader.stretch(RUN, 10)).entries == tuple(await journal.reader.page(RUN, 10))


@pytest.mark.parametrize("since", [5, 4])
async def test_a_run_goes_on_from_the_clouds_position_and_from_the_entry_below(
    opened: Any, note: Any, clock: Any, since: int
) -> None:
    async with opened(run=RUN) as journal:
        for n in range(9):
            await journal.append(note(f"n{n}"))
        await held(journal, RUN, 5)
        await aged(journal, clock, note, hours=30)
        await heard(journal, RUN, 5)
        assert await journal.prune(older_than_s=86400, limit=100) == 3
        stretch = await journal.reader.stretch(RUN, since)
        assert stretch is not None
        assert len(stretch.entries) == 11 - since


async def test_a_cloud_that_comes_back_exactly_where_retention_ends_is_gone_on_from(opened: Any, note: Any, clock: Any) -> None:
    async with opened(run=RUN) as journal:
        for n in range(9):
            await journal.append(note(f"n{n}"))
        await held(journal, RUN, 5)
        await aged(journal, clock, note, hours=30)
        await held(journal, RUN, 10)
        assert await journal.prune(older_than_s=86400, limit=100) == 3
        assert await journal.reader.stretch(RUN, 5) is not None


async def test_time_without_a_word_of_the_cloud_does_not_count(opened: Any, note: Any, clock: Any) -> None:
    async with opened(run=RUN) as journal:
        for n in range(9):
            await journal.append(note(f"n{n}"))
        await held(journal, RUN, 10)
        await aged(journal, clock, note, hours=1000)
        assert await journal.prune(older_than_s=86400, limit=100) == 0


async def test_what_a_restored_cloud_holds_counts_from_then(opened: Any, note: Any, clock: Any) -> None:
    async with opened(run=RUN) as journal:
        for n in range(9):
            await journal.append(note(f"n{n}"))
        await held(journal, RUN, 10)
        await aged(journal, clock, note, hours=30)
        await journal.rewind(1, {RUN: 9})
        assert await journal.prune(older_than_s=86400, limit=100) == 0
        clock.turn(hours=30)
        await heard(journal, RUN, 10)
        assert await journal.prune(older_than_s=86400, limit=100) == 0, "where the cloud was meanwhile, nobody had said"
        clock.turn(hours=30)
        await heard(journal, RUN, 10)
        assert await journal.prune(older_than_s=86400, limit=100) == 8


async def test_a_jump_of_the_wall_clock_lets_go_of_nothing(opened: Any, note: Any, clock: Any) -> None:
    async with opened(run=RUN) as journal:
        clock.wall = 0
        await journal.append(note("a"))
        await held(journal, RUN, 2)
        await journal.append(note("b"))
        clock.wall = 4_000_000_000 * 1_000_000_000
        clock.turn(hours=5)
        assert await journal.prune(older_than_s=86400, limit=100) == 0


async def test_time_while_the_box_is_off_does_not_count(opened: Any, note: Any, clock: Any, contents: Any) -> None:
    async with opened(run=RUN) as journal:
        await journal.append(note("a"))
        await held(journal, RUN, 2)
    clock.turn(hours=1000)
    async with opened() as journal:
        assert await journal.prune(older_than_s=86400, limit=100) == 0
        clock.turn(hours=20)
    clock.turn(hours=1000)
    async with opened() as journal:
        clock.turn(hours=6)
        await heard(journal, RUN, 2)
        # The run is over and the cloud has all of it: it goes with its name.
        assert await journal.prune(older_than_s=86400, limit=100) == 2
    assert RUN not in [run for run, *_ in contents().runs]


async def test_what_the_cloud_lost_and_took_again_counts_from_then(opened: Any, note: Any, clock: Any) -> None:
    async with opened(run=RUN) as journal:
        for n in range(9):
            await journal.append(note(f"n{n}"))
        await held(journal, RUN, 10)
        await aged(journal, clock, note, hours=20)
        await held(journal, RUN, 3)
        await aged(journal, clock, note, hours=1)
        await held(journal, RUN, 10)
        await aged(journal, clock, note, hours=10)
        assert await journal.prune(older_than_s=86400, limit=100) == 0
        clock.turn(hours=20)
        await heard(journal, RUN, 10)
        assert await journal.prune(older_than_s=86400, limit=100) == 8


@pytest.mark.parametrize("limit", [1, 3, 1000])
async def test_runs_go_oldest_first_and_the_newest_never(opened: Any, note: Any, clock: Any, contents: Any, limit: int) -> None:
    async with opened(run=RUN) as journal:
        for _ in range(3):
            await journal.append(note("a"))
            await journal.fresh_run()
        for run, tip in journal.tips.items():
            await held(journal, run, tip)
        await aged(journal, clock, note, hours=100)
        await heard(journal, journal.run, 1)
        gone = []
        while count := await journal.prune(older_than_s=86400, limit=limit):
            gone.append(count)
        assert sum(gone) == 2 + 2 + 2
        assert max(gone) <= limit + retention.STAYS
        newest = journal.run
    found = contents()
    assert [run for run, *_ in found.runs] == [newest]
    assert [row[1] for row in found.rows] == [0, 1]


async def test_an_open_job_keeps_its_steps(opened: Any, note: Any, step: Any, clock: Any) -> None:
    async with opened(run=RUN) as journal:
        await journal.append(step(0, job="done"))
        await journal.append(note("a"))
        await journal.append(step(0, job="open"))
        await journal.append(note("b"))
        await journal.fresh_run()
        await held(journal, RUN, 5)
        await aged(journal, clock, note, hours=100)
        await heard(journal, RUN, 5)
        assert await journal.prune(older_than_s=86400, limit=100, keep_jobs=["open"]) == 3
        assert [entry.job async for _, entry in journal.steps()] == ["open"]
        assert await journal.prune(older_than_s=86400, limit=100, keep_jobs=["open", "unheard of"]) == 0
        assert await journal.prune(older_than_s=86400, limit=100) == 2
