"""Signed-in browsers: opaque tokens whose hashes are in the database, so that ending one takes effect at once."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.db.engine import Sessions
from cloud.kernel.actor import Taken
from cloud.kernel.events import append_event
from cloud.people.accounts import check_password
from cloud.people.models import User, WebSession
from sync_protocol.wiretext import clean

LIFE = timedelta(hours=12)
IDLE = timedelta(hours=2)
"""A working day at most, and nobody's screen stays open over a long break (OWASP ASVS 5.0, 7.3)."""

SEEN_EVERY = timedelta(minutes=1)
TOKEN_BYTES = 32

Draw = Callable[[int], bytes]
"""That many random bytes."""


PROOF_LIFE = timedelta(minutes=10)
"""What is dangerous (handing out permissions, making keys) asks who one is unless that was shown so shortly ago."""

MAX_DEVICE = 200
Method = Literal["password", "passkey", "provider"]


@dataclass(frozen=True, slots=True)
class SignedIn:
    """`token` goes into the cookie and is nowhere else; `csrf` into the session's forms."""

    token: str
    csrf: str
    user: User


@dataclass(frozen=True, slots=True)
class Browser:
    """Where somebody signs in: what the browser calls itself, and the token of the session it had, which ends."""

    device: str = ""
    replaces: str | None = None


async def sign_in(
    sessions: Sessions,
    *,
    login: str,
    password: str,
    now: datetime,
    draw: Draw = secrets.token_bytes,
    browser: Browser = Browser(),
) -> SignedIn:
    """A new session by password. Raises SignInRefused."""
    user = await check_password(sessions, login=login, password=password, now=now)
    async with sessions.write() as session:
        return await open_session(session, user, now, method="password", draw=draw, browser=browser)


async def open_session(
    session: AsyncSession,
    user: User,
    now: datetime,
    *,
    method: Method,
    draw: Draw = secrets.token_bytes,
    browser: Browser = Browser(),
    proved: bool = True,
) -> SignedIn:
    """A new session for somebody who was recognised. Its token is always a new one: what the browser had before opens nothing
    (OWASP ASVS 5.0, 7.2.4)."""
    token, csrf = _text(draw(TOKEN_BYTES)), _text(draw(TOKEN_BYTES))
    over = WebSession.expires_at <= now
    await session.execute(
        delete(WebSession).where(
            over if browser.replaces is None else over | (WebSession.token_hash == hash_token(browser.replaces))
        )
    )
    row = WebSession(
        token_hash=hash_token(token),
        user_id=user.id,
        csrf=csrf,
        created_at=now,
        seen_at=now,
        expires_at=now + LIFE,
        device=clean(browser.device, MAX_DEVICE),
        method=method,
        proved_at=now if proved else None,
    )
    session.add(row)
    await session.flush()
    return SignedIn(token, csrf, user)


def recent_proof(row: WebSession, now: datetime) -> bool:
    """Whether the person behind the session showed who they are within the last ten minutes."""
    return row.proved_at is not None and now - row.proved_at < PROOF_LIFE


async def note_proof(session: AsyncSession, row: WebSession, now: datetime) -> None:
    """The person has just shown it again."""
    stored = await session.get(WebSession, row.token_hash)
    if stored is not None:
        stored.proved_at = now


async def live_sessions(session: AsyncSession, user: User, now: datetime) -> Sequence[WebSession]:
    """The person's open sessions, the one used last first."""
    rows = await session.scalars(
        select(WebSession)
        .where(WebSession.user_id == user.id, WebSession.expires_at > now, WebSession.seen_at > now - IDLE)
        .order_by(WebSession.seen_at.desc())
    )
    return rows.all()


def handle(row: WebSession) -> str:
    """What a page calls a session: too short to find its token by, long enough to tell one person's sessions apart."""
    return row.token_hash[:16]


async def end_session(session: AsyncSession, user: User, name: str, taken: Taken) -> bool:
    """End one of a person's sessions by its `handle`; False where there is none."""
    mine = [WebSession.user_id == user.id, WebSession.token_hash.startswith(name, autoescape=True)]
    if (
        len(name) != len("0" * 16)
        or not (await session.scalars(delete(WebSession).where(*mine).returning(WebSession.device))).all()
    ):
        return False
    await append_event(session, taken, action="end_session", kind="user", ref=user.login)
    return True


async def session_of(session: AsyncSession, token: str, now: datetime) -> WebSession | None:
    """The live session of a cookie's token, with its user; None when over, idle too long, or the user is not active."""
    row = await session.scalar(select(WebSession).where(WebSession.token_hash == hash_token(token)))
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
        await session.execute(delete(WebSession).where(WebSession.token_hash == hash_token(token)))


def same_csrf(row: WebSession, given: str) -> bool:
    """Whether a form's secret is the session's, in constant time."""
    return hmac.compare_digest(row.csrf.encode(), given.encode())


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def hash_token(token: str) -> str:
    """What the table holds of a token."""
    return hashlib.sha256(token.encode()).hexdigest()
