"""Signed-in browsers: opaque tokens whose hashes are in the database, so that ending one takes effect at once."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.db.engine import Sessions
from cloud.people.accounts import check_password
from cloud.people.models import User, WebSession

LIFE = timedelta(hours=12)
IDLE = timedelta(hours=2)
"""A working day at most, and nobody's screen stays open over a long break (OWASP ASVS 5.0, 7.3)."""

SEEN_EVERY = timedelta(minutes=1)
TOKEN_BYTES = 32

Draw = Callable[[int], bytes]
"""That many random bytes."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """`token` goes into the cookie and is nowhere else; `csrf` into the session's forms."""

    token: str
    csrf: str
    user: User


async def sign_in(
    sessions: Sessions, *, login: str, password: str, now: datetime, draw: Draw = secrets.token_bytes
) -> SignedIn:
    """A new session. Raises SignInRefused."""
    user = await check_password(sessions, login=login, password=password, now=now)
    token, csrf = _text(draw(TOKEN_BYTES)), _text(draw(TOKEN_BYTES))
    async with sessions.write() as session:
        await session.execute(delete(WebSession).where(WebSession.expires_at <= now))
        session.add(
            WebSession(token_hash=_hash(token), user_id=user.id, csrf=csrf, created_at=now, seen_at=now, expires_at=now + LIFE)
        )
    return SignedIn(token, csrf, user)


async def session_of(session: AsyncSession, token: str, now: datetime) -> WebSession | None:
    """The live session of a cookie's token, with its user; None when over, idle too long, or the user is not active."""
    row = await session.scalar(select(WebSession).where(WebSession.token_hash == _hash(token)))
    if row is None or now >= row.expires_at or now - row.seen_at >= IDLE or not row.user.active:
        return None
    return row


def is_due(row: WebSession, now: datetime) -> bool:
    """Whether `touch` is worth a write."""
    return now - row.seen_at >= SEEN_EVERY


async def touch(sessions: Sessions, row: WebSession, now: datetime) -> None:
    """Note that the session is in use."""
    async with sessions.write() as session:
        stored = await session.get(WebSession, row.token_hash)
        if stored is not None:
            stored.seen_at = now


async def sign_out(sessions: Sessions, token: str) -> None:
    """End one session; ending one that is over is no error."""
    async with sessions.write() as session:
        await session.execute(delete(WebSession).where(WebSession.token_hash == _hash(token)))


def same_csrf(row: WebSession, given: str) -> bool:
    """Whether a form's secret is the session's, in constant time."""
    return hmac.compare_digest(row.csrf.encode(), given.encode())


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
