"""Steps that come before what they rest on: a box sends its newest run first, and older ones behind it.

A step waits for earlier steps of its job and for the readings it names, and for nothing else, and only as long as some of what
the box wrote before it is still to come: what is not there once all of that is here never was.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.db.types import BIGGEST
from cloud.errors import StepFault
from cloud.ingest.models import JournalEntry, Lost, ParkedStep, Reissued, RunState
from cloud.receiving.models import ProjectionCursor, ProjectionFault
from sync_protocol.entries import StepEntry
from sync_protocol.errors import TextFault
from sync_protocol.ids import EntryId, RunId

WAITED_ENOUGH = timedelta(days=14)
"""As long as a box keeps what the cloud has acked: what was not sent again by then needs a person."""

MAX_NAMED = 256
"""Readings of one step that are looked for; an operator's step rests on a handful."""


@dataclass(slots=True)
class Ancestry:
    """Of which runs everything that the box wrote before them was taken, as far as anybody asked; for one transaction."""

    session: AsyncSession
    box: str
    _known: dict[str, bool] = field(default_factory=dict)

    async def complete(self, run: str) -> bool:
        """Whether every run on the way back from this one was taken up to where the next goes on, or is known to be lost."""
        if run not in self._known:
            self._known[run] = not await self._waiting_for(run)
        return self._known[run]

    async def _waiting_for(self, run: str) -> bool:
        links = select(RunState.parent_run.label("run"), RunState.joins_at.label("seq"))
        way = links.where(RunState.run == run, RunState.parent_run.is_not(None)).cte("way", recursive=True)
        # A union without doubles: parents that a box made go round in a circle end it.
        way = way.union(
            links.join(way, RunState.run == way.c.run).where(RunState.parent_run.is_not(None), RunState.box_id == self.box)
        )
        rows = await self.session.execute(
            select(way.c.run, func.coalesce(RunState.acked, 0))
            .select_from(way)
            .outerjoin(RunState, RunState.run == way.c.run)
            .outerjoin(ProjectionCursor, ProjectionCursor.run == way.c.run)
            .where(
                or_(
                    RunState.run.is_(None),
                    and_(RunState.box_id == self.box, func.coalesce(ProjectionCursor.next_seq, 0) <= way.c.seq),
                )
            )
        )
        return any([not await self._lost(before, acked) for before, acked in rows.all()])

    async def _lost(self, run: str, acked: int) -> bool:
        found = await self.session.scalar(select(Lost.id).where(Lost.run == run, Lost.first <= acked).limit(1))
        return found is not None


async def must_wait(session: AsyncSession, ancestry: Ancestry, at: EntryId, entry: StepEntry, next_n: int) -> bool:
    """Whether the step cannot be taken yet. `next_n` is the number that its job awaits, 0 before its first step."""
    if entry.n > next_n and await _earlier_missing(session, ancestry, entry, next_n, at):
        return True
    if all(named.startswith(at.run) for named in entry.readings):
        return False  # the run's own entries are taken in their order
    return not await _readings_here(session, ancestry.box, entry) and not await ancestry.complete(at.run)


async def _earlier_missing(session: AsyncSession, ancestry: Ancestry, entry: StepEntry, next_n: int, at: EntryId) -> bool:
    lower = await session.scalar(
        select(ParkedStep.n)
        .where(
            ParkedStep.box_id == ancestry.box,
            ParkedStep.job == entry.job,
            ParkedStep.n < entry.n,
            or_(ParkedStep.run != at.run, ParkedStep.seq != at.seq),
        )
        .limit(1)
    )
    if lower is not None:
        return True
    faults = await session.scalar(
        select(func.count(func.distinct(ProjectionFault.n))).where(
            ProjectionFault.job == entry.job,
            ProjectionFault.box_id == ancestry.box,
            ProjectionFault.n >= next_n,
            ProjectionFault.n < entry.n,
        )
    )
    return (faults or 0) < entry.n - next_n and not await ancestry.complete(at.run)


async def _readings_here(session: AsyncSession, box: str, entry: StepEntry) -> bool:
    """Whether every reading is stored, itself or said again. What is no id, or another box's, is nothing to wait for."""
    wanted = [at for named in entry.readings[:MAX_NAMED] if (at := _entry_id(named)) is not None]
    runs = {at.run for at in wanted}
    rows = await session.execute(select(RunState.run, RunState.acked, RunState.box_id).where(RunState.run.in_(runs)))
    here = {row.run: BIGGEST if row.box_id != box else row.acked for row in rows}
    for at in wanted:
        if at.seq < here.get(at.run, 0):
            continue
        again = select(Reissued.seq).where(Reissued.was_run == at.run, Reissued.was_seq == at.seq, Reissued.box_id == box)
        if await session.scalar(again.limit(1)) is None:
            return False
    return True


def _entry_id(text: str) -> EntryId | None:
    try:
        found = EntryId.parse(text)
    except TextFault:
        return None
    return found if found.seq < BIGGEST else None


async def park(session: AsyncSession, row: JournalEntry, entry: StepEntry) -> None:
    """Keep the step for later."""
    session.add(ParkedStep(run=row.run, seq=row.seq, box_id=row.box_id, job=entry.job, n=entry.n, received_at=row.received_at))
    await session.flush()


async def unpark(session: AsyncSession, at: EntryId) -> None:
    """The step was taken, or given up."""
    await session.execute(delete(ParkedStep).where(ParkedStep.run == at.run, ParkedStep.seq == at.seq))


async def parked_jobs(
    session: AsyncSession, *, boxes: Iterable[str] | None, expired_at: datetime | None
) -> list[tuple[str, str]]:
    """Box and job of steps that wait: those of `boxes` (None: of all), and those that have waited for too long."""
    conditions: list[ColumnElement[bool]] = [ParkedStep.box_id.in_(list(boxes)) if boxes is not None else true()]
    if expired_at is not None:
        conditions.append(ParkedStep.received_at < expired_at - WAITED_ENOUGH)
    rows = await session.execute(
        select(ParkedStep.box_id, ParkedStep.job)
        .where(or_(*conditions))
        .group_by(ParkedStep.box_id, ParkedStep.job)
        .order_by(ParkedStep.box_id, ParkedStep.job)
    )
    return [(box, job) for box, job in rows]


async def lowest_parked(session: AsyncSession, box: str, job: str) -> JournalEntry | None:
    """The waiting step of a job that is next, as its entry."""
    return await session.scalar(
        select(JournalEntry)
        .join(ParkedStep, and_(ParkedStep.run == JournalEntry.run, ParkedStep.seq == JournalEntry.seq))
        .where(ParkedStep.box_id == box, ParkedStep.job == job)
        .order_by(ParkedStep.n, JournalEntry.received_at, JournalEntry.run, JournalEntry.seq)
        .limit(1)
    )


def too_long(row: JournalEntry, now: datetime | None) -> StepFault | None:
    """The fault of a step that has waited long enough for a person to look."""
    if now is None or row.received_at >= now - WAITED_ENOUGH:
        return None
    return StepFault("earlier_part_missing", f"received {row.received_at.isoformat()}")


async def first_names(session: AsyncSession, value: Any) -> Any:
    """The same JSON value, but every id of an entry that says another one again is the id that it had first."""
    match value:
        case str():
            at = _entry_id(value)
            return value if at is None else str(await _said_first(session, at))
        case dict():
            return {key: await first_names(session, each) for key, each in value.items()}
        case list():
            return [await first_names(session, each) for each in value]
    return value


async def _said_first(session: AsyncSession, at: EntryId) -> EntryId:
    seen: set[EntryId] = set()
    while at not in seen:
        seen.add(at)
        was = select(Reissued.was_run, Reissued.was_seq).where(Reissued.run == at.run, Reissued.seq == at.seq)
        row = (await session.execute(was)).one_or_none()
        if row is None:
            break
        at = EntryId(RunId(row.was_run), row.was_seq)
    return at
