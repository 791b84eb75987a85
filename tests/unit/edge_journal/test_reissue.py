"""Entries of a forked run are said again: once each, in order, with the ids that hold now, whatever cuts the work off."""

import asyncio
import sqlite3
from typing import Any

import pytest

from edge.errors import JournalFull
from edge.journal import reissue
from edge.journal.reissue import references, renamed, said_again
from sync_protocol.entries import DeviceEntry, parse
from sync_protocol.ids import EntryId, RunId, run_id

RUN = run_id("ab" * 16)


def again(found: Any, run: RunId) -> list[tuple[str | None, str]]:
    """What each entry of a run was before, and its name or kind."""
    return [(entry.was, getattr(entry, "name", entry.t)) for entry in found.of(run)]


async def test_the_run_being_written_is_left_and_its_tail_said_again(opened: Any, note: Any, contents: Any) -> None:
    async with opened(run=RUN) as journal:
        for name in "abcd":
            await journal.append(note(name))
        assert await journal.reissue(RUN, 3) == 2
        await journal.append(note("after"))
        second = journal.run
        outbox = await journal.reader.outbox()
    found = contents()
    found.check_chains()
    assert again(found, second) == [(None, "run"), (f"{RUN}:3", "c"), (f"{RUN}:4", "d"), (None, "after")]
    assert [state.stopped for state in outbox.runs] == ["fork", None]
    was = found.of(RUN)[3].model_dump()
    assert {**found.of(second)[1].model_dump(), "was": None} == was


async def test_a_run_of_an_earlier_process_is_said_again_in_the_current_one(opened: Any, note: Any, contents: Any) -> None:
    async with opened(run=RUN) as journal:
        await journal.append(note("a"))
    async with opened() as journal:
        await journal.append(note("now"))
        assert await journal.reissue(RUN, 0) == 1
        assert len(journal.tips) == 1
        assert again(contents(), journal.run) == [(None, "run"), (None, "now"), (f"{RUN}:1", "a")]


async def test_it_is_done_once_however_often_it_is_asked_for(opened: Any, note: Any, contents: Any) -> None:
    async with opened(run=RUN) as journal:
        await journal.append(note("a"))
        counts = await asyncio.gather(*(journal.reissue(RUN, 1) for _ in range(3)))
        assert await journal.reissue(RUN, 0) == 0
    assert sorted(counts) == [0, 0, 1]
    assert [name for _, name in again(contents(), journal.run)] == ["run", "a"]


async def test_steps_name_the_readings_as_they_are_called_now(
    opened: Any, note: Any, step: Any, contents: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reissue, "CHUNK", 3)
    async with opened(run=RUN) as journal:
        readings = [str(await journal.append(note(f"reading {n}"))) for n in range(4)]
        for n in range(4):
            await journal.append(step(n, readings[n], readings[0]))
        await journal.reissue(RUN, 2)
        live = await journal.append(step(4, readings[3]))
        second = journal.run
    found = contents().of(second)
    names = {entry.was: f"{second}:{seq}" for seq, entry in enumerate(found) if entry.was}
    # The first reading was acked: it keeps its id.
    assert readings[0] not in names
    steps = [entry for entry in found if entry.t == "step"]
    for n, entry in enumerate(steps[:4]):
        assert entry.readings == [names.get(readings[n], readings[n]), readings[0]]
        assert entry.data["weight"]["reading"] == names.get(readings[n], readings[n])
    assert live == EntryId(second, len(found) - 1)
    assert steps[4].readings == [names[readings[3]]]


async def test_jobs_are_rebuilt_from_each_step_once(opened: Any, step: Any) -> None:
    async with opened(run=RUN) as journal:
        for n in range(4):
            await journal.append(step(n))
        await journal.reissue(RUN, 3)
        await journal.append(step(4))
        second = journal.run
        await journal.reissue(second, 0)
        steps = [(entry.n, entry.was, placed.run == RUN) async for placed, entry in journal.steps()]
    assert steps == [(0, None, True), (1, None, True), (2, None, True), (3, None, True), (4, None, False)]


async def test_a_reissued_step_counts_where_its_original_is_gone(opened: Any, step: Any) -> None:
    async with opened(run=RUN) as journal:
        for n in range(2):
            await journal.append(step(n))
        await journal.reissue(RUN, 1)
        journal.mark_acked(RUN, 3)
        await journal.housekeeping(lambda db: db.execute("SELECT 1"))
        await journal.append(step(2))
        await journal.housekeeping(lambda db: db.execute("DELETE FROM entry WHERE kind='step' AND was IS NULL AND seq < 3"))
        assert [entry.n async for _, entry in journal.steps() if entry.n < 2] == [0, 1]


async def test_readings_keep_their_devices_and_new_ones_have_todays(opened: Any, note: Any, clock: Any, contents: Any) -> None:
    def device(identity: str) -> DeviceEntry:
        return DeviceEntry(**clock.stamp(), device="scale-1", driver="mt-sics", settings={}, identity=identity)

    async with opened(run=RUN) as journal:
        await journal.append(device("old"))
        await journal.append(device("newer"))
        await journal.append(note("reading"))
    async with opened(preamble=lambda: [device("today")]) as journal:
        await journal.reissue(RUN, 3)
        found = contents().of(journal.run)
    assert [(getattr(entry, "identity", entry.t), entry.was) for entry in found] == [
        ("run", None),
        ("today", None),
        ("newer", f"{RUN}:2"),
        ("note", f"{RUN}:3"),
        ("today", None),
    ]


async def test_what_is_too_long_to_be_said_again_is_named(opened: Any, note: Any, contents: Any) -> None:
    async with opened(run=RUN) as journal:
        await journal.append(note("x" * 65_390))
        await journal.append(note("short"))
        await journal.reissue(RUN, 0)
        found = contents().of(journal.run)
    assert [entry.was for entry in found] == [None, f"{RUN}:2", None]
    assert (found[2].name, found[2].data) == ("reissue_incomplete", {"count": 1, "entries": [f"{RUN}:1"]})


async def test_cut_off_by_a_full_disk_it_is_completed_by_the_next_call(
    opened: Any, note: Any, contents: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reissue, "CHUNK", 2)
    async with opened(run=RUN) as journal:
        for n in range(7):
            await journal.append(note(f"n{n}"))
        await journal.fresh_run()
        room: list[int] = [2]

        class NoRoom:
            def __init__(self, real: Any) -> None:
                self._real = real

            def __getattr__(self, name: str) -> Any:
                return getattr(self._real, name)

            def executemany(self, *args: Any) -> Any:
                if not room:
                    raise sqlite3.OperationalError("database or disk is full")
                room.pop()
                return self._real.executemany(*args)

        writer = journal._writer
        real, writer._connection = writer._connection, NoRoom(writer._connection)
        with pytest.raises(JournalFull):
            await journal.reissue(RUN, 1)
        writer._connection = real
        assert await journal.reissue(RUN, 1) == 5
        found = contents()
        found.check_chains()
        assert again(found, journal.run)[1:] == [(f"{RUN}:{n + 1}", f"n{n}") for n in range(7)]


NESTED = {"a": [f"{RUN}:1", {"b": f"{RUN}:20"}], "c": f"see {RUN}:1", "d": 1.50, f"{RUN}:1": "key"}


def test_only_whole_strings_are_references() -> None:
    assert list(references(NESTED)) == [f"{RUN}:1", f"{RUN}:20"]
    assert renamed(NESTED, {f"{RUN}:1": "new"}) == {**NESTED, "a": ["new", {"b": f"{RUN}:20"}]}


def test_said_again_is_the_same_entry_with_where_it_was(note: Any) -> None:
    entry = note("זה")
    data = said_again(entry.model_dump(mode="json", exclude_none=True), f"{RUN}:9", {})
    assert data is not None
    assert parse(data) == entry.model_copy(update={"was": f"{RUN}:9"})
