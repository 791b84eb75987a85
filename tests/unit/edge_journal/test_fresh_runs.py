"""Several runs in one process: where entries stand, what each run begins with, who its parent is."""

import asyncio
from itertools import pairwise
from typing import Any

import pytest

from edge.errors import JournalFault
from sync_protocol.ids import run_id

RUN = run_id("ab" * 16)


async def test_what_was_appended_before_keeps_its_run_and_what_comes_after_has_the_new_one(
    opened: Any, note: Any, contents: Any
) -> None:
    async with opened(run=RUN, preamble=lambda: [note("preamble")]) as journal:
        appends = [asyncio.create_task(journal.append(note(f"a{n}"))) for n in range(40)]
        await asyncio.sleep(0)
        fresh = asyncio.create_task(journal.fresh_run())
        await asyncio.sleep(0)
        appends += [asyncio.create_task(journal.append(note(f"b{n}"))) for n in range(40)]
        placed = [await append for append in appends]
        second = await fresh
        assert (journal.run, journal.tip) == (second, 42)
        assert dict(journal.tips) == {RUN: 42, second: 42}
    assert [(entry.run, entry.seq) for entry in placed] == [(run, seq) for run in (RUN, second) for seq in range(2, 42)]
    found = contents()
    found.check_chains()
    assert found.names(RUN) == ["run", "preamble", *(f"a{n}" for n in range(40))]
    assert found.names(second) == ["run", "preamble", *(f"b{n}" for n in range(40))]
    parent = found.of(second)[0].parent
    assert (parent.run, parent.seq, bytes.fromhex(parent.hash)) == (RUN, 41, found.rows[41][4])


async def test_a_fresh_run_in_a_crowd_loses_and_doubles_nothing(opened: Any, note: Any, contents: Any) -> None:
    async with opened() as journal:

        async def produce(who: int) -> list[Any]:
            return [await journal.append(note(f"{who}.{n}")) for n in range(50)]

        async def renew() -> None:
            for _ in range(10):
                await journal.fresh_run()
                await asyncio.sleep(0.002)

        results = await asyncio.gather(*(produce(who) for who in range(8)), renew())
        placed = {(entry.run, entry.seq): f"{who}.{n}" for who in range(8) for n, entry in enumerate(results[who])}
        assert sum(journal.tips.values()) == 8 * 50 + 11
    found = contents()
    found.check_chains()
    stored = {(run, seq): found.names(run)[seq] for run, seq, *_ in found.rows}
    assert {place: name for place, name in stored.items() if name != "run"} == placed
    runs = [run for run, *_ in found.runs]
    assert len(set(runs)) == 11
    assert [found.of(run)[0].parent.run for run in runs[1:]] == runs[:-1]
    assert all(found.of(child)[0].parent.seq == len(found.of(run)) - 1 for run, child in pairwise(runs))


async def test_a_closed_journal_begins_no_run(opened: Any) -> None:
    async with opened() as journal:
        pass
    with pytest.raises(JournalFault, match="closed"):
        await journal.fresh_run()


async def test_the_uplink_hears_of_the_old_runs_last_entries_too(opened: Any, note: Any) -> None:
    async with opened(run=RUN) as journal:
        await asyncio.gather(*(journal.append(note("x")) for _ in range(5)), journal.fresh_run())
        assert journal.grown.is_set()
        outbox = await journal.reader.outbox()
        assert {state.run: state.tip for state in outbox.runs} == dict(journal.tips)
        assert journal.tips[RUN] == 6


async def test_positions_stops_and_generation_come_back(opened: Any) -> None:
    async with opened(run=RUN) as journal:
        second = await journal.fresh_run()
        journal.mark_acked(second, 1)
        await journal.stop_run(RUN, "schema")
        await journal.know("gen", "7")
    async with opened() as journal:
        outbox = await journal.reader.outbox()
        assert journal.known("gen") == "7"
    assert [(state.run, state.acked, state.stopped) for state in outbox.runs[:2]] == [(RUN, 0, "schema"), (second, 1, None)]
    assert outbox.gen == 7
