"""The projection: the same records however often, in whatever portions and after whatever crash it runs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import select

from cloud.db.engine import Sessions, open_sessions
from cloud.ingest.receive import receive_frame
from cloud.kernel.actor import Actor, Taken
from cloud.kernel.models import Event
from cloud.masters.models import OrderLine
from cloud.receiving import projection
from cloud.receiving.decisions import abandon, decide_exception, post
from cloud.receiving.models import ProjectionCursor, ProjectionFault, Receipt, ReceiptStep
from cloud.receiving.projection import project_all, project_forever
from cloud.receiving.rebuild import rebuild
from sync_protocol.steps import Confirm

NOA = Actor.user("noa", "supervisor")


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
        "exceptions": sorted((_columns(row) for row in receipt.exceptions), key=str),
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


@pytest.mark.parametrize("nth", [1, 2, 5, 9])
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


async def test_child_waits_for_its_parent(sessions, box, demo, story) -> None:
    story.open()
    story.chicken("10.000")
    parent = box.run
    child = box.start((parent, len(parent.entries) - 1))
    story.finish()
    half = len(parent.entries) // 2
    await receive_frame(sessions, box=box.id, frame=box.frame(0, half, parent), now=box.clock.now)
    await receive_frame(sessions, box=box.id, frame=box.frame(0, None, child), now=box.clock.now)
    assert await project_all(sessions) == half
    await receive_frame(sessions, box=box.id, frame=box.frame(half, None, parent), now=box.clock.now)
    await project_all(sessions)
    (receipt,) = (await _picture(sessions))["receipts"]
    assert (receipt["head"]["state"], (await _picture(sessions))["faults"]) == ("posted", [])


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
