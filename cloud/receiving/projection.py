"""Makes records of journal entries: a consumer of its own, run by run, whose position moves in the transaction of its effects.

Runs are taken as they come, newest or oldest first; a step that came before what it rests on is parked and taken later
(cloud.receiving.waiting). What is held of a branched journal is not taken. An entry of which nothing can be made becomes a
fault and never holds up its run. Entries of one box are taken by one worker at a time.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Select, func, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.boxes.received import JobTakers, Received, Takers
from cloud.clock import Clock, system_clock
from cloud.db.engine import Sessions, is_sqlite
from cloud.errors import Refused, StepFault
from cloud.ingest.models import OTHER_KINDS, HeldRun, JournalEntry, RunState
from cloud.receiving import waiting
from cloud.receiving.branches import changed_branches, question_receipts
from cloud.receiving.completing import complete_ready
from cloud.receiving.fold import Step
from cloud.receiving.models import ProjectionCursor, ProjectionFault
from cloud.receiving.rows import Arrived
from cloud.receiving.steps import Drafts, Jobs, awaited, check_texts, find_receipt, take_step
from cloud.receiving.waiting import Ancestry
from sync_protocol.entries import Entry, StepEntry, parse
from sync_protocol.errors import TextFault
from sync_protocol.ids import EntryId, RunId
from sync_protocol.steps import RECEIVE
from sync_protocol.wiretext import clean

log = structlog.get_logger()

CHUNK = 16
"""Entries of one transaction, of those that something is made of: some lines of a receipt. On SQLite everybody else who writes
waits for it. Readings in between cost nothing."""

_LOCKS = 0x7461_6C6C
"""Sets the projection's advisory locks apart from those of anybody else on the same database."""

LOOK_AGAIN_S = 5.0
"""Another worker may have stored entries without waking this one."""

RETRY_S = 1.0

COMPLETE_EVERY = timedelta(seconds=30)
"""Nobody waits for a receipt to be done, and the look at all posted ones costs more the more there are."""

STILL_COMING = timedelta(seconds=1)
MAX_PUT_OFF = 5000
"""Readings of a run that still grows are not passed one frame at a time: each time would cost those who write a turn."""

NO_TAKERS: Takers = {}
NO_JOBS: JobTakers = {}


@dataclass(slots=True)
class _Round:
    """What one projecting is given, and what it has at hand between its transactions."""

    sessions: Sessions
    takers: Takers
    job_takers: JobTakers
    until: datetime | None = None
    now: datetime | None = None
    again: Mapping[str, int] | None = None
    drafts: Drafts = field(default_factory=Drafts)
    moved: set[str] = field(default_factory=set)
    """Boxes of which something was taken since steps that wait were last looked at."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A run with entries to be taken, up to `end`; from `dropped_from` on they are passed over."""

    run: str
    box: str
    next_seq: int
    end: int
    dropped_from: int | None
    updated_at: datetime


async def project_forever(
    sessions: Sessions,
    wake: asyncio.Event,
    takers: Takers = NO_TAKERS,
    clock: Clock = system_clock,
    *,
    job_takers: JobTakers = NO_JOBS,
) -> None:
    """Take entries as they come, until cancelled. A database that is away is tried again."""
    drafts = Drafts()
    completed: datetime | None = None
    everybody = True  # a worker before this one may have ended between an entry and what waited for it
    while True:
        wake.clear()
        try:
            await _project(_Round(sessions, takers, job_takers, now=clock(), drafts=drafts), everybody=everybody)
            everybody = False
            if completed is None or clock() - completed >= COMPLETE_EVERY:
                completed = clock()
                await complete_ready(sessions, completed)
        except (OperationalError, InterfaceError, PoolTimeout) as exc:
            log.warning("projection_postponed", reason=type(exc).__name__)
            await asyncio.sleep(RETRY_S)
            continue
        try:
            async with asyncio.timeout(LOOK_AGAIN_S):
                await wake.wait()
        except TimeoutError:
            continue


async def project_all(
    sessions: Sessions,
    *,
    until: datetime | None = None,
    takers: Takers = NO_TAKERS,
    now: datetime | None = None,
    job_takers: JobTakers = NO_JOBS,
    again: Mapping[str, int] | None = None,
) -> int:
    """Take everything that can be taken, but for entries received after `until`; how many entries were passed.

    `takers` get the entries of their kinds, `job_takers` the steps of jobs other than receipts. `again`: by run how far it was
    taken before its receipts were thrown away; these alone are made again, up to there, and what other jobs made or left
    waiting stays as it is. Steps that have waited for too long by `now` become faults.
    """
    return await _project(_Round(sessions, takers, job_takers, until, now, again), everybody=True)


async def _project(work: _Round, *, everybody: bool) -> int:
    passed = 0
    while True:
        async with work.sessions.read() as session:
            runs = _limited(await ready_runs(session), work.again)
            ready = [run for run in runs if await _worth_a_turn(work, session, run)]
            changed = await changed_branches(session)
        for branch in changed:
            async with work.sessions.write() as session:
                await question_receipts(session, branch)
        progress = 0
        for run in ready:
            progress += await _chunk(work, run)
        passed += progress
        if not progress and not await _take_parked(work, everybody=everybody):
            return passed
        everybody = everybody and bool(progress)


async def ready_runs(session: AsyncSession) -> list[Ready]:
    """Runs with entries that were not taken and are not held. Oldest first."""
    end = func.coalesce(HeldRun.held_from, RunState.acked)
    begin = func.coalesce(ProjectionCursor.next_seq, 0)
    rows = await session.execute(
        select(
            RunState.run,
            RunState.box_id,
            begin,
            RunState.acked,
            HeldRun.held_from,
            HeldRun.dropped_from,
            RunState.updated_at,
        )
        .outerjoin(ProjectionCursor, ProjectionCursor.run == RunState.run)
        .outerjoin(HeldRun, HeldRun.run == RunState.run)
        .where(begin < RunState.acked, begin < end)
        .order_by(RunState.opened_at, RunState.run)
    )
    return [
        Ready(run, box, first, acked if held is None else min(acked, held), dropped, updated)
        for run, box, first, acked, held, dropped, updated in rows
    ]


def _limited(runs: list[Ready], again: Mapping[str, int] | None) -> list[Ready]:
    if again is None:
        return runs
    limited = [replace(run, end=min(run.end, again.get(run.run, 0))) for run in runs]
    return [run for run in limited if run.next_seq < run.end]


async def _worth_a_turn(work: _Round, session: AsyncSession, run: Ready) -> bool:
    """Whether to take the run now: not while it grows and there is nothing but readings to be passed."""
    if work.now is None or run.end - run.next_seq > MAX_PUT_OFF or work.now - run.updated_at > STILL_COMING:
        return True
    return (
        await session.scalar(_to_be_taken(run, run.next_seq, run.end, work).with_only_columns(JournalEntry.seq).limit(1))
        is not None
    )


async def _chunk(work: _Round, run: Ready) -> int:
    async with work.sessions.write() as session:
        desk = await _claim(work, session, run.box)
        if desk is None:
            return 0
        cursor = await _lock(session, run.run)
        entries, reached = await _entries(session, run, cursor.next_seq, work)
        for row in entries:
            if run.dropped_from is not None and row.seq >= run.dropped_from:
                await _drop(desk, row)
            else:
                await _take(desk, row)
            if _ends_a_job(row):
                reached = row.seq + 1
                break
        passed = max(reached - cursor.next_seq, 0)
        cursor.next_seq += passed
    work.drafts.keep(desk.jobs)
    if passed:
        work.moved.add(run.box)
    return passed


def _ends_a_job(row: JournalEntry) -> bool:
    """Whether something may have been posted with it. Then the transaction ends: it holds order lines and quants, and two that
    post several records each, in their own orders, would wait for each other (PostgreSQL ends one of them)."""
    if row.kind != "step":
        return False
    try:
        entry = parse(row.content)
    except TextFault:
        return False
    return isinstance(entry, StepEntry) and entry.step in ENDS


ENDS = frozenset({"finish", "abandon", "moved", "passed"})
"""Steps with which stock moves or a job is closed."""


@dataclass(frozen=True, slots=True)
class _Desk:
    """What taking one box's entries needs within one transaction."""

    session: AsyncSession
    jobs: Jobs
    ancestry: Ancestry
    takers: Takers
    job_takers: JobTakers
    receipts_alone: bool

    def passes_over(self, entry: Entry) -> bool:
        """Whether the entry is one that a making again leaves alone."""
        return self.receipts_alone and isinstance(entry, StepEntry) and entry.job_kind != RECEIVE


async def _claim(work: _Round, session: AsyncSession, box: str) -> _Desk | None:
    """The only desk for a box's entries until the transaction ends; None when another worker has it."""
    if not is_sqlite(session):
        key = func.hashtextextended(box, _LOCKS)
        if not await session.scalar(select(func.pg_try_advisory_xact_lock(key))):
            return None
    return _Desk(session, Jobs(work.drafts), Ancestry(session, box), work.takers, work.job_takers, work.again is not None)


async def _lock(session: AsyncSession, run: str) -> ProjectionCursor:
    upsert = sqlite.insert(ProjectionCursor) if is_sqlite(session) else postgresql.insert(ProjectionCursor)
    await session.execute(upsert.values(run=run, next_seq=0).on_conflict_do_nothing(index_elements=["run"]))
    return (await session.scalars(select(ProjectionCursor).where(ProjectionCursor.run == run).with_for_update())).one()


async def _entries(session: AsyncSession, run: Ready, first: int, work: _Round) -> tuple[list[JournalEntry], int]:
    """The next entries of which something is made, and how far the run is taken with them."""
    end = run.end
    if work.until is not None:
        received = select(func.max(JournalEntry.seq)).where(JournalEntry.run == run.run, JournalEntry.received_at <= work.until)
        end = min(end, (await session.scalar(received) or -1) + 1)
    query = _to_be_taken(run, first, end, work)
    rows = list(await session.scalars(query.order_by(JournalEntry.seq).limit(CHUNK)))
    return rows, rows[-1].seq + 1 if len(rows) == CHUNK else end


def _to_be_taken(run: Ready, first: int, end: int, work: _Round) -> Select[JournalEntry]:
    kinds = {"step", "unreadable", *work.takers}
    query = select(JournalEntry).where(
        JournalEntry.run == run.run, JournalEntry.seq >= first, JournalEntry.seq < end, JournalEntry.kind.in_(kinds)
    )
    return query if "reading" in kinds else query.where(text(OTHER_KINDS))


async def _take_parked(work: _Round, *, everybody: bool) -> int:
    """Take steps that waited and need not any longer: of boxes of which something was taken, and those that waited too long."""
    boxes = None if everybody else frozenset(work.moved)
    work.moved.clear()
    async with work.sessions.read() as session:
        jobs = await waiting.parked_jobs(session, boxes=boxes, expired_at=work.now)
    taken = 0
    for box, job in jobs:
        async with work.sessions.write() as session:
            desk = await _claim(work, session, box)
            if desk is None:
                continue
            done = await _take_job(desk, box, job, work.now)
        work.drafts.keep(desk.jobs)
        if done:
            work.moved.add(box)
        taken += done
    return taken


async def _take_job(desk: _Desk, box: str, job: str, now: datetime | None) -> int:
    """Take what can be taken of one job's waiting steps, lowest first; how many are done with."""
    for done in range(CHUNK):
        row = await waiting.lowest_parked(desk.session, box, job)
        if row is None or desk.passes_over(parse(row.content)):
            return done
        held = await desk.session.get(HeldRun, row.run, populate_existing=True)
        if held is not None and held.held_from is not None and row.seq >= held.held_from:
            return done
        late = waiting.too_long(row, now)
        if held is not None and held.dropped_from is not None and row.seq >= held.dropped_from:
            await _drop(desk, row)
        elif late is not None:
            await _give_up(desk, row, late)
        elif not await _take(desk, row, parked=True):
            return done
        await waiting.unpark(desk.session, EntryId(RunId(row.run), row.seq))
    return CHUNK


async def _take(desk: _Desk, row: JournalEntry, *, parked: bool = False) -> bool:
    """Take one entry, or park it; what goes wrong with it alone is undone and kept as a fault. False when it has to wait."""
    step: StepEntry | None = None
    try:
        async with desk.session.begin_nested():
            entry = parse(row.content)
            if desk.passes_over(entry):
                return True
            step = entry if isinstance(entry, StepEntry) else None
            if step is not None and not await _take_step(desk, row, step):
                if not parked:
                    await waiting.park(desk.session, row, step)
                return False
            for taker in desk.takers.get(row.kind, ()):
                await taker(desk.session, Received(row.box_id, row.run, row.seq, entry, row.received_at))
    except TextFault as exc:
        await _fault(desk, row, step, ("unreadable", str(exc)))
    except StepFault as exc:
        await _fault(desk, row, step, (exc.code, exc.detail))
    except Refused as exc:
        await _fault(desk, row, step, (f"refused_{exc.code}", str(exc)))
    except (DataError, IntegrityError) as exc:
        await _fault(desk, row, step, ("cannot_be_stored", type(exc).__name__))
    return True


async def _take_step(desk: _Desk, row: JournalEntry, step: StepEntry) -> bool:
    at = EntryId(RunId(row.run), row.seq)
    if step.job_kind != RECEIVE:
        return await _take_elsewhere(desk, row, step, at)
    next_n = await awaited(desk.session, step, desk.jobs)
    if await waiting.must_wait(desk.session, desk.ancestry, at, step, next_n):
        return False
    await take_step(desk.session, Arrived(Step(step, at), row.box_id, row.received_at), desk.jobs)
    return True


async def _take_elsewhere(desk: _Desk, row: JournalEntry, step: StepEntry, at: EntryId) -> bool:
    """A step of another kind of job, in the same order as those of receipts."""
    taker = desk.job_takers.get(step.job_kind)
    if taker is None:
        raise StepFault("unknown_job_kind", step.job_kind)
    check_texts(step)
    received = Received(row.box_id, row.run, row.seq, step, row.received_at)
    next_n = await taker.awaited(desk.session, received, step)
    if await waiting.must_wait(desk.session, desk.ancestry, at, step, next_n):
        return False
    await taker.take(desk.session, received, step)
    return True


async def _drop(desk: _Desk, row: JournalEntry) -> None:
    """An entry of a branch of which somebody decided that nothing is made."""
    await _give_up(desk, row, StepFault("branch_discarded", row.kind))


async def _give_up(desk: _Desk, row: JournalEntry, fault: StepFault) -> None:
    try:
        entry = parse(row.content)
    except TextFault as exc:
        await _fault(desk, row, None, ("unreadable", str(exc)))
        return
    if isinstance(entry, StepEntry) and not desk.passes_over(entry):
        await _fault(desk, row, entry, (fault.code, fault.detail))


async def _fault(desk: _Desk, row: JournalEntry, step: StepEntry | None, fault: tuple[str, str]) -> None:
    code, detail = fault
    if step is not None:
        desk.jobs.pop(step.job, None)
    log.warning("entry_not_projected", run=row.run, seq=row.seq, code=code)
    job = clean(step.job)[:64] if step is not None else None
    desk.session.add(
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
    receipt = await find_receipt(desk.session, job) if job else None
    if receipt is not None and receipt.box_id == row.box_id:
        receipt.needs_review = True
        receipt.review_reason = receipt.review_reason or "steps_contradict"
        receipt.version += 1
    await desk.session.flush()
