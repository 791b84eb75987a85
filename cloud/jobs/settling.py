"""Taking a job out of the table, and putting down how a try ended: done, failed, cancelled, or to be tried again."""

import traceback
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, and_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.jobs.faults import CancelAsked, GiveUp
from cloud.jobs.models import Job, JobStatus
from cloud.jobs.running import RunningJob
from sync_protocol.wiretext import clean

PAUSES = (timedelta(seconds=10), timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1), timedelta(hours=2))
"""Before the second try, the third...; the last one stays. A database that restarts, a network that is away, a afternoon."""

MAX_ERROR = 2000
"""Characters of an error's message, which may carry a whole statement."""

WORKER_LOST = "worker_lost"
"""Error of a job whose worker ended without a word as often as the job may be tried: it may be the cause."""


def due(now: datetime, kinds: Collection[str], mine: Collection[int] = ()) -> Select[Job]:
    """Jobs of these kinds that wait and may begin, and running ones whose lease is over; the most urgent first.

    `mine` are being worked on by whoever asks, whatever a clock says that was set forward.
    """
    waits = and_(Job.status == JobStatus.WAITING, Job.run_at <= now)
    left = and_(Job.status == JobStatus.RUNNING, Job.lease_until < now)
    found = select(Job).where(or_(waits, left), Job.kind.in_(kinds), Job.id.not_in(mine))
    return found.order_by(Job.priority.desc(), Job.run_at, Job.id)


async def claim(
    session: AsyncSession,
    kinds: Collection[str],
    *,
    worker: str,
    now: datetime,
    lease: timedelta,
    mine: Collection[int] = (),
) -> Job | None:
    """Take the next job that is due, under a lease; None when there is none.

    Rows that another worker is just taking are passed over (PostgreSQL); on SQLite there is one writer at a time.
    """
    while True:
        query = due(now, kinds, mine).limit(1).with_for_update(skip_locked=True)
        job = await session.scalar(query.execution_options(populate_existing=True))
        if job is None:
            return None
        if _ended(job, now):
            await session.flush()
            continue
        job.status, job.worker, job.started_at, job.finished_at = JobStatus.RUNNING, worker, now, None
        job.attempts += 1
        job.lease_no += 1
        job.lease_until = now + lease
        await session.flush()
        return job


def _ended(job: Job, now: datetime) -> bool:
    """Whether nobody has to work on it any more: its worker is gone, and it was to stop or has been tried often enough."""
    if job.cancel_asked:
        job.status = JobStatus.CANCELLED
    elif job.attempts >= job.max_attempts:
        job.status, job.error = JobStatus.FAILED, WORKER_LOST
    else:
        return False
    job.finished_at, job.lease_until = now, None
    return True


async def put_down(session: AsyncSession, job: RunningJob, fault: BaseException | None, result: Any) -> JobStatus | None:
    """Write how a try ended and give the job's status; None when it is another worker's by now and nothing was written."""
    row = await _mine(session, job)
    if row is None:
        return None
    now = job.clock()
    row.lease_until = row.worker = None
    if fault is None:
        row.result, row.error = result, None
        _end(row, JobStatus.DONE, now)
    elif isinstance(fault, CancelAsked):
        _end(row, JobStatus.CANCELLED, now)
    else:
        row.error = told(fault)
        if isinstance(fault, GiveUp) or row.attempts >= row.max_attempts:
            _end(row, JobStatus.FAILED, now)
        else:
            row.status, row.run_at = JobStatus.WAITING, now + PAUSES[min(row.attempts, len(PAUSES)) - 1]
    await session.flush()
    return JobStatus(row.status)


def _end(row: Job, status: JobStatus, now: datetime) -> None:
    row.status, row.finished_at = status, now
    if row.again and status == JobStatus.DONE:
        row.status, row.run_at, row.attempts, row.again, row.place = JobStatus.WAITING, now, 0, False, None
        row.done, row.total = 0, None


async def give_back(session: AsyncSession, job: RunningJob) -> None:
    """Let another worker, or the next start of this one, go on at once: this try was stopped in good order."""
    row = await _mine(session, job)
    if row is not None:
        row.status, row.run_at, row.lease_until, row.worker = JobStatus.WAITING, job.clock(), None, None
        row.attempts -= 1


async def beat(session: AsyncSession, job: RunningJob) -> bool | None:
    """Prolong the lease; whether somebody asked the job to stop, None when the lease is lost."""
    mine = update(Job).where(Job.id == job.id, Job.lease_no == job.lease_no, Job.status == JobStatus.RUNNING)
    found = await session.execute(
        mine.values(lease_until=job.clock() + job.lease).returning(Job.cancel_asked),
        execution_options={"synchronize_session": False},
    )
    asked: bool | None = found.scalar()
    return asked


async def _mine(session: AsyncSession, job: RunningJob) -> Job | None:
    query = select(Job).where(Job.id == job.id, Job.lease_no == job.lease_no, Job.status == JobStatus.RUNNING)
    return await session.scalar(query.with_for_update())


def told(fault: BaseException) -> str:
    """The message of an error and the line at which it came."""
    frames = traceback.extract_tb(fault.__traceback__)
    place = f" (in {frames[-1].name}, {frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno})" if frames else ""
    return clean(f"{type(fault).__name__}: {fault}".replace("\n", " "), MAX_ERROR) + place
