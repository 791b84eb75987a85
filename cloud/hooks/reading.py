"""Endpoints and deliveries as people look at them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.hooks.models import Delivery, Endpoint, Outcome


@dataclass(frozen=True, slots=True)
class Health:
    """An endpoint, how many deliveries wait and were given up, and when the oldest that waits is tried next."""

    endpoint: Endpoint
    waiting: int
    given_up: int
    next_at: datetime | None


async def health(session: AsyncSession) -> list[Health]:
    """Every endpoint by name."""
    rows = await session.execute(
        select(Delivery.endpoint_id, Delivery.status, func.count(), func.min(Delivery.next_at))
        .where(Delivery.status != Outcome.DELIVERED)
        .group_by(Delivery.endpoint_id, Delivery.status)
    )
    open_ = {(endpoint, status): (count, at) for endpoint, status, count, at in rows}
    found = []
    for one in await session.scalars(select(Endpoint).order_by(Endpoint.name, Endpoint.id)):
        waiting, next_at = open_.get((one.id, Outcome.WAITING), (0, None))
        found.append(Health(one, waiting, open_.get((one.id, Outcome.GIVEN_UP), (0, None))[0], next_at))
    return found


async def deliveries(
    session: AsyncSession, endpoint: Endpoint, *, status: str | None = None, before: int | None = None, limit: int
) -> Sequence[Delivery]:
    """The newest deliveries of an endpoint, of one status or of all; those of events before `before`."""
    query = select(Delivery).where(Delivery.endpoint_id == endpoint.id).order_by(Delivery.event_id.desc()).limit(limit)
    if status is not None:
        query = query.where(Delivery.status == status)
    if before is not None:
        query = query.where(Delivery.event_id < before)
    return (await session.scalars(query)).all()
