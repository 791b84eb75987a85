"""Deliveries that came to an end are thrown away after a while; events stay, so that they can be told again."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, select

from cloud.hooks.models import Delivery
from cloud.jobs.running import RunningJob
from cloud.jobs.schedules import Plan

KEPT = timedelta(days=30)
"""As ended jobs are."""

CHUNK = 500
"""Rows of one transaction."""

SWEEP = "webhooks.sweep"


async def sweep(job: RunningJob) -> Mapping[str, Any]:
    """Throw away deliveries that ended 30 days ago."""
    before = job.clock() - KEPT
    swept = 0
    while True:
        async with job.sessions.write() as session, job.step(session) as step:
            old = select(Delivery.id).where(Delivery.ended_at < before).order_by(Delivery.ended_at).limit(CHUNK)
            gone = (await session.execute(delete(Delivery).where(Delivery.id.in_(old)).returning(Delivery.id))).all()
            step.advance = len(gone)
        swept += len(gone)
        if len(gone) < CHUNK:
            return {"swept": swept}


def plans(zone: str) -> tuple[Plan, ...]:
    """In the house's zone, at night."""
    return (Plan("webhooks-sweep", SWEEP, "47 3 * * *", zone),)
