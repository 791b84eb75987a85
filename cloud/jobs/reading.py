"""Jobs and schedules as people look at them: lists, newest or next first, and how many there are of each status."""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.jobs.models import Job, Schedule


async def newest(session: AsyncSession, status: str | None, limit: int) -> Sequence[Job]:
    """The newest jobs, of one status or of all."""
    query = select(Job).order_by(Job.id.desc()).limit(limit)
    return (await session.scalars(query if status is None else query.where(Job.status == status))).all()


async def counts(session: AsyncSession) -> dict[str, int]:
    """How many jobs there are of each status that occurs."""
    rows = await session.execute(select(Job.status, func.count()).group_by(Job.status))
    return {row[0]: row[1] for row in rows}


async def all_schedules(session: AsyncSession) -> Sequence[Schedule]:
    """Every schedule, the next one first; those that rest last."""
    rows = await session.scalars(select(Schedule).order_by(Schedule.next_at.is_(None), Schedule.next_at, Schedule.key))
    return rows.all()
