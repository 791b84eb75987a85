"""Endpoints: made, changed, paused, given a new secret; and deliveries that are sent once more."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.errors import NotFound, Refused, WrongState
from cloud.hooks.message import checked_patterns
from cloud.hooks.models import Delivery, Endpoint, Outcome, Standing
from cloud.hooks.signing import new_secret
from cloud.jobs.models import Job
from cloud.jobs.queue import FOR_EVER, How, enqueue
from cloud.kernel.actor import Taken
from cloud.kernel.events import append_event
from cloud.kernel.models import EventHead

KIND = "endpoint"
"""Of events about endpoints, and of the grant `configure` that their page asks for."""

FOLLOW, FOLLOW_KEY = "webhooks", "all"
"""Kind and key of the one job that makes and sends deliveries."""

MAX_ENDPOINTS = 100
"""Each costs a look at every event."""

MAX_URL = 500
MAX_NAME = 100

BOTH_SECRETS = timedelta(hours=24)
"""So long after a change of secrets deliveries carry both signatures: a receiver's next release."""

Draw = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Target:
    """What an endpoint is: `patterns` as `deal.*`, `owner` the login by whose rights is told."""

    name: str
    url: str
    patterns: Sequence[str]
    owner: str


async def create_endpoint(session: AsyncSession, new: Target, taken: Taken, *, draw: Draw) -> Endpoint:
    """Tell what happens from now on. The secret is in the row: show it now and never again. Raises Refused."""
    if (await session.scalar(select(func.count()).select_from(Endpoint)) or 0) >= MAX_ENDPOINTS:
        raise Refused("hook_too_many", max=str(MAX_ENDPOINTS))
    row = Endpoint(
        **_checked(new),
        secret=new_secret(draw),
        status=Standing.ACTIVE,
        failures=0,
        cursor=await session.scalar(select(EventHead.last)) or 0,
        created_by=taken.actor.name,
        created_at=taken.at,
    )
    session.add(row)
    await session.flush()
    changes = {name: [None, value] for name, value in _checked(new).items()}
    await append_event(session, taken, action="create", kind=KIND, ref=row.uid, changes=changes)
    await wake(session, taken)
    return row


async def change_endpoint(session: AsyncSession, uid: str, new: Target, taken: Taken) -> Endpoint:
    """Change name, address, patterns or owner. Raises NotFound, Refused."""
    row = await endpoint_of(session, uid, lock=True)
    values = _checked(new)
    changes = {name: [getattr(row, name), value] for name, value in values.items() if getattr(row, name) != value}
    if changes:
        for name, value in values.items():
            setattr(row, name, value)
        await append_event(session, taken, action="change", kind=KIND, ref=uid, changes=changes)
        await wake(session, taken)
    return row


def _checked(new: Target) -> dict[str, Any]:
    name = new.name.strip()
    if not 0 < len(name) <= MAX_NAME:
        raise Refused("hook_name", max=str(MAX_NAME))
    return {"name": name, "url": checked_url(new.url), "patterns": checked_patterns(new.patterns), "owner": new.owner}


def checked_url(text: str) -> str:
    """An address with http or https and a host, and without a password in it. Raises Refused `hook_url`."""
    try:
        url = httpx.URL(text.strip())
    except httpx.InvalidURL as exc:
        raise Refused("hook_url") from exc
    if url.scheme not in {"http", "https"} or not url.host or url.userinfo or url.fragment or len(str(url)) > MAX_URL:
        raise Refused("hook_url")
    return str(url)


async def pause(session: AsyncSession, uid: str, taken: Taken) -> Endpoint:
    """Leave it alone; what happens meanwhile is told when it is resumed. Raises NotFound."""
    return await _turn(session, uid, taken, Standing.PAUSED)


async def resume(session: AsyncSession, uid: str, taken: Taken) -> Endpoint:
    """Go on where it was. Raises NotFound."""
    row = await _turn(session, uid, taken, Standing.ACTIVE)
    row.failures = 0
    await wake(session, taken)
    return row


async def _turn(session: AsyncSession, uid: str, taken: Taken, status: Standing) -> Endpoint:
    row = await endpoint_of(session, uid, lock=True)
    if row.status != status:
        action = "pause" if status == Standing.PAUSED else "resume"
        await append_event(session, taken, action=action, kind=KIND, ref=uid, changes={"status": [row.status, status.value]})
        row.status = status
        await session.flush()
    return row


async def rotate_secret(session: AsyncSession, uid: str, taken: Taken, *, draw: Draw) -> Endpoint:
    """A new secret; for a day the old one signs, too. Raises NotFound."""
    row = await endpoint_of(session, uid, lock=True)
    row.secret_before, row.secret_before_until = row.secret, taken.at + BOTH_SECRETS
    row.secret = new_secret(draw)
    await append_event(session, taken, action="rotate_secret", kind=KIND, ref=uid)
    await session.flush()
    return row


async def remove_endpoint(session: AsyncSession, uid: str, taken: Taken) -> None:
    """Remove it with its deliveries. Raises NotFound."""
    row = await endpoint_of(session, uid, lock=True)
    await append_event(session, taken, action="remove", kind=KIND, ref=uid, changes={"name": [row.name, None]})
    await session.delete(row)
    await session.flush()


async def endpoint_of(session: AsyncSession, uid: str, *, lock: bool = False) -> Endpoint:
    """The endpoint of this uid. Raises NotFound."""
    query = select(Endpoint).where(Endpoint.uid == uid).execution_options(populate_existing=True)
    row = await session.scalar(query.with_for_update() if lock else query)
    if row is None:
        raise NotFound(KIND, uid)
    return row


async def replay_one(session: AsyncSession, uid: str, event_id: int, taken: Taken) -> None:
    """Send one delivery once more. Raises NotFound, WrongState while it is still on its way."""
    row = await endpoint_of(session, uid)
    found = await session.scalar(
        select(Delivery).where(Delivery.endpoint_id == row.id, Delivery.event_id == event_id).with_for_update()
    )
    if found is None:
        raise NotFound("delivery", str(event_id))
    if found.status == Outcome.WAITING:
        raise WrongState("delivery_waits", ref=str(event_id))
    await _send_again(session, row, taken, Delivery.event_id == event_id)


async def replay_given_up(session: AsyncSession, uid: str, taken: Taken) -> int:
    """Send everything once more that was given up; how many. Raises NotFound."""
    row = await endpoint_of(session, uid)
    return await _send_again(session, row, taken, Delivery.status == Outcome.GIVEN_UP)


async def replay_from(session: AsyncSession, uid: str, event_id: int, taken: Taken) -> int:
    """Tell everything once more from an event on, also what was swept away or not wanted then. Raises NotFound, Refused.

    Gives how many deliveries are opened anew at once; the others are made as events are looked at.
    """
    row = await endpoint_of(session, uid, lock=True)
    last = await session.scalar(select(EventHead.last)) or 0
    if not 0 < event_id <= last:
        raise Refused("hook_event", last=str(last))
    row.cursor = min(row.cursor, event_id - 1)
    return await _send_again(session, row, taken, Delivery.event_id >= event_id)


async def _send_again(session: AsyncSession, row: Endpoint, taken: Taken, which: Any) -> int:
    ended = Delivery.status != Outcome.WAITING
    result = await session.execute(
        update(Delivery)
        .where(Delivery.endpoint_id == row.id, which, ended)
        .values(status=Outcome.WAITING, tries=0, next_at=taken.at, ended_at=None)
        .returning(Delivery.event_id),
        execution_options={"synchronize_session": "fetch"},
    )
    numbers = sorted(result.scalars())
    changes = {"events": [None, len(numbers)], "first": [None, numbers[0] if numbers else None]}
    await append_event(session, taken, action="replay", kind=KIND, ref=row.uid, changes=changes)
    await wake(session, taken)
    return len(numbers)


async def wake(session: AsyncSession, taken: Taken) -> Job:
    """See to it that somebody makes and sends deliveries."""
    how = How(max_attempts=FOR_EVER, again=True)
    return await enqueue(session, FOLLOW, {}, key=FOLLOW_KEY, taken=Taken(taken.actor, taken.at), how=how)


async def ensure_following(session: AsyncSession, taken: Taken) -> None:
    """As `wake`, if any endpoint is to be told anything: for the start of a process."""
    if await session.scalar(select(Endpoint.id).where(Endpoint.status != Standing.PAUSED).limit(1)) is not None:
        await wake(session, taken)


def secrets_of(row: Endpoint, now: datetime) -> list[str]:
    """What signs at this time, the newest first."""
    both = row.secret_before is not None and row.secret_before_until is not None and now < row.secret_before_until
    return [row.secret, *([row.secret_before] if both and row.secret_before else [])]
