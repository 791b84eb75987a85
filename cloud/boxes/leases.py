"""Sessions of boxes: each one opened gets a higher lease, so that of two boxes with one identity only the newest is obeyed."""

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.boxes.models import Box, BoxStatus
from cloud.db.types import BIGGEST
from cloud.errors import BoxFault
from cloud.kernel.actor import Actor, Taken
from cloud.kernel.events import append_event
from cloud.kernel.models import Event
from sync_protocol.commands import Session

BEHIND = "lease_behind"
"""Action of the event that a session was opened by a box that does not know a lease which somebody else has used."""

ALTERNATION = timedelta(hours=24)
"""A disk that was put back once explains one such session; a second one within a day is two boxes taking turns."""


async def open_session(session: AsyncSession, *, box: str, last: int | None, now: datetime) -> tuple[Session, bool]:
    """A new lease under the lock of the box's row, and whether two boxes seem to take turns with this identity.

    `last` is the highest lease that the caller has seen, None where it does not say. A lease is above all that this database
    gave and above `last`: a database that was restored must not give a number twice. Raises BoxFault.
    """
    row = await session.get(Box, box, with_for_update=True, populate_existing=True)
    if row is None or row.status != BoxStatus.ACTIVE:
        raise BoxFault(f"box_{row.status}" if row else "unknown_box", box)
    if last is not None and not 0 <= last < BIGGEST - 1:
        raise BoxFault("impossible_lease", box)
    turns = False
    if last is not None and last < row.lease_used:
        turns = await _behind_before(session, box, now)
        taken = Taken(Actor.box(box), now)
        await append_event(session, taken, action=BEHIND, kind="box", ref=box, changes={"said": last, "used": row.lease_used})
    row.lease = max(row.lease, last or 0) + 1
    row.lease_at = now
    row.lease_used = max(row.lease_used, last or 0)
    return Session(lease=row.lease, srv_time=now.isoformat()), turns


async def used(session: AsyncSession, *, box: str, lease: int) -> bool:
    """A box came with this lease: note it. False when it is not the box's newest any more."""
    row = await session.get(Box, box, with_for_update=True, populate_existing=True)
    if row is None or row.lease != lease or not lease:
        return False
    row.lease_used = max(row.lease_used, lease)
    return True


async def _behind_before(session: AsyncSession, box: str, now: datetime) -> bool:
    recent = (Event.kind == "box", Event.ref == box, Event.action == BEHIND, Event.at > now - ALTERNATION)
    return await session.scalar(select(Event.id).where(*recent).limit(1)) is not None
