"""The pages' questions give the same answers on SQLite and on PostgreSQL."""

from zoneinfo import ZoneInfo

import pytest

from cloud.db.engine import Sessions
from cloud.kernel.actor import Taken
from cloud.masters.demo import PARTIES, load_demo
from cloud.receiving.projection import project_all
from cloud.web.filters import SORTABLE, Filters
from cloud.web.reads.boxes import list_boxes
from cloud.web.reads.listing import list_receipts, suppliers, waiting
from cloud.web.reads.receipt import read_receipt
from tests.integration.branching import lose_journal, overlap
from tests.integration.conftest import ADMIN, TestBox, TurnedClock
from tests.unit.cloud_web.office import write_day

ZONE = ZoneInfo("Asia/Jerusalem")


@pytest.fixture
async def day(sessions: Sessions) -> TestBox:
    """The day's receipts as they came in, nothing tampered with."""
    clock = TurnedClock()
    async with sessions.write() as session:
        await load_demo(session, Taken(ADMIN, clock.now), pins={})
    box = TestBox(1, clock)
    await box.register(sessions)
    for _ in write_day(box, clock):
        await box.deliver(sessions)
        clock.go(minutes=7)
    await project_all(sessions)
    return box


async def test_list_pages_and_counts(sessions: Sessions, day: TestBox) -> None:
    async with sessions.read() as session:
        for sort in SORTABLE:
            filters = Filters(sort=sort, q="-", supplier="")
            whole = await list_receipts(session, filters, ZONE)
            assert len(whole.rows) == whole.counts["all"] == 8
            first = await list_receipts(session, filters, ZONE, limit=5)
            place = Filters.of({"sort": sort, "q": "-", "after": first.next or ""})
            assert first.rows + (await list_receipts(session, place, ZONE)).rows == whole.rows
        assert await waiting(session) == whole.counts["review"]
        assert len(await suppliers(session)) == sum("supplier" in one.roles for one in PARTIES)


async def test_receipt_and_box_are_read_whole(sessions: Sessions, day: TestBox) -> None:
    async with sessions.read() as session:
        found = await list_receipts(session, Filters(q="L-2611-A"), ZONE)
        receipt = await read_receipt(session, found.rows[0].ref)
        boxes = await list_boxes(session)
    assert receipt.verification.ok
    assert receipt.verification.values == 9
    assert [run.batches for run in boxes[0].runs] == [8]
    assert boxes[0].id == day.id


async def test_boxes_that_want_somebody_are_read_with_their_story(sessions: Sessions) -> None:
    clock = TurnedClock()
    twice, forgetful = TestBox(1, clock), TestBox(2, clock)
    for box in (twice, forgetful):
        await box.register(sessions, station=None)
    older, newer = await overlap(sessions, twice)
    lost = await lose_journal(sessions, forgetful, 9)
    async with sessions.read() as session:
        first, second = await list_boxes(session)
    (found,) = first.overlaps
    assert ([side.run for side in found.sides], found.entries) == ([older.run, newer.run], 7)
    assert [(event.action, event.actor) for event in first.story] == [("branches_overlap", "Box 1"), ("sibling_run", "Box 1")]
    assert [(gap.run, gap.first, gap.until) for gap in second.standing.gaps] == [(lost.run, 2, 9)]
    assert [(event.action, event.actor) for event in second.story] == [("journal_lost", "Box 2")]
