"""What comes with the jobs themselves: ended ones are thrown away after a while."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, select

from cloud.jobs.models import Job
from cloud.jobs.running import RunningJob
from cloud.jobs.schedules import Plan

KEPT = timedelta(days=30)
"""Long enough to ask what went wrong last month."""

CHUNK = 500
"""Rows of one transaction."""

SWEEP = "jobs.sweep"


async def sweep(job: RunningJob) -> Mapping[str, Any]:
    """Throw away jobs that ended 30 days ago."""
    return await throw_away(job, Job, Job.finished_at)


async def throw_away(job: RunningJob, table: type[Any], ended: Any) -> Mapping[str, Any]:
    """Throw away rows of a table that ended 30 days ago, by the column that says when; a chunk to a step."""
    before = job.clock() - KEPT
    swept = 0
    while True:
        async with job.sessions.write() as session, job.step(session) as step:
            old = select(table.id).where(ended < before).order_by(ended).limit(CHUNK)
            gone = (await session.execute(delete(table).where(table.id.in_(old)).returning(table.id))).all()
            step.advance = len(gone)
        swept += len(gone)
        if len(gone) < CHUNK:
            return {"swept": swept}


def plans(zone: str) -> tuple[Plan, ...]:
    """In the house's zone, at night."""
    return (Plan("jobs-sweep", SWEEP, "17 3 * * *", zone),)
