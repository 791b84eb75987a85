"""Which deliveries may be sent now, and what becomes of one after a try."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from cloud.hooks.endpoints import KIND, secrets_of
from cloud.hooks.message import body, message_id
from cloud.hooks.models import Delivery, Endpoint, Outcome, Standing
from cloud.hooks.send import GONE, Answer
from cloud.hooks.sight import Sight
from cloud.hooks.signing import headers
from cloud.kernel.actor import Taken
from cloud.kernel.events import append_event
from cloud.kernel.models import Event

log = structlog.get_logger()

PAUSES = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=8),
    timedelta(hours=24),
)
"""Before the second try, the third...: a day and a half in all, so that a receiver may be down over a night and be mended."""

AT_ONCE = 4
"""Deliveries on their way to one endpoint, each of another record."""

FAILING_AFTER = 5
"""Failures in a row after which an endpoint is tried with one delivery at a time."""

NOT_VISIBLE = "not_visible"
"""In place of an answer: the owner may not read the record any more, so it is not told."""


@dataclass(frozen=True, slots=True)
class Request:
    """One try, ready to be sent. `content` None: it must not be told any more."""

    delivery: int
    endpoint: int
    url: str
    headers: dict[str, str]
    content: bytes | None


async def ready(
    session: AsyncSession, now: datetime, sight: Sight, *, busy: Collection[tuple[int, int]], room: int
) -> list[Request]:
    """Up to `room` requests that may go now. `busy` are those on their way, as (endpoint, delivery).

    A delivery waits until all earlier ones of its record are delivered or given up.
    """
    found: list[Request] = []
    for row in await _endpoints(session, now):
        mine = [delivery for endpoint, delivery in busy if endpoint == row.id]
        at_once = 1 if row.status == Standing.FAILING else AT_ONCE
        free = min(at_once - len(mine), room - len(found))
        if free > 0:
            see = await sight(session, row.owner)
            for delivery, event in await _due(session, row, now, mine, free):
                seen = await see(event)
                content = None if seen is None else body(event, seen)
                found.append(_request(row, delivery, content, now))
    return found


async def _endpoints(session: AsyncSession, now: datetime) -> Sequence[Endpoint]:
    due = exists().where(Delivery.endpoint_id == Endpoint.id, Delivery.status == Outcome.WAITING, Delivery.next_at <= now)
    query = select(Endpoint).where(Endpoint.status != Standing.PAUSED, due).order_by(Endpoint.id)
    return (await session.scalars(query)).all()


async def _due(
    session: AsyncSession, row: Endpoint, now: datetime, busy: Collection[int], free: int
) -> list[tuple[Delivery, Event]]:
    earlier = aliased(Delivery)
    blocked = exists().where(
        earlier.endpoint_id == Delivery.endpoint_id,
        earlier.kind == Delivery.kind,
        earlier.ref == Delivery.ref,
        earlier.event_id < Delivery.event_id,
        earlier.status == Outcome.WAITING,
    )
    rows = await session.execute(
        select(Delivery, Event)
        .join(Event, Event.id == Delivery.event_id)
        .where(Delivery.endpoint_id == row.id, Delivery.status == Outcome.WAITING, Delivery.next_at <= now, ~blocked)
        .where(Delivery.id.not_in(busy))
        .order_by(Delivery.event_id)
        .limit(free)
    )
    return [(delivery, event) for delivery, event in rows]


def _request(row: Endpoint, delivery: Delivery, content: bytes | None, now: datetime) -> Request:
    message = message_id(delivery.event_id)
    signed = headers(secrets_of(row, now), message=message, timestamp=int(now.timestamp()), body=content or b"")
    given = {"Content-Type": "application/json", "User-Agent": "Tallybox", **signed}
    return Request(delivery.id, row.id, row.url, given, content)


async def note(session: AsyncSession, request: Request, answer: Answer, taken: Taken) -> None:
    """Write down what came of a try. One that was removed or opened anew meanwhile is left as it is."""
    # The endpoint first, as whoever changes one does: two who lock in different orders would wait for each other.
    row = await session.get(Endpoint, request.endpoint, with_for_update=True, populate_existing=True)
    found = await session.get(Delivery, request.delivery, with_for_update=True, populate_existing=True)
    if row is None or found is None or found.status != Outcome.WAITING:
        return
    found.code, found.answer, found.ms, found.sent_at = answer.code, answer.text, answer.ms, taken.at
    if request.content is None:
        found.status, found.ended_at = Outcome.GIVEN_UP, taken.at
        return
    found.tries += 1
    if answer.ok:
        found.status, found.ended_at = Outcome.DELIVERED, taken.at
    elif found.tries > len(PAUSES):
        found.status, found.ended_at = Outcome.GIVEN_UP, taken.at
        log.warning("webhook_given_up", endpoint=row.uid, event_id=found.event_id, code=answer.code)
    else:
        found.next_at = taken.at + PAUSES[found.tries - 1]
    await _standing(session, row, answer, taken)


async def _standing(session: AsyncSession, row: Endpoint, answer: Answer, taken: Taken) -> None:
    before = row.status
    if answer.ok:
        row.failures, row.last_ok_at = 0, taken.at
        row.status = Standing.ACTIVE if before == Standing.FAILING else before
    else:
        row.failures += 1
        if answer.code == GONE:
            row.status = Standing.PAUSED
        elif before == Standing.ACTIVE and row.failures >= FAILING_AFTER:
            row.status = Standing.FAILING
    if row.status != before:
        log.warning("webhook_standing_changed", endpoint=row.uid, status=str(row.status), code=answer.code)
        changes = {"status": [before, str(row.status)]}
        await append_event(session, taken, action="change", kind=KIND, ref=row.uid, changes=changes)
