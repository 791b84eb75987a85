"""Follows the audit log for every endpoint by its cursor, and makes deliveries of the events that it wants and may be told."""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.db.engine import is_sqlite
from cloud.hooks.message import matches, type_of
from cloud.hooks.models import Delivery, Endpoint, Outcome, Standing
from cloud.hooks.sight import Sight
from cloud.jobs.running import RunningJob
from cloud.kernel.models import Event, EventHead

CHUNK = 200
"""Events of one transaction."""

MAX_WAITING = 10_000
"""Deliveries that wait at one endpoint; beyond, the cursor stays where it is until some are through."""


async def plan(job: RunningJob, sight: Sight) -> bool:
    """Take the next events for every endpoint that is behind; whether there was anything to take."""
    async with job.sessions.read() as session:
        behind = await _behind(session)
    moved = False
    for number in behind:
        async with job.sessions.write() as session, job.step(session) as step:
            made = await _take(session, number, sight, job)
            step.advance = made or 0
        moved = moved or made is not None
    return moved


async def _behind(session: AsyncSession) -> Sequence[int]:
    last = await session.scalar(select(EventHead.last)) or 0
    query = select(Endpoint.id).where(Endpoint.status != Standing.PAUSED, Endpoint.cursor < last)
    return (await session.scalars(query.order_by(Endpoint.id))).all()


async def _take(session: AsyncSession, number: int, sight: Sight, job: RunningJob) -> int | None:
    """How many deliveries were made; None where nothing was looked at."""
    row = await session.get(Endpoint, number, with_for_update=True, populate_existing=True)
    if row is None or row.status == Standing.PAUSED or await _full(session, row):
        return None
    events = (await session.scalars(select(Event).where(Event.id > row.cursor).order_by(Event.id).limit(CHUNK))).all()
    if not events:
        return None
    see = await sight(session, row.owner)
    wanted = [event for event in events if matches(row.patterns, type_of(event)) and await see(event) is not None]
    row.cursor = events[-1].id
    if wanted:
        insert = sqlite.insert(Delivery) if is_sqlite(session) else postgresql.insert(Delivery)
        now = job.clock()
        values = [
            {
                "endpoint_id": row.id,
                "event_id": event.id,
                "type": type_of(event),
                "kind": event.kind,
                "ref": event.ref,
                "status": Outcome.WAITING,
                "tries": 0,
                "next_at": now,
            }
            for event in wanted
        ]
        await session.execute(insert.values(values).on_conflict_do_nothing(index_elements=["endpoint_id", "event_id"]))
    return len(wanted)


async def _full(session: AsyncSession, row: Endpoint) -> bool:
    waiting = select(Delivery.id).where(Delivery.endpoint_id == row.id, Delivery.status == Outcome.WAITING)
    count = await session.scalar(select(func.count()).select_from(waiting.limit(MAX_WAITING).subquery()))
    return (count or 0) >= MAX_WAITING
