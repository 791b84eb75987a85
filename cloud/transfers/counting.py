"""States of a count sheet: counted, perhaps again by somebody else, and then posted as adjustments of stock."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.errors import GuardFailed
from cloud.kernel.actor import SYSTEM, Taken
from cloud.kernel.transition import Machine, Transition
from cloud.people.models import Role
from cloud.stock import ledger
from cloud.stock.ledger import Document, Wanted
from cloud.stock.places import house, place_of
from cloud.transfers.count_rules import next_line
from cloud.transfers.expected import NOTHING, Lying, Sort, lying
from cloud.transfers.models import CountLine, CountSheet
from sync_protocol.ids import EntryId, RunId

DOCUMENT = "count_sheet"
"""What moves call a count."""

_STAFF = frozenset({Role.ADMIN, Role.SUPERVISOR})
_ANYONE = _STAFF | {Role.OPERATOR, SYSTEM}

MAX_LINES = 5000
"""Lines of one sheet: a place with more is counted in parts. A box's step says as many."""


async def lines_of(session: AsyncSession, sheet: CountSheet) -> list[CountLine]:
    """The lines that count, as they are now, locked in their order."""
    rows = await session.scalars(
        select(CountLine)
        .where(CountLine.sheet_id == sheet.id, CountLine.archived.is_(False))
        .order_by(CountLine.number)
        .with_for_update(of=CountLine)
        .execution_options(populate_existing=True)
    )
    return list(rows.all())


def last_count(line: CountLine) -> tuple[Decimal | None, datetime | None]:
    """The count that stands: the second where there is one."""
    if line.recounted is not None:
        return line.recounted, line.recounted_at
    return line.counted, line.counted_at


def moment(taken: Taken) -> datetime:
    """When it was done: at a box before the core heard of it (`moment` among the values, ISO 8601)."""
    said = taken.values.get("moment")
    return taken.at if said is None else datetime.fromisoformat(said)


async def _begin(session: AsyncSession, sheet: CountSheet, taken: Taken) -> Mapping[str, Any]:
    sheet.begun_at, sheet.first_by, sheet.second = moment(taken), taken.actor.name, False
    if not sheet.blind:
        await _list(session, sheet, await lying(session, sheet.location_id, sheet.begun_at), sheet.begun_at)
    return {"first_by": [None, sheet.first_by]}


async def _list(session: AsyncSession, sheet: CountSheet, there: Lying, at: datetime) -> None:
    """A line for everything that should be there and has none yet."""
    known = {await sort_of(session, line) for line in await lines_of(session, sheet) if line.product_id is not None}
    number = await next_line(session, sheet)
    for sort in there.sorts(at):
        if sort in known:
            continue
        session.add(
            CountLine(
                sheet_id=sheet.id,
                number=number,
                product_id=sort.product_id,
                lot_id=sort.lot_id,
                unit_id=sort.unit_id,
                owner_id=sort.owner_id,
                expected=there.at(sort, at),
                extra={},
            )
        )
        number += 1
    await session.flush()


async def sort_of(session: AsyncSession, line: CountLine) -> Sort:
    """What a line that names a product is a count of; goods of nobody named are the house's."""
    owner = line.owner_id if line.owner_id is not None else (await house(session)).id
    return Sort(line.product_id or 0, line.lot_id, line.unit_id, owner)


async def _may_finish(session: AsyncSession, sheet: CountSheet, _taken: Taken) -> None:
    """Of a list every line has an answer; what a blind count does not name is not there."""
    blank = [line for line in await lines_of(session, sheet) if last_count(line)[0] is None]
    if blank and not sheet.blind:
        raise GuardFailed("count_missing", ref=sheet.ref, lines=", ".join(str(one.number) for one in blank[:20]))


async def _finish(session: AsyncSession, sheet: CountSheet, taken: Taken) -> Mapping[str, Any]:
    """Work out what should have been there when each line was counted, and what was not named at all."""
    begun = sheet.begun_at or taken.at
    sheet.finished_at = end = max(moment(taken), begun)
    times = [at for line in await lines_of(session, sheet) if (at := last_count(line)[1]) is not None]
    there = await lying(session, sheet.location_id, min([begun, *times]))
    await _list(session, sheet, _certain(there, begun, end), end)
    above = 0
    for line in await lines_of(session, sheet):
        if line.product_id is None:
            continue
        await _compare(session, sheet, line, there, (begun, end))
        above += line.above
    if sheet.second:
        sheet.second_by = taken.actor.name
    await settle(session, sheet)
    return {"lines_above_tolerance": above}


def _certain(there: Lying, begin: datetime, end: datetime) -> Lying:
    """Of what nobody counted: that which lay there all the while, as far as anybody can say."""
    least = {sort: min(there.at(sort, begin), there.at(sort, end)) for sort in {*there.sorts(begin), *there.sorts(end)}}
    return Lying({sort: amount for sort, amount in least.items() if amount > NOTHING}, {})


async def _compare(
    session: AsyncSession, sheet: CountSheet, line: CountLine, there: Lying, counted: tuple[datetime, datetime]
) -> None:
    sort = await sort_of(session, line)
    found, at = last_count(line)
    line.moved = there.moved(sort, *counted)
    if found is None or at is None:
        least = min(there.at(sort, one) for one in counted)
        line.expected, line.difference = least, -least
    else:
        line.expected = there.at(sort, at)
        line.difference = found - line.expected
    line.above = abs(line.difference) > max(sheet.tolerance, sheet.tolerance_share * abs(line.expected))
    line.version += 1


async def after_count_line(session: AsyncSession, row: CountLine, _changes: Mapping[str, Any], _taken: Taken) -> None:
    """A line that nobody could make out, and that was mended once the count was complete, is compared as the others were."""
    sheet = await session.get_one(CountSheet, row.sheet_id)
    if sheet.state != "review":
        return
    begun, at = sheet.begun_at or sheet.finished_at, last_count(row)[1]
    if begun is None or sheet.finished_at is None:
        return
    there = await lying(session, sheet.location_id, min(begun, at or begun))
    await _compare(session, sheet, row, there, (begun, sheet.finished_at))
    await settle(session, sheet)


def needs_second(sheet: CountSheet, line: CountLine) -> bool:
    """Whether somebody else has to count the line before its difference is posted."""
    if not line.above:
        return False
    return line.recounted is None or line.recounted_by in {line.counted_by, sheet.first_by}


async def settle(session: AsyncSession, sheet: CountSheet) -> None:
    """Let the sheet say whether anything of it waits for a person, and what."""
    await session.flush()
    lines = await lines_of(session, sheet)
    code = next((line.review_code for line in lines if line.review_code), None)
    if code is None and any(needs_second(sheet, line) for line in lines):
        code = "second_count_needed"
    if sheet.review_reason in OWN_REASONS:
        code = sheet.review_reason
    sheet.needs_review, sheet.review_reason = code is not None, code


OWN_REASONS = frozenset({"steps_missing", "sheet_unknown", "other_place", "sheet_not_open"})
"""What can be the matter with a sheet itself: it goes with the next count, or with a look at it."""


async def _again(session: AsyncSession, sheet: CountSheet, taken: Taken) -> Mapping[str, Any]:
    """Whoever counts now is not told what was expected, nor what came out."""
    before, sheet.second_by, sheet.second, sheet.begun_at = sheet.second_by, taken.actor.name, True, moment(taken)
    sheet.review_reason = None
    for line in await lines_of(session, sheet):
        line.recounted = line.recounted_by = line.recounted_at = None
        if sheet.blind and line.above:
            line.expected, line.difference = None, None
        line.version += 1
    return {"second_by": [before, sheet.second_by]}


async def _stop(session: AsyncSession, sheet: CountSheet, taken: Taken) -> Mapping[str, Any]:
    """What was counted so far does not count."""
    for line in await lines_of(session, sheet):
        if sheet.second:
            line.recounted = line.recounted_by = line.recounted_at = None
        else:
            line.archived = True
        line.version += 1
    if not sheet.second:
        sheet.first_by, sheet.begun_at = None, None
    await settle(session, sheet)
    return {"stopped_by": [None, taken.actor.name]}


async def _first_time(_session: AsyncSession, sheet: CountSheet, _taken: Taken) -> None:
    if sheet.second:
        raise GuardFailed("counted_already", ref=sheet.ref)


async def _second_time(_session: AsyncSession, sheet: CountSheet, _taken: Taken) -> None:
    if not sheet.second:
        raise GuardFailed("not_counting_again", ref=sheet.ref)


async def _other_person(_session: AsyncSession, sheet: CountSheet, taken: Taken) -> None:
    if taken.actor.role != SYSTEM and taken.actor.name == sheet.first_by:
        raise GuardFailed("second_person_needed", ref=sheet.ref)


async def _may_post(session: AsyncSession, sheet: CountSheet, _taken: Taken) -> None:
    lines = await lines_of(session, sheet)
    waiting = [line for line in lines if line.review_code]
    if waiting:
        raise GuardFailed("lines_to_review", ref=sheet.ref, lines=", ".join(str(one.number) for one in waiting[:20]))
    again = [line for line in lines if needs_second(sheet, line)]
    if again:
        raise GuardFailed("second_count_needed", ref=sheet.ref, lines=", ".join(str(one.number) for one in again[:20]))
    if sheet.review_reason in OWN_REASONS:
        raise GuardFailed("count_not_whole", ref=sheet.ref)


async def _post(session: AsyncSession, sheet: CountSheet, taken: Taken) -> Mapping[str, Any]:
    """One adjustment for each line with a difference, as of when it was counted."""
    nowhere = await place_of(session, "adjustment")
    wanted = [
        await _adjustment(session, sheet, line, nowhere.id, taken) for line in await lines_of(session, sheet) if line.difference
    ]
    await ledger.post(session, wanted, taken)
    sheet.posted_at, sheet.posted_by = taken.at, taken.actor.name
    sheet.needs_review, sheet.review_reason = False, None
    return {"adjustments": len(wanted)}


async def _adjustment(session: AsyncSession, sheet: CountSheet, line: CountLine, nowhere: int, taken: Taken) -> Wanted:
    sort, difference = await sort_of(session, line), line.difference or NOTHING
    more = difference > NOTHING
    entry = None if line.run is None or line.seq is None else EntryId(RunId(line.run), line.seq)
    return Wanted(
        key=f"{DOCUMENT}:{sheet.uid}:{line.number}",
        product_id=sort.product_id,
        owner_id=sort.owner_id,
        quantity=abs(difference),
        source_id=nowhere if more else sheet.location_id,
        target_id=sheet.location_id if more else nowhere,
        document=Document(DOCUMENT, sheet.uid, sheet.ref),
        effective_at=last_count(line)[1] or sheet.finished_at or taken.at,
        lot_id=sort.lot_id,
        unit_id=None if more else sort.unit_id,
        to_unit_id=sort.unit_id if more else None,
        line=line.number,
        entry=entry,
        reason=taken.reason,
    )


async def _seen(session: AsyncSession, sheet: CountSheet, _taken: Taken) -> Mapping[str, Any]:
    before, sheet.review_reason = sheet.review_reason, None
    await settle(session, sheet)
    return {"review_reason": [before, sheet.review_reason]}


COUNT_SHEET: Machine[CountSheet] = Machine(
    kind="count_sheet",
    initial="planned",
    transitions=(
        Transition("begin", frozenset({"planned"}), "counting", _ANYONE, effect=_begin),
        Transition("finish", frozenset({"counting"}), "review", _ANYONE, guard=_may_finish, effect=_finish),
        Transition("recount", frozenset({"review"}), "counting", _ANYONE, guard=_other_person, effect=_again),
        Transition("stop", frozenset({"counting"}), "planned", _ANYONE, guard=_first_time, effect=_stop, needs_reason=True),
        Transition(
            "stop_again", frozenset({"counting"}), "review", _ANYONE, guard=_second_time, effect=_stop, needs_reason=True
        ),
        Transition("review", frozenset({"review"}), "review", _STAFF, effect=_seen, needs_reason=True),
        Transition("post", frozenset({"review"}), "posted", _STAFF, guard=_may_post, effect=_post),
        Transition("cancel", frozenset({"planned", "counting", "review"}), "cancelled", _STAFF | {SYSTEM}, needs_reason=True),
    ),
)
