"""The projection: the same records however often, in whatever portions and after whatever crash it runs."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from sqlalchemy import select

from cloud.db.engine import Sessions, open_sessions
from cloud.ingest.models import ParkedStep
from cloud.ingest.receive import receive_frame
from cloud.kernel.actor import Actor, Taken
from cloud.kernel.models import Event
from cloud.masters.models import OrderLine
from cloud.receiving import projection
from cloud.receiving.decisions import abandon, decide_exception, post
from cloud.receiving.models import ProjectionCursor, ProjectionFault, Receipt, ReceiptStep
from cloud.receiving.projection import project_all, project_forever
from cloud.receiving.rebuild import rebuild
from cloud.receiving.waiting import WAITED_ENOUGH
from sync_protocol.answers import Ack
from sync_protocol.entries import NoteEntry
from sync_protocol.steps import Confirm, FieldValue, Open

NOA = Actor.user("noa", "supervisor")


SO_FAR = "under_tolerance"
"""Tells how far the order had come by then: that depends on which run was taken first."""


async def _picture(sessions: Sessions) -> dict[str, object]:
    """Everything the projection made, by names and not by row numbers."""
    async with sessions.read() as session:
        receipts = list(await session.scalars(select(Receipt).order_by(Receipt.uid)))
        steps = await session.execute(
            select(ReceiptStep.run, ReceiptStep.seq, ReceiptStep.n).order_by(ReceiptStep.run, ReceiptStep.seq)
        )
        faults = await session.execute(
            select(ProjectionFault.run, ProjectionFault.seq, ProjectionFault.code).order_by(
                ProjectionFault.run, ProjectionFault.seq
            )
        )
        cursors = await session.execute(select(ProjectionCursor.run, ProjectionCursor.next_seq).order_by(ProjectionCursor.run))
        received = await session.execute(select(OrderLine.id, OrderLine.received).order_by(OrderLine.id))
        return {
            "receipts": [_of_receipt(receipt) for receipt in receipts],
            "steps": [tuple(row) for row in steps],
            "faults": [tuple(row) for row in faults],
            "cursors": [tuple(row) for row in cursors],
            "received": [(line, value) for line, value in received],
        }


def _columns(row, *left_out: str) -> dict[str, object]:
    skipped = {"id", "receipt_id", "line_id", *left_out}
    return {column.name: getattr(row, column.name) for column in row.__table__.columns if column.name not in skipped}


def _of_receipt(receipt: Receipt) -> dict[str, object]:
    evidence = [(row.line.number if row.line else 0, _columns(row)) for row in receipt.evidence]
    return {
        "head": _columns(receipt),
        "lines": [_columns(row) for row in receipt.lines],
        "evidence": sorted(evidence, key=lambda pair: (pair[0], str(pair[1]["field"]))),
        "exceptions": sorted((_columns(row) for row in receipt.exceptions if row.check != SO_FAR), key=str),
    }


async def _events(sessions: Sessions) -> list[tuple[str, str, str]]:
    async with sessions.read() as session:
        rows = await session.execute(
            select(Event.kind, Event.ref, Event.action).where(Event.kind == "receipt").order_by(Event.id)
        )
        return [tuple(row) for row in rows]


def _tell(box, story) -> None:
    """A day: two clean receipts, one that waits, one with a fault, over two runs."""
    story.whole("10.000", "DN-1")
    story.open(document="DN-2")
    story.chicken("11.000", lot=None)
    first = box.run
    box.start((first, len(first.entries) - 1))
    story.finish()
    story.open(document="DN-3")
    story.chicken("12.000")
    box.step(story.job, Confirm(line=9))
    story.finish()
    box.write_bytes(b"garbage")
    story.whole("13.000", "DN-4")


async def test_running_again_changes_nothing(sessions, box, demo, story) -> None:
    _tell(box, story)
    await box.deliver(sessions)
    assert await project_all(sessions) > 0
    before, events = await _picture(sessions), await _events(sessions)
    assert await project_all(sessions) == 0
    assert (await _picture(sessions), await _events(sessions)) == (before, events)
    assert [receipt["head"]["state"] for receipt in before["receipts"]] == ["posted", "check", "check", "posted"]


@pytest.mark.parametrize("chunk", [1, 3, 1000])
async def test_portions_make_no_difference(sessions, box, demo, story, monkeypatch, chunk: int) -> None:
    _tell(box, story)
    await box.deliver(sessions)
    await project_all(sessions)
    expected, events = await _picture(sessions), await _events(sessions)
    monkeypatch.setattr(projection, "CHUNK", chunk)
    await rebuild(sessions, Taken(Actor.system("test"), box.clock.now))
    assert await _picture(sessions) == expected
    assert await _events(sessions) == events


async def test_entries_taken_as_they_come_make_the_same_records(sessions, sqlite_url, make_box, box, demo, story) -> None:
    _tell(box, story)
    for run in box.runs:
        for first in range(0, len(run.entries), 4):
            await receive_frame(sessions, box=box.id, frame=box.frame(first, 4, run), now=box.clock.now)
            await project_all(sessions)
    piecewise = await _picture(sessions)
    await rebuild(sessions, Taken(Actor.system("test"), box.clock.now))
    assert await _picture(sessions) == piecewise


async def test_rebuild_repeats_what_staff_decided_in_between(sessions, box, demo, story, clock) -> None:
    story.open(document="DN-1")
    story.chicken("100.000", lot=None)
    story.finish()
    await box.deliver(sessions)
    await project_all(sessions)
    clock.go(minutes=5)
    async with sessions.read() as session:
        waiting = (await session.scalars(select(Receipt))).one()
    taken = Taken(NOA, clock.now, "lot on the pallet")
    await decide_exception(
        sessions, ref=waiting.ref, exception=waiting.exceptions[0].id, decision="accept", taken=taken, version=waiting.version
    )
    await post(sessions, ref=waiting.ref, taken=taken, version=None)
    clock.go(minutes=5)
    story.whole("30.000", "DN-2")
    await box.deliver(sessions)
    await project_all(sessions)
    clock.go(minutes=5)
    await abandon(sessions, ref="GR-2026-000002", taken=Taken(NOA, clock.now, "sent back"), version=None)
    before, events = await _picture(sessions), await _events(sessions)
    assert [receipt["head"]["state"] for receipt in before["receipts"]] == ["posted", "cancelled"]
    await rebuild(sessions, Taken(Actor.system("test"), clock.now))
    assert await _picture(sessions) == before
    assert await _events(sessions) == events


def device(value: str, reading: str) -> FieldValue:
    return FieldValue(value=value, mode="device", reading=reading)


class _Dying:
    """Sessions whose n-th writing transaction dies instead of being committed."""

    def __init__(self, sessions: Sessions, nth: int) -> None:
        self._sessions, self._left = sessions, nth

    def read(self):
        return self._sessions.read()

    @asynccontextmanager
    async def write(self) -> AsyncIterator[object]:
        async with self._sessions.write() as session:
            yield session
            await session.flush()
            self._left -= 1
            if self._left == 0:
                raise ConnectionAbortedError


@pytest.mark.parametrize("nth", [1, 2, 4, 6])
async def test_killed_between_effects_and_commit_it_goes_on_without_doubling(
    sessions, box, demo, story, monkeypatch, nth: int
) -> None:
    monkeypatch.setattr(projection, "CHUNK", 4)
    _tell(box, story)
    await box.deliver(sessions)
    with pytest.raises(ConnectionAbortedError):
        await project_all(_Dying(sessions, nth))
    await project_all(sessions)
    survived, events = await _picture(sessions), await _events(sessions)
    await rebuild(sessions, Taken(Actor.system("test"), box.clock.now))
    assert await _picture(sessions) == survived
    assert len(events) == len(set(events))


async def _post(sessions, box, run, first: int = 0, count: int | None = None) -> None:
    answer = await receive_frame(sessions, box=box.id, frame=box.frame(first, count, run), now=box.clock.now)
    assert isinstance(answer, Ack), answer


async def _parked(sessions: Sessions) -> list[tuple[str, int]]:
    async with sessions.read() as session:
        return [(row.job, row.n) for row in await session.scalars(select(ParkedStep).order_by(ParkedStep.job, ParkedStep.n))]


async def test_step_of_a_newer_run_waits_for_the_earlier_ones_of_its_job_alone(sessions, box, demo, story) -> None:
    story.open()
    story.chicken("10.000")
    parent = box.run
    child = box.start((parent, len(parent.entries) - 1))
    story.finish()
    waiting = story.job
    story.whole("11.000", "DN-2")
    await _post(sessions, box, child)
    assert await project_all(sessions) == len(child.entries)
    (receipt,) = (await _picture(sessions))["receipts"]
    assert (receipt["head"]["state"], receipt["head"]["document_no"]) == ("posted", "DN-2")
    assert await _parked(sessions) == [(waiting, 4)]
    half = len(parent.entries) // 2
    await _post(sessions, box, parent, 0, half)
    await project_all(sessions)
    assert await _parked(sessions) == [(waiting, 4)]
    await _post(sessions, box, parent, half)
    await project_all(sessions)
    picture = await _picture(sessions)
    assert [receipt["head"]["state"] for receipt in picture["receipts"]] == ["posted", "posted"]
    assert (picture["faults"], await _parked(sessions)) == ([], [])


async def test_step_waits_for_a_reading_of_an_older_run(sessions, box, demo, story) -> None:
    older = box.start()
    scan, weight = box.scan("DN-9"), box.weight("10.000")
    newer = box.start((older, 2))
    job = box.new_job()
    box.step(job, Open(order="PO-2026-0041", supplier="SUP-014", document=device("DN-9", scan), scan=scan))
    await _post(sessions, box, newer)
    await project_all(sessions)
    assert await _parked(sessions) == [(job, 0)]
    await _post(sessions, box, older, 0, 2)
    await project_all(sessions)
    assert await _parked(sessions) == []
    assert [receipt["head"]["document_no"] for receipt in (await _picture(sessions))["receipts"]] == ["DN-9"]
    assert weight


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_whatever_order_runs_come_in_the_records_are_the_same(sessions, box, demo, story, order) -> None:
    story.open(document="DN-1")
    first = box.run
    second = box.start((first, len(first.entries) - 1))
    story.chicken("10.000")
    story.chicken("11.000")
    third = box.start((second, len(second.entries) - 1))
    story.finish()
    runs = [first, second, third]
    for place in order:
        await _post(sessions, box, runs[place])
        await project_all(sessions)
    picture, events = await _picture(sessions), await _events(sessions)
    assert [action for _, _, action in events] == ["open", "count", "finish", "post"]
    assert (picture["faults"], await _parked(sessions)) == ([], [])
    await rebuild(sessions, Taken(Actor.system("test"), box.clock.now))
    assert await _picture(sessions) == picture


async def test_hole_that_nothing_can_fill_is_a_fault_for_a_person_once_all_before_it_is_here(
    sessions, box, demo, story
) -> None:
    older = box.start()
    box.note()
    newer = box.start((older, 1))
    job = box.new_job()
    box.step(job, Confirm(line=1), n=3)
    await _post(sessions, box, newer)
    await project_all(sessions)
    assert await _parked(sessions) == [(job, 3)]
    await _post(sessions, box, older)
    await project_all(sessions)
    assert [fault[2] for fault in (await _picture(sessions))["faults"]] == ["no_such_job"]
    assert await _parked(sessions) == []


async def test_step_that_waits_for_what_the_box_says_is_lost_is_taken_as_it_is(sessions, box, demo, story, make_box) -> None:
    gone = make_box(3).start()
    newer = box.start((gone, 5))
    job = box.new_job()
    box.step(job, Confirm(line=1), n=3)
    box.write(NoteEntry(**box.stamp(), name="journal_lost", data={"runs": [{"run": gone.run, "tip": 6}]}))
    await _post(sessions, box, newer, 0, 2)
    await project_all(sessions)
    assert await _parked(sessions) == [(job, 3)]
    await _post(sessions, box, newer, 2)
    await project_all(sessions)
    assert [fault[2] for fault in (await _picture(sessions))["faults"]] == ["no_such_job"]


async def test_step_that_waited_for_two_weeks_is_a_fault_and_nothing_sooner(sessions, box, demo, clock, make_box) -> None:
    newer = box.start((make_box(3).start(), 0))
    job = box.new_job()
    box.step(job, Confirm(line=1), n=3)
    await _post(sessions, box, newer)
    await project_all(sessions, now=clock.now)
    await project_all(sessions, now=clock.now + WAITED_ENOUGH)
    assert await _parked(sessions) == [(job, 3)]
    await project_all(sessions, now=clock.now + WAITED_ENOUGH + timedelta(seconds=1))
    assert [fault[2] for fault in (await _picture(sessions))["faults"]] == ["earlier_part_missing"]
    assert await _parked(sessions) == []


async def test_readings_between_cost_no_chunk(sessions, box, demo, story, monkeypatch) -> None:
    monkeypatch.setattr(projection, "CHUNK", 1000)
    box.start()
    for _ in range(400):
        box.weight("1.000")
    story.whole("2.000")
    await box.deliver(sessions)
    cut = len(box.run.entries)
    assert await project_all(_Dying(sessions, 2)) == cut


async def test_step_said_again_counts_once(sessions, box, demo, story) -> None:
    story.open()
    story.chicken("10.000")
    old = box.run
    # What the cloud acked of the old run is half; the box believes in less and says the rest again, readings too.
    new = box.start((old, len(old.entries) - 1))
    names: dict[str, str] = {}
    for seq in range(3, len(old.entries)):
        content = old.entries[seq].decode()
        for was, now in names.items():
            content = content.replace(was, now)
        said = json.loads(content) | {"was": f"{old.run}:{seq}"}
        names[f"{old.run}:{seq}"] = box.write_bytes(json.dumps(said).encode())
    story.finish()
    await _post(sessions, box, old)
    await _post(sessions, box, new)
    await project_all(sessions)
    picture = await _picture(sessions)
    assert (picture["faults"], [receipt["head"]["state"] for receipt in picture["receipts"]]) == ([], ["posted"])
    assert len(picture["receipts"][0]["lines"]) == 1


async def test_child_of_a_run_that_never_came_is_taken(sessions, box, demo, story, make_box) -> None:
    lost = make_box(3).start()
    box.start((lost, 0))
    story.whole("1.000")
    await box.deliver(sessions)
    await project_all(sessions)
    (receipt,) = (await _picture(sessions))["receipts"]
    assert receipt["head"]["state"] == "posted"


async def test_run_naming_another_boxs_run_as_parent_does_not_wait_for_it(sessions, box, demo, story, make_box) -> None:
    other = make_box(2)
    await other.register(sessions)
    foreign = other.start()
    await other.send(sessions)
    box.start((foreign, 0))
    story.whole("1.000")
    async with sessions.write() as session:
        session.add(ProjectionCursor(run=foreign.run, next_seq=0))
    await box.deliver(sessions)
    await project_all(sessions)
    assert len((await _picture(sessions))["receipts"]) == 1


async def test_two_projectors_at_once_take_every_entry_once(database_url: str, sessions, box, demo, story, monkeypatch) -> None:
    entries = projection._entries

    async def slowly(*args: object) -> object:
        found = await entries(*args)
        await asyncio.sleep(0.05)  # long enough for the other one to read the same, if nothing keeps it from that
        return found

    monkeypatch.setattr(projection, "_entries", slowly)
    monkeypatch.setattr(projection, "CHUNK", 8)
    _tell(box, story)
    await box.deliver(sessions)
    other = open_sessions(database_url)
    try:
        await asyncio.gather(project_all(sessions), project_all(other))
    finally:
        await other.engine.dispose()
    together, events = await _picture(sessions), await _events(sessions)
    await rebuild(sessions, Taken(Actor.system("test"), box.clock.now))
    assert await _picture(sessions) == together
    assert len(events) == len(set(events))


async def test_the_loop_takes_what_it_is_woken_for(sessions, box, demo, story) -> None:
    wake = asyncio.Event()
    loop = asyncio.create_task(project_forever(sessions, wake))
    try:
        story.whole("1.000")
        await box.deliver(sessions)
        wake.set()
        async with asyncio.timeout(30):
            while not (await _picture(sessions))["receipts"]:  # noqa: ASYNC110 - the loop under test sends no signal
                await asyncio.sleep(0.05)
    finally:
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)
