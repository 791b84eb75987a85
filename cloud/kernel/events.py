"""Writing and reading the audit log."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.kernel.actor import Taken
from cloud.kernel.chain import wait_for_place, waiting
from cloud.kernel.models import Event
from sync_protocol.wiretext import clean

MAX_REFUSALS = 60
REFUSAL_WINDOW = timedelta(hours=1)
"""A fault is seen from its first lines; somebody who knocks a thousand times a second must not fill the disk with them."""

UNKNOWN_ACTOR = "unknown"
"""Actor of refusals to whoever has no identity here: all strangers share one cap."""

REPLAYING = "replaying"
"""Key of `session.info`: records are being made again from what was already logged once."""


async def append_event(
    session: AsyncSession,
    taken: Taken,
    *,
    action: str,
    kind: str,
    ref: str,
    changes: Mapping[str, Any] | None = None,
) -> None:
    """Add one event to the session's transaction; it is written, and linked to the one before, with the commit. While records
    are replayed nothing is logged twice. Changes are what JSON holds."""
    if session.info.get(REPLAYING):
        return
    wait_for_place(
        session,
        Event(
            at=taken.at,
            actor_kind=taken.actor.kind,
            actor=taken.actor.name,
            via=taken.actor.via,
            action=action,
            kind=kind,
            ref=clean(ref),
            changes=dict(changes or {}),
            reason=None if taken.reason is None else clean(taken.reason),
            request_id=taken.request_id,
            chain=taken.chain,
        ),
    )


async def record_refusal(
    session: AsyncSession, taken: Taken, *, action: str, kind: str, ref: str, found: str | None = None
) -> bool:
    """Log that something was refused; False when this actor's cap for the action is reached and nothing was written."""
    recent = (
        select(Event.id)
        .where(Event.actor == taken.actor.name, Event.action == action, Event.at > taken.at - REFUSAL_WINDOW)
        .limit(MAX_REFUSALS)
        .subquery()
    )
    here = sum(1 for row in waiting(session) if row.actor == taken.actor.name and row.action == action)
    count = here + (await session.scalar(select(func.count()).select_from(recent)) or 0)
    if count >= MAX_REFUSALS:
        return False
    changes: dict[str, Any] = {} if found is None else {"found": clean(found)}
    if count == MAX_REFUSALS - 1:
        changes["more_are_not_logged_for_s"] = int(REFUSAL_WINDOW.total_seconds())
    await append_event(session, taken, action=action, kind=kind, ref=ref, changes=changes)
    return True


async def history(session: AsyncSession, kind: str, ref: str) -> Sequence[Event]:
    """The events of one record, oldest first."""
    rows = await session.scalars(select(Event).where(Event.kind == kind, Event.ref == ref).order_by(Event.id))
    return rows.all()
