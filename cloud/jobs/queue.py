"""Asking for work, and what people may do about a job: stop it, or have it tried again."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.db.engine import is_sqlite
from cloud.errors import Conflict, NotFound, WrongState
from cloud.jobs.bell import ring_at_commit
from cloud.jobs.models import ENDED, OPEN, Job, JobStatus
from cloud.kernel.actor import Taken
from cloud.kernel.events import append_event
from cloud.kernel.models import fresh_uid

KIND = "job"
"""Of events about jobs."""

MAX_ATTEMPTS = 5
"""With the pauses between (cloud.jobs.settling) about three hours: longer than a restart, short enough to be looked at."""

TRIES = 5
"""Of putting a job in: the one in its way may end between two statements, hardly several times in a row."""

FOR_EVER = 1_000_000_000
"""As `max_attempts` of work that is never given up."""


@dataclass(frozen=True, slots=True)
class How:
    """How a job is to be run. `run_at` None is at once. `again`: if one of the same key runs already, it runs once more."""

    run_at: datetime | None = None
    priority: int = 0
    max_attempts: int = MAX_ATTEMPTS
    again: bool = False


AT_ONCE = How()


async def enqueue(
    session: AsyncSession, kind: str, args: Mapping[str, Any], *, taken: Taken, key: str | None = None, how: How = AT_ONCE
) -> Job:
    """Ask for work, as part of the session's transaction. While a job of this kind and key is open, that one is given back.

    `args` is what JSON holds; those of an open job stay as they were. The job's chain is the asker's, else its own uid. Raises
    Conflict when others come and go in its place.
    """
    uid = fresh_uid()
    insert = sqlite.insert(Job) if is_sqlite(session) else postgresql.insert(Job)
    values = insert.values(
        uid=uid,
        kind=kind,
        key=key,
        args=dict(args),
        status=JobStatus.WAITING,
        priority=how.priority,
        run_at=how.run_at or taken.at,
        attempts=0,
        max_attempts=how.max_attempts,
        lease_no=0,
        done=0,
        chain=taken.chain or uid,
        created_by=taken.actor.name,
        created_at=taken.at,
    )
    for _ in range(TRIES):
        once = values.on_conflict_do_nothing(index_elements=["kind", "key"], index_where=text(OPEN)).returning(Job.id)
        number = await session.scalar(once)
        if number is not None:
            ring_at_commit(session)
            return await session.get_one(Job, number)
        found = await _open(session, kind, key)
        if found is not None:
            found.again = found.again or (how.again and found.status == JobStatus.RUNNING)
            await session.flush()
            return found
    raise Conflict("job_key_open", ref=key or "", kind=KIND)


async def _open(session: AsyncSession, kind: str, key: str | None) -> Job | None:
    query = select(Job).where(Job.kind == kind, Job.key == key, text(OPEN)).with_for_update()
    return await session.scalar(query.execution_options(populate_existing=True))


async def job_of(session: AsyncSession, uid: str, *, lock: bool = False) -> Job:
    """The job of this uid. Raises NotFound."""
    query = select(Job).where(Job.uid == uid).execution_options(populate_existing=True)
    row = await session.scalar(query.with_for_update() if lock else query)
    if row is None:
        raise NotFound(KIND, uid)
    return row


async def cancel(session: AsyncSession, uid: str, taken: Taken) -> Job:
    """Stop a job: one that waits at once, one that runs at its next step. Raises NotFound, WrongState when it has ended."""
    job = await job_of(session, uid, lock=True)
    if job.status in ENDED:
        raise WrongState("job_ended", ref=uid)
    if job.status == JobStatus.WAITING:
        job.status, job.finished_at = JobStatus.CANCELLED, taken.at
    job.cancel_asked = True
    await append_event(session, taken, action="cancel", kind=KIND, ref=uid, changes={"kind": [job.kind, job.kind]})
    await session.flush()
    return job


async def try_again(session: AsyncSession, uid: str, taken: Taken) -> Job:
    """Open an ended job anew; it goes on behind its last step. Raises NotFound, WrongState."""
    job = await job_of(session, uid, lock=True)
    if job.status not in ENDED:
        raise WrongState("job_open", ref=uid)
    if job.key is not None and await _open(session, job.kind, job.key) is not None:
        raise WrongState("job_key_open", ref=uid)
    changes = {"status": [job.status, JobStatus.WAITING.value]}
    job.status, job.run_at, job.attempts, job.finished_at = JobStatus.WAITING, taken.at, 0, None
    job.cancel_asked = job.again = False
    await append_event(session, taken, action="again", kind=KIND, ref=uid, changes=changes)
    await session.flush()
    ring_at_commit(session)
    return job
