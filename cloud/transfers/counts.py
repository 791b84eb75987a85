"""Job `count` of a box: the sheet that it counts, and at its end the lines of everything that was found."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.boxes.received import Received
from cloud.errors import Refused, StepFault
from cloud.ingest.models import JournalEntry
from cloud.kernel.actor import Taken
from cloud.kernel.events import append_event
from cloud.kernel.transition import begin, transition
from cloud.masters.models import Location
from cloud.stock.places import house
from cloud.transfers import naming
from cloud.transfers.count_rules import next_line
from cloud.transfers.counting import COUNT_SHEET, lines_of, moment, sort_of
from cloud.transfers.expected import NOTHING, Sort
from cloud.transfers.goods import demand_lot
from cloud.transfers.machine import by_program
from cloud.transfers.models import CountLine, CountSheet, StockJob
from cloud.transfers.moving import paper_number
from cloud.transfers.rules import fresh_ref
from cloud.transfers.steps import awaited_of, done_at, is_new, job_of, keep_step, missing_steps, read_step, steps_of, taken_by
from sync_protocol.entries import StepEntry
from sync_protocol.movements import CountDone, Counted, CountOpen
from sync_protocol.steps import Abandon


@dataclass(slots=True)
class _Found:
    """What one or more steps say of one sort of goods."""

    named: naming.Named
    said: Counted
    at: datetime
    entry: JournalEntry
    amount: Decimal | None = None
    """In the product's unit; None where nobody can say."""


class Counter:
    """The JobTaker of job kind `count`."""

    async def awaited(self, session: AsyncSession, received: Received, step: StepEntry) -> int:
        """As the JobTaker's. Raises StepFault."""
        return await awaited_of(session, received, step)

    async def take(self, session: AsyncSession, received: Received, step: StepEntry) -> None:
        """As the JobTaker's. Raises StepFault."""
        said = read_step(step)
        job = await job_of(session, step)
        if job is None:
            if not isinstance(said, CountOpen):
                raise StepFault("no_such_job", step.step)
            await _open(session, received, step, said)
            return
        if not await is_new(session, job, received, step):
            return
        sheet = await session.scalar(select(CountSheet).where(CountSheet.uid == job.document))
        if sheet is None or isinstance(said, CountOpen):
            raise StepFault("opened_again", job.document)
        await keep_step(session, job, received, step)
        if isinstance(said, CountDone):
            await _end(session, sheet, job, said, await taken_by(session, received, step))
        elif isinstance(said, Abandon):
            await _give_up(session, sheet, job, await taken_by(session, received, step, said.reason))


async def _open(session: AsyncSession, received: Received, step: StepEntry, said: CountOpen) -> None:
    taken = await taken_by(session, received, step)
    location_id = await naming.place(session, said.location.value)
    if location_id is None:
        raise StepFault("place_unknown", said.location.value)
    sheet, reason = await _planned(session, said, location_id)
    if sheet is None:
        sheet = await _own_sheet(session, received, step, said, location_id, taken)
        sheet.needs_review, sheet.review_reason = reason is not None, reason
    second = sheet.state == "review"
    job = StockJob(job=step.job, kind=step.job_kind, box_id=received.box, document=sheet.uid, second=second, next_n=0)
    session.add(job)
    await session.flush()
    await keep_step(session, job, received, step)
    await transition(session, COUNT_SHEET, sheet, "recount" if second else "begin", by_program(taken))


async def _planned(session: AsyncSession, said: CountOpen, location_id: int) -> tuple[CountSheet | None, str | None]:
    """The sheet that is counted, or why it is none that was planned: what was counted is kept on one of its own."""
    if said.sheet is None:
        return None, None
    sheet = await session.scalar(select(CountSheet).where(CountSheet.ref == said.sheet).with_for_update(of=CountSheet))
    if sheet is None:
        return None, "sheet_unknown"
    if sheet.location_id != location_id:
        return None, "other_place"
    if sheet.state != ("review" if said.second else "planned"):
        return None, "sheet_not_open"
    return sheet, None


async def _own_sheet(
    session: AsyncSession, received: Received, step: StepEntry, said: CountOpen, location_id: int, taken: Taken
) -> CountSheet:
    site_id = (await session.get_one(Location, location_id)).site_id
    ref = await paper_number(session, said.number, step.job, CountSheet)
    sheet = CountSheet(
        uid=step.job,
        ref=ref or await fresh_ref(session, "CS", CountSheet, site_id, taken),
        site_id=site_id,
        location_id=location_id,
        box_id=received.box,
        created_at=taken.at,
        created_by=step.by,
        extra={},
    )
    begin(sheet, COUNT_SHEET.initial)
    session.add(sheet)
    await session.flush()
    changes = {"location": [None, said.location.value]}
    await append_event(session, taken, action="create", kind=COUNT_SHEET.kind, ref=sheet.ref, changes=changes)
    return sheet


async def _end(session: AsyncSession, sheet: CountSheet, job: StockJob, said: CountDone, taken: Taken) -> None:
    job.ended = True
    if sheet.state != "counting":
        raise StepFault("sheet_not_open", sheet.ref)
    steps = await steps_of(session, job)
    last = {one.n: (row, entry, one) for row, entry, one in steps if isinstance(one, Counted)}
    held = [last[n] for n in dict.fromkeys(said.lines) if n in last]
    if await missing_steps(session, job) or set(said.lines) - last.keys():
        sheet.needs_review, sheet.review_reason = True, "steps_missing"
    await _write(session, sheet, job, await _found(session, held), taken)
    await transition(session, COUNT_SHEET, sheet, "finish", by_program(taken))


async def _found(session: AsyncSession, held: Iterable[tuple[JournalEntry, StepEntry, Counted]]) -> list[_Found]:
    """What was found, of one sort together: goods that stood in two corners are one amount."""
    house_id = (await house(session)).id
    known: dict[Sort, _Found] = {}
    rest: list[_Found] = []
    for row, entry, said in held:
        named = await naming.find(session, product=said.product, lot=said.lot, unit=said.unit, owner=said.owner)
        one = _Found(named, said, done_at(entry, row.received_at), row)
        if named.product is not None:
            await _measure(session, one)
        if named.code is not None or named.product is None:
            rest.append(one)
            continue
        before = known.get(_sort(one, house_id))
        if before is not None:
            one.amount = (one.amount or NOTHING) + (before.amount or NOTHING)
        known[_sort(one, house_id)] = one
    return [*known.values(), *rest]


async def _measure(session: AsyncSession, one: _Found) -> None:
    if one.named.product is None:
        return
    try:
        one.amount = await naming.amount(session, one.said.quantity, one.named.product, nothing=True)
        await demand_lot(session, one.named.product, one.named.lot_id, one.amount)
    except Refused as exc:
        one.named.fault(exc.code, one.said.quantity.value)


async def _write(session: AsyncSession, sheet: CountSheet, job: StockJob, found: list[_Found], taken: Taken) -> None:
    lines = await lines_of(session, sheet)
    there = {await sort_of(session, line): line for line in lines if line.product_id is not None and not line.review_code}
    house_id = (await house(session)).id
    number = await next_line(session, sheet)
    named: set[int] = set()
    for one in found:
        line = there.get(_sort(one, house_id)) if one.named.code is None else None
        if line is None:
            line = _new_line(sheet, number, one, house_id, taken)
            number += 1
            session.add(line)
        named.add(line.number)
        _say(line, job, one.amount, one.at, taken)
        line.given_quantity, line.given_unit = _digits(one.said), one.said.quantity.unit
        line.run, line.seq = one.entry.run, one.entry.seq
    for line in lines:
        if line.number not in named and line.product_id is not None and not line.review_code:
            # What was not named is not there.
            _say(line, job, NOTHING, moment(taken), taken)
    await session.flush()


def _sort(one: _Found, house_id: int) -> Sort:
    named = one.named
    return Sort(named.product.id if named.product else 0, named.lot_id, named.unit_id, named.owner_id or house_id)


def _new_line(sheet: CountSheet, number: int, one: _Found, house_id: int, taken: Taken) -> CountLine:
    named = one.named
    return CountLine(
        sheet_id=sheet.id,
        number=number,
        product_id=None if named.product is None else named.product.id,
        lot_id=named.lot_id,
        unit_id=named.unit_id,
        owner_id=named.owner_id or house_id,
        review_code=named.code,
        review_detail=named.detail,
        created_at=taken.at,
        created_by=taken.actor.name,
        extra={},
    )


def _digits(said: Counted) -> Decimal | None:
    try:
        return naming.digits(said.quantity)
    except Refused:
        return None


def _say(line: CountLine, job: StockJob, amount: Decimal | None, at: datetime, taken: Taken) -> None:
    if job.second:
        line.recounted, line.recounted_by, line.recounted_at = amount, taken.actor.name, at
    else:
        line.counted, line.counted_by, line.counted_at = amount, taken.actor.name, at


async def _give_up(session: AsyncSession, sheet: CountSheet, job: StockJob, taken: Taken) -> None:
    """A sheet of the box's own is cancelled; one that staff planned waits for the next count."""
    job.ended = True
    if sheet.state != "counting":
        return
    action = "cancel" if sheet.uid == job.job else "stop_again" if job.second else "stop"
    await transition(session, COUNT_SHEET, sheet, action, by_program(replace(taken, reason=taken.reason or action)))
