"""A box's moves, put-aways and counts at the core: what the box decides from its mirror the core posts, and both agree."""

import random
from collections.abc import Sequence
from decimal import Decimal

import pytest
from sqlalchemy import update

from cloud.boxes.models import Box
from cloud.db.engine import Sessions
from cloud.mirror.rows import desired_rows
from edge.errors import JobRefused
from edge.jobs.desk import DeskSeams, JobDesk
from edge.jobs.movement import commands as m
from edge.jobs.movement.move_job import MoveJob
from edge.jobs.movement.words import MoveAwaits
from edge.mirror.view import MasterView
from sync_protocol.entries import StepEntry
from sync_protocol.masters import TABLES, Stock
from sync_protocol.movements import COUNT, MOVE, PUT_AWAY, movement_step
from sync_protocol.steps import FieldValue
from tests.integration.transfer_world import BOX, NOW, RECEIPT, SSCC, Warehouse, make_warehouse
from tests.unit.edge_jobs.station import MemoryHub, MemoryJournal, TurnedClock


class BoxAt:
    """A box's desk over the core's own mirror, and the way of its steps to the core."""

    def __init__(self, house: Warehouse) -> None:
        self.house, self.clock, self.journal = house, TurnedClock(), MemoryJournal()
        self.view = MasterView()
        self.sent = 0
        self._drawn = 0
        seams = DeskSeams(self.journal, MemoryHub(self.clock), lambda: self.view, self.clock, self.entropy)
        self.desk = JobDesk(seams, station="st-1")

    def entropy(self, length: int) -> bytes:
        self._drawn += 1
        return self._drawn.to_bytes(length, "big")

    async def pull(self) -> None:
        async with self.house.sessions.read() as session:
            rows = await desired_rows(session, "st-1", self.house.now)
        self.view = MasterView({key: (1, TABLES[key[0]].model_validate(value)) for key, value in rows.items()})

    async def begin(self, kind: str, command: object) -> None:
        await self.desk.begin(kind, command, by="dana", cmd=self.entropy(8).hex())

    async def do(self, command: object) -> None:
        await self.desk.do(command, by="dana", cmd=self.entropy(8).hex())

    async def send(self) -> None:
        """Every step that the core has not got."""
        steps = [entry for entry in self.journal.entries if isinstance(entry, StepEntry)]
        for entry in steps[self.sent :]:
            await self.house.say(entry.job, entry.job_kind, entry.step, entry.n, movement_step(entry))
        self.sent = len(steps)

    def stock(self) -> dict[str, Decimal]:
        """As `Warehouse.stock`."""
        return {
            f"{row.product} {row.lot or '-'} {row.location} {'-' if row.sscc is None else 'U'} {row.owner}": row.quantity
            for row in self.desk.stock().rows.values()
        }

    async def places(self) -> list[str]:
        async with self.house.sessions.read() as session:
            return sorted(key for table, key in await desired_rows(session, "st-1", NOW) if table == "location")


def typed(value: str, unit: str | None = None, reason: str = "counted") -> FieldValue:
    return FieldValue(value=value, unit=unit, mode="manual", reason=reason)


def at(place: str) -> FieldValue:
    return typed(place, reason="no_barcode")


@pytest.fixture
async def house(sessions: Sessions) -> Warehouse:
    made = await make_warehouse(sessions)
    await made.put("P", "RCV", "20", bucket="released", line=1)
    await made.put("K", "RCV", "7.5", lot="L1", bucket="released", line=2)
    await made.put("K", "A1", "3", lot="L2")
    await made.put("P", "A2", "12")
    await made.put("P", "RCV", "40", unit=True)
    async with sessions.write() as session:
        await session.execute(update(Box).where(Box.id == BOX).values(station_code="st-1"))
    return made


@pytest.fixture
async def box(house: Warehouse) -> BoxAt:
    made = BoxAt(house)
    await made.pull()
    await made.desk.start()
    return made


async def test_a_put_away_from_the_mirror_is_posted_as_it_was_decided(house: Warehouse, box: BoxAt) -> None:
    # The warehouse has the receipt's goods and no receipt: its word on the mirror's rows is put there by hand.
    for line, sku in ((1, "P"), (2, "K")):
        key, row = next(
            (key, row) for key, row in box.view.table(Stock) if row.product == sku and row.location == "RCV" and not row.sscc
        )
        box.view.rows["stock", key] = (2, row.model_copy(update={"receipt": RECEIPT, "receipt_line": line}))
    box.view = MasterView(dict(box.view.rows))
    await box.begin(PUT_AWAY, m.BeginMove())
    waiting = box.desk.stock().waiting()
    assert [(row.product, row.receipt_line) for row in waiting] == [("P", 1), ("K", 2)]
    for row in waiting:
        await box.do(m.ChooseRow(row.key))
        await box.do(m.TakeAll())
        await box.do(m.GivePlace(at("A2")))
    await box.do(m.Finish())
    before = box.stock()
    await box.send()
    assert await house.stock() == before
    assert await house.buckets(1) == {"put_away": Decimal(20)}
    assert await house.buckets(2) == {"put_away": Decimal("7.5")}


def _choices(job: MoveJob, box: BoxAt, places: Sequence[str]) -> list[object]:
    """What an operator may do now, right or wrong."""
    stock, source = box.desk.stock(), job.draft.source.value if job.draft and job.draft.source else ""
    match job.awaits:
        case MoveAwaits.SOURCE:
            return [m.GivePlace(at(place)) for place in sorted(stock.filled())] + [m.GiveUnit(at(SSCC))]
        case MoveAwaits.GOODS:
            return [m.GiveGoods(row.product, at(row.product), row.lot) for row in stock.at(source)] or [m.Back()]
        case MoveAwaits.WHICH:
            return [m.ChooseRow(row.key) for row in stock.at(source)]
        case MoveAwaits.MUCH:
            return [m.TakeAll(), m.GiveMuch(typed("1")), m.GiveMuch(typed("2"))]
        case MoveAwaits.TARGET:
            return [m.GivePlace(at(place)) for place in places]
        case MoveAwaits.WHY:
            return [m.Back()]
    raise AssertionError(job.awaits)


@pytest.mark.parametrize("seed", [1, 2])
async def test_whatever_the_box_lets_pass_without_a_doubt_the_core_posts(house: Warehouse, box: BoxAt, seed: int) -> None:
    draw, places = random.Random(seed), await box.places()
    await box.begin(MOVE, m.BeginMove())
    for _ in range(400):
        held = box.desk.in_hand
        assert held is not None
        assert isinstance(held.job, MoveJob)
        try:
            await box.do(draw.choice(_choices(held.job, box, places)))
        except JobRefused:
            await box.do(m.Back())
    doubted = [entry for entry in box.journal.entries if isinstance(entry, StepEntry) and entry.data.get("doubts")]
    moved = [name for name in box.journal.step_names() if name == "moved"]
    assert len(moved) > 5
    assert doubted == []
    mine = box.stock()
    await box.send()
    async with house.sessions.read() as session:
        rows = await desired_rows(session, "st-1", house.now)
    assert [value for (table, _), value in rows.items() if table == "review"] == []
    assert await house.stock() == mine


async def test_what_the_box_doubted_the_core_keeps_for_review_and_the_box_hears_why(house: Warehouse, box: BoxAt) -> None:
    await box.begin(MOVE, m.BeginMove())
    for command in (
        m.GivePlace(at("A2")),
        m.GiveGoods("P", at("P")),
        m.GiveMuch(typed("13")),
        m.GivePlace(at("A3")),
        m.GiveWhy("seen_here"),
    ):
        await box.do(command)
    await box.send()
    await box.pull()
    (review,) = box.view.reviews()
    assert (review.kind, review.reason) == (MOVE, "not_enough")


async def test_a_count_at_the_box_is_the_cores_count(house: Warehouse, box: BoxAt) -> None:
    sheet = await house.make("count_sheet", location="A1")
    await box.pull()
    await box.begin(COUNT, m.BeginCount(sheet=sheet.ref))
    await box.do(m.GiveGoods("K", at("K"), "L2"))
    await box.do(m.GiveMuch(typed("1000", "g", "label_weight")))
    await box.do(m.GiveGoods("K", at("K"), "L2"))
    await box.do(m.GiveMuch(typed("2", "kg", "label_weight")))
    await box.do(m.Finish())
    await box.send()
    (line,) = await house.lines(sheet.ref)
    assert (line.counted, line.expected, line.difference) == (Decimal(3), Decimal(3), Decimal(0))
