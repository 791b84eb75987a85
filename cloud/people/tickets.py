"""Tickets: what was begun in one request and may be finished in another, once, by whoever holds its secret."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.errors import Refused
from cloud.people.models import Ticket

Purpose = Literal["passkey_new", "passkey_sign_in", "provider", "new_password"]

MAX_OPEN = 10_000
"""Anybody may begin to sign in: a flood of beginnings must not fill the disk. No staff comes near it at a shift's start."""


@dataclass(frozen=True, slots=True)
class Redeemed:
    """What a ticket held."""

    user_id: int | None
    data: Mapping[str, Any]


async def issue(
    session: AsyncSession,
    purpose: Purpose,
    secret: str,
    *,
    until: datetime,
    now: datetime,
    user_id: int | None = None,
    data: Mapping[str, Any] | None = None,
) -> None:
    """Keep a ticket; one of the same purpose and secret is replaced. Raises Refused `too_many_begun`."""
    await session.execute(delete(Ticket).where((Ticket.expires_at <= now) | (Ticket.secret_hash == _hash(purpose, secret))))
    if (await session.scalar(select(func.count()).select_from(Ticket)) or 0) >= MAX_OPEN:
        raise Refused("too_many_begun")
    row = Ticket(secret_hash=_hash(purpose, secret), purpose=purpose, user_id=user_id, data=dict(data or {}), expires_at=until)
    session.add(row)
    await session.flush()


async def redeem(session: AsyncSession, purpose: Purpose, secret: str, now: datetime) -> Redeemed | None:
    """Take a ticket out; None when there is none or it is too old. A second taker gets None."""
    row = await session.scalar(select(Ticket).where(Ticket.secret_hash == _hash(purpose, secret)).with_for_update())
    if row is None:
        return None
    found = Redeemed(row.user_id, row.data) if row.expires_at > now else None
    await session.delete(row)
    await session.flush()
    return found


async def peek(session: AsyncSession, purpose: Purpose, secret: str, now: datetime) -> Redeemed | None:
    """Look at a ticket without taking it."""
    row = await session.scalar(select(Ticket).where(Ticket.secret_hash == _hash(purpose, secret)))
    return Redeemed(row.user_id, row.data) if row is not None and row.expires_at > now else None


async def void(session: AsyncSession, purpose: Purpose, user_id: int) -> None:
    """Throw away a person's tickets of one purpose."""
    await session.execute(delete(Ticket).where(Ticket.purpose == purpose, Ticket.user_id == user_id))


TEN_MINUTES = timedelta(minutes=10)
"""For a sign-in that was begun: time to look for a phone, not for a lunch."""


def _hash(purpose: str, secret: str) -> str:
    return hashlib.sha256(f"{purpose}:{secret}".encode()).hexdigest()
