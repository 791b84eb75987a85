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
    before = job.clock() - KEPT
    swept = 0
    while True:
        async with job.sessions.write() as session, job.step(session) as step:
            old = select(Job.id).where(Job.finished_at < before).order_by(Job.finished_at).limit(CHUNK)
            gone = (await session.execute(delete(Job).where(Job.id.in_(old)).returning(Job.id))).all()
            step.advance = len(gone)
        swept += len(gone)
        if len(gone) < CHUNK:
            return {"swept": swept}


def plans(zone: str) -> tuple[Plan, ...]:
    """In the house's zone, at night."""
    return (Plan("jobs-sweep", SWEEP, "17 3 * * *", zone),)
