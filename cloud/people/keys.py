"""API keys: `Authorization: Bearer tbk_<prefix>_<secret>`. Shown once, kept as a hash, held to a rate."""

import hashlib
import hmac
import re
import secrets
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.db.engine import Sessions
from cloud.errors import NotFound, Refused
from cloud.kernel.access import Access
from cloud.kernel.actor import Actor, Taken
from cloud.kernel.events import append_event
from cloud.people.access import Who, access_of_key, check_reach, grants_of, held_access
from cloud.people.changing import locked_user
from cloud.people.models import ApiKey, ApiKeyRole
from cloud.people.roles import role_by_key

PREFIX_BYTES = 5
SECRET_BYTES = 32
"""256 bits need no slow hash: there is nothing to guess."""

MAX_NAME = 60
MAX_RATE = 6000
DEFAULT_RATE = 300
LONGEST_LIFE = timedelta(days=366)
USED_EVERY = timedelta(minutes=1)

MAX_WATCHED = 4096
"""Keys whose rate one process follows; the one used longest ago is forgotten first. A key is some hundred bytes."""

_KEY = re.compile(r"tbk_([0-9a-z]{10})_([0-9a-f]{64})")
_NO_SECRET = hashlib.sha256(b"nothing has this secret").hexdigest()
"""Compared with when the prefix is unknown, so that the answer takes as long as for a known one."""

Draw = Callable[[int], bytes]
"""That many random bytes."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key to be made: acting as a person (`login`), or with roles of its own as (key, site) pairs. One or the other."""

    name: str
    expires_at: datetime
    login: str | None = None
    roles: tuple[tuple[str, str], ...] = ()
    rate: int = DEFAULT_RATE


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """What a good key stands for."""

    row: ApiKey
    who: Who

    @property
    def access(self) -> Access:
        return self.who.access

    @property
    def actor(self) -> Actor:
        return self.who.actor


async def make_key(session: AsyncSession, new: NewKey, taken: Taken, *, draw: Draw = secrets.token_bytes) -> tuple[ApiKey, str]:
    """The key's row and its whole text, which nothing can show again. Raises Refused, NotFound, Forbidden `beyond_own`."""
    if not 0 < len(new.name.strip()) <= MAX_NAME:
        raise Refused("name_length", max=str(MAX_NAME))
    if not 0 < new.rate <= MAX_RATE:
        raise Refused("key_rate", max=str(MAX_RATE))
    if not taken.at < new.expires_at <= taken.at + LONGEST_LIFE:
        raise Refused("key_life", days=str(LONGEST_LIFE.days))
    if (new.login is None) == (not new.roles):
        raise Refused("key_for_whom")
    prefix, secret = draw(PREFIX_BYTES).hex(), draw(SECRET_BYTES).hex()
    row = ApiKey(
        prefix=prefix,
        secret_hash=_hash(secret),
        name=new.name.strip(),
        rate=new.rate,
        created_at=taken.at,
        created_by=taken.actor.name,
        expires_at=new.expires_at,
    )
    if new.login is not None:
        user = await locked_user(session, new.login)
        check_reach(taken, await held_access(session, user))
        row.user = user
    for key, site in dict.fromkeys(new.roles):
        role = await role_by_key(session, key)
        check_reach(taken, grants_of(role, site))
        row.roles.append(ApiKeyRole(role=role, site=site))
    session.add(row)
    holds = new.login or ", ".join(f"{key} @ {site}" if site else key for key, site in new.roles)
    changes = {"name": [None, row.name], "holds": [None, holds], "expires_at": [None, new.expires_at.isoformat()]}
    await append_event(session, taken, action="create", kind="api_key", ref=prefix, changes=changes)
    await session.flush()
    return row, f"tbk_{prefix}_{secret}"


async def revoke_key(session: AsyncSession, prefix: str, taken: Taken) -> None:
    """Shut a key for good; twice is no error. Raises NotFound."""
    row = await session.scalar(select(ApiKey).where(ApiKey.prefix == prefix).with_for_update(of=ApiKey))
    if row is None:
        raise NotFound("api_key", prefix)
    if row.revoked_at is None:
        row.revoked_at = taken.at
        changes = {"revoked_at": [None, taken.at.isoformat()]}
        await append_event(session, taken, action="revoke", kind="api_key", ref=prefix, changes=changes)
        await session.flush()


async def all_keys(session: AsyncSession) -> Sequence[ApiKey]:
    """Every key, the newest first."""
    return (await session.scalars(select(ApiKey).order_by(ApiKey.id.desc()))).all()


async def key_of(session: AsyncSession, header: str, now: datetime) -> KeyHolder | None:
    """Whom an `Authorization` header stands for; None when it is no key of ours, or one that is over, revoked or of a shut
    account. Which of these it was cannot be told from outside, by time neither."""
    found = _KEY.fullmatch(header.removeprefix("Bearer ").strip())
    prefix, secret = found.groups() if found and header.startswith("Bearer ") else ("", "")
    row = await session.scalar(select(ApiKey).where(ApiKey.prefix == prefix))
    right = hmac.compare_digest(_hash(secret), row.secret_hash if row is not None else _NO_SECRET)
    if row is None or not right or not is_live(row, now):
        return None
    access = await access_of_key(session, row)
    return KeyHolder(row, Who(_actor(row), access, row.prefix))


def is_live(row: ApiKey, now: datetime) -> bool:
    """Whether the key opens anything at this moment."""
    over = row.expires_at is not None and row.expires_at <= now
    return not over and row.revoked_at is None and (row.user is None or row.user.active)


async def note_use(sessions: Sessions, row: ApiKey, now: datetime) -> None:
    """Keep when the key was last used, at most once a minute."""
    if row.last_used_at is not None and now - row.last_used_at < USED_EVERY:
        return
    async with sessions.write() as session:
        stored = await session.get(ApiKey, row.id)
        if stored is not None:
            stored.last_used_at = now


class Rates:
    """How often each key was used lately: as many at once as it may in a minute, then evenly (a bucket that fills up).

    Counted by each process for itself: with n processes a key gets up to n times its rate.
    """

    def __init__(self) -> None:
        self._left: OrderedDict[str, tuple[float, datetime]] = OrderedDict()

    def take(self, prefix: str, rate: int, now: datetime) -> float:
        """0 when the request may go on, else the seconds to wait."""
        left, at = self._left.pop(prefix, (float(rate), now))
        left = min(float(rate), left + max(0.0, (now - at).total_seconds()) * rate / 60)
        wait = 0.0 if left >= 1 else (1 - left) * 60 / rate
        self._left[prefix] = (left - 1 if wait == 0 else left, now)
        if len(self._left) > MAX_WATCHED:
            self._left.popitem(last=False)
        return wait


def _actor(row: ApiKey) -> Actor:
    # A login has no colon, so a key by itself can never be taken for a person.
    return Actor.user(row.user.login, row.user.role) if row.user is not None else Actor.user(f"key:{row.prefix}", "")


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
