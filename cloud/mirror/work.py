"""What a box has to do or to look at, and how it numbers its own papers."""

from collections.abc import Mapping

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.boxes.models import Box, BoxStatus
from cloud.db.settings_table import next_number
from cloud.ingest.models import OTHER_KINDS, JournalEntry, RunState
from cloud.masters.models import Location
from cloud.mirror.here import Here, Made, bare
from cloud.receiving.models import ProjectionCursor, Receipt
from cloud.trade.models import BoxRange, ContainerEvent
from cloud.transfers.models import PUT_AWAY, CountSheet, Transfer
from sync_protocol.movements import COUNT, GATE, MOVE
from sync_protocol.movements import PUT_AWAY as PUT_AWAY_JOB
from sync_protocol.steps import RECEIVE

MAX_REVIEWS = 200
"""Of each kind, the newest: more than a person looks through at a kiosk."""

MAX_RUNS = 500
"""Runs of one box whose position is told, the newest: a run is what a box wrote between two starts."""

RANGES = "box_range"
"""The sequence of which prefixes are made: a number is never given twice."""


async def sheets(session: AsyncSession, here: Here) -> list[Made]:
    """Table `sheet`: counts that wait for somebody to count."""
    rows = await session.execute(
        select(CountSheet.ref, Location.code, CountSheet.second, CountSheet.first_by)
        .join(Location, Location.id == CountSheet.location_id)
        .where(CountSheet.state.in_(("planned", "counting")), CountSheet.site_id == here.site, CountSheet.archived.is_(False))
    )
    return [
        ("sheet", ref, bare(ref=ref, location=place, second=second, counted_by=first if second else None))
        for ref, place, second, first in rows
    ]


async def reviews(session: AsyncSession, here: Here) -> list[Made]:
    """Table `review`: what boxes at this station wrote that a person has to look at."""
    if not here.boxes:
        return []
    made: list[Made] = []
    receipts = select(Receipt.uid, Receipt.ref, Receipt.review_reason).where(
        Receipt.needs_review, Receipt.box_id.in_(here.boxes)
    )
    for uid, ref, reason in await session.execute(receipts.order_by(Receipt.id.desc()).limit(MAX_REVIEWS)):
        made.append(_review(uid, RECEIVE, ref, reason or "exceptions_open"))
    transfers = select(Transfer.uid, Transfer.kind, Transfer.ref, Transfer.review_reason).where(
        Transfer.needs_review, Transfer.box_id.in_(here.boxes)
    )
    for uid, kind, ref, reason in await session.execute(transfers.order_by(Transfer.id.desc()).limit(MAX_REVIEWS)):
        made.append(_review(uid, PUT_AWAY_JOB if kind == PUT_AWAY else MOVE, ref, reason or "needs_review"))
    counts = select(CountSheet.uid, CountSheet.ref, CountSheet.review_reason).where(
        CountSheet.needs_review, CountSheet.box_id.in_(here.boxes)
    )
    for uid, ref, reason in await session.execute(counts.order_by(CountSheet.id.desc()).limit(MAX_REVIEWS)):
        made.append(_review(uid, COUNT, ref, reason or "needs_review"))
    events = select(
        ContainerEvent.uid, ContainerEvent.number, ContainerEvent.review_reason, ContainerEvent.review_detail
    ).where(ContainerEvent.state == "needs_review", ContainerEvent.box_id.in_(here.boxes))
    for uid, number, reason, detail in await session.execute(events.order_by(ContainerEvent.id.desc()).limit(MAX_REVIEWS)):
        made.append(_review(uid, GATE, number, reason or "needs_review", detail))
    return made


def _review(job: str, kind: str, ref: str, reason: str, detail: str | None = None) -> Made:
    return "review", job, bare(job=job, kind=kind, ref=ref, reason=reason, detail=detail)


async def ranges(session: AsyncSession, here: Here) -> list[Made]:
    """Table `range`: by box, how its own papers begin and what of its journal the stock above takes account of."""
    rows = await session.execute(select(BoxRange.box_id, BoxRange.prefix).where(BoxRange.box_id.in_(here.boxes)))
    return [("range", box, {"prefix": prefix, "taken": await _taken(session, box)}) for box, prefix in rows]


async def _taken(session: AsyncSession, box: str) -> Mapping[str, int]:
    """By run, one behind the last step that was made into records. Not the position itself, which every reading moves."""
    last = (
        select(JournalEntry.seq)
        .where(
            JournalEntry.run == RunState.run,
            JournalEntry.seq < ProjectionCursor.next_seq,
            JournalEntry.kind == "step",
            text(OTHER_KINDS),
        )
        .order_by(JournalEntry.seq.desc())
        .limit(1)
        .scalar_subquery()
    )
    rows = await session.execute(
        select(RunState.run, last)
        .join(ProjectionCursor, ProjectionCursor.run == RunState.run)
        .where(RunState.box_id == box)
        .order_by(RunState.opened_at.desc())
        .limit(MAX_RUNS)
    )
    return {run: seq + 1 for run, seq in rows if seq is not None}


async def without_range(session: AsyncSession, scope: str) -> list[str]:
    """Boxes at a station that have no prefix yet."""
    there = select(BoxRange.box_id)
    rows = await session.scalars(
        select(Box.id).where(Box.station_code == scope, Box.status == BoxStatus.ACTIVE, Box.id.not_in(there)).order_by(Box.id)
    )
    return list(rows)


async def give_ranges(session: AsyncSession, scope: str) -> None:
    """Give each box at a station a prefix of its own, once and for all: `B1`, `B2`..."""
    for box in await without_range(session, scope):
        session.add(BoxRange(box_id=box, prefix=f"B{await next_number(session, RANGES)}"))
        await session.flush()
