"""Makes records of journal entries: a consumer of its own, run by run, whose position moves in the transaction of its effects.

A child run waits until its parent was taken up to the entry that the child names. An entry of which nothing can be made
becomes a fault and never holds up its run.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import and_, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from cloud.boxes.received import Received, Takers
from cloud.db.engine import Sessions, is_sqlite
from cloud.errors import Refused, StepFault
from cloud.ingest.models import JournalEntry, RunState
from cloud.receiving.fold import Step
from cloud.receiving.models import ProjectionCursor, ProjectionFault
from cloud.receiving.rows import Arrived
from cloud.receiving.steps import Jobs, find_receipt, take_step
from sync_protocol.entries import StepEntry, parse
from sync_protocol.errors import TextFault
from sync_protocol.ids import EntryId, RunId
from sync_protocol.wiretext import clean

log = structlog.get_logger()

CHUNK = 200
"""Entries of one transaction: short enough that staff's writes on SQLite hardly wait."""

LOOK_AGAIN_S = 5.0
"""Another worker may have stored entries without waking this one."""

RETRY_S = 1.0

NO_TAKERS: Takers = {}


@dataclass(frozen=True, slots=True)
class Ready:
    """A run with entries to be taken."""

    run: str
    next_seq: int


async def project_forever(sessions: Sessions, wake: asyncio.Event, takers: Takers = NO_TAKERS) -> None:
    """Take entries as they come, until cancelled. A database that is away is tried again."""
    while True:
        wake.clear()
        try:
            await project_all(sessions, takers=takers)
        except (OperationalError, InterfaceError, PoolTimeout) as exc:
            log.warning("projection_postponed", reason=type(exc).__name__)
            await asyncio.sleep(RETRY_S)
            continue
        try:
            async with asyncio.timeout(LOOK_AGAIN_S):
                await wake.wait()
        except TimeoutError:
            continue


async def project_all(sessions: Sessions, *, until: datetime | None = None, takers: Takers = NO_TAKERS) -> int:
    """Take everything that can be taken, but for entries received after `until`; how many entries were passed.

    `takers` get the entries of their kinds; a rebuild of the records alone goes without them.
    """
    passed = 0
    while True:
        async with sessions.read() as session:
            ready = await ready_runs(session)
        progress = 0
        for run in ready:
            progress += await _chunk(sessions, run.run, until, takers)
        if not progress:
            return passed
        passed += progress


async def ready_runs(session: AsyncSession) -> list[Ready]:
    """Runs with entries that were not taken, whose parent (if the cloud has it) was taken far enough. Oldest first."""
    parent, parent_cursor = aliased(RunState), aliased(ProjectionCursor)
    rows = await session.execute(
        select(RunState.run, ProjectionCursor.next_seq)
        .outerjoin(ProjectionCursor, ProjectionCursor.run == RunState.run)
        .outerjoin(parent, and_(parent.run == RunState.parent_run, parent.box_id == RunState.box_id))
        .outerjoin(parent_cursor, parent_cursor.run == parent.run)
        .where(
            or_(ProjectionCursor.next_seq.is_(None), ProjectionCursor.next_seq < RunState.acked),
            or_(parent.run.is_(None), parent.run == RunState.run, parent_cursor.next_seq > RunState.parent_seq),
        )
        .order_by(RunState.opened_at, RunState.run)
    )
    return [Ready(run, next_seq or 0) for run, next_seq in rows]


async def _chunk(sessions: Sessions, run: str, until: datetime | None, takers: Takers) -> int:
    async with sessions.write() as session:
        cursor = await _lock(session, run)
        entries = await _entries(session, run, cursor.next_seq, until)
        jobs: Jobs = {}
        for entry in entries:
            if entry.kind in {"step", "unreadable"} or entry.kind in takers:
                await _take(session, entry, jobs, takers)
        if entries:
            cursor.next_seq = entries[-1].seq + 1
        return len(entries)


async def _lock(session: AsyncSession, run: str) -> ProjectionCursor:
    upsert = sqlite.insert(ProjectionCursor) if is_sqlite(session) else postgresql.insert(ProjectionCursor)
    await session.execute(upsert.values(run=run, next_seq=0).on_conflict_do_nothing(index_elements=["run"]))
    return (await session.scalars(select(ProjectionCursor).where(ProjectionCursor.run == run).with_for_update())).one()


async def _entries(session: AsyncSession, run: str, first: int, until: datetime | None) -> list[JournalEntry]:
    query = select(JournalEntry).where(JournalEntry.run == run, JournalEntry.seq >= first, JournalEntry.seq < first + CHUNK)
    if until is not None:
        query = query.where(JournalEntry.received_at <= until)
    return list(await session.scalars(query.order_by(JournalEntry.seq)))


async def _take(session: AsyncSession, row: JournalEntry, jobs: Jobs, takers: Takers) -> None:
    """Take one entry; what goes wrong with it alone is undone and kept as a fault."""
    step: StepEntry | None = None
    try:
        async with session.begin_nested():
            entry = parse(row.content)
            step = entry if isinstance(entry, StepEntry) else None
            if step is not None:
                at = EntryId(RunId(row.run), row.seq)
                await take_step(session, Arrived(Step(step, at), row.box_id, row.received_at), jobs)
            for taker in takers.get(row.kind, ()):
                await taker(session, Received(row.box_id, row.run, row.seq, entry, row.received_at))
    except TextFault as exc:
        await _fault(session, row, step, jobs, ("unreadable", str(exc)))
    except StepFault as exc:
        await _fault(session, row, step, jobs, (exc.code, exc.detail))
    except Refused as exc:
        await _fault(session, row, step, jobs, (f"refused_{exc.code}", str(exc)))
    except (DataError, IntegrityError) as exc:
        await _fault(session, row, step, jobs, ("cannot_be_stored", type(exc).__name__))


async def _fault(session: AsyncSession, row: JournalEntry, step: StepEntry | None, jobs: Jobs, fault: tuple[str, str]) -> None:
    code, detail = fault
    if step is not None:
        jobs.pop(step.job, None)
    log.warning("entry_not_projected", run=row.run, seq=row.seq, code=code)
    job = clean(step.job)[:64] if step is not None else None
    session.add(
        ProjectionFault(
            run=row.run,
            seq=row.seq,
            box_id=row.box_id,
            code=code,
            detail=clean(detail),
            job=job,
            n=step.n if step is not None and 0 <= step.n < 1 << 63 else None,
            at=row.received_at,
        )
    )
    receipt = await find_receipt(session, job) if job else None
    if receipt is not None and receipt.box_id == row.box_id:
        receipt.needs_review = True
        receipt.version += 1
    await session.flush()
