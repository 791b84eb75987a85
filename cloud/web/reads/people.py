"""What the pages of people and keys show."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.errors import NotFound
from cloud.masters.models import Site
from cloud.people.accounts import user_by_login
from cloud.people.keys import is_live
from cloud.people.models import ApiKey, Passkey, RoleRow, User, UserRole
from cloud.people.passkeys import passkeys_of
from cloud.people.roles import held_by
from cloud.people.sessions import handle, live_sessions
from cloud.web.i18n import Locale

SHOWN = 200
"""People on one page; the search narrows the rest."""


@dataclass(frozen=True, slots=True)
class Label:
    """A role by its key and what it is called in both languages."""

    key: str
    en: str
    he: str

    def in_(self, locale: Locale) -> str:
        return self.he if locale == "he" else self.en


@dataclass(frozen=True, slots=True)
class Held:
    """A role at a site, `""` everywhere."""

    role: Label
    site: str


@dataclass(frozen=True, slots=True)
class PersonRow:
    """One line of the list."""

    login: str
    name: str
    role: Label
    others: int
    """Further roles held."""
    active: bool
    locked_until: datetime | None
    ways: tuple[str, ...]
    """Of `password`, `pin`, `badge`, `provider`: what is set."""


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A signed-in browser."""

    handle: str
    device: str
    method: str
    created_at: datetime
    seen_at: datetime
    here: bool


@dataclass(frozen=True, slots=True)
class Person:
    """One account with all that hangs on it."""

    user: User
    row: PersonRow
    held: tuple[Held, ...]
    sessions: tuple[SessionRow, ...]
    passkeys: Sequence[Passkey]
    keys: Sequence[ApiKey]


async def labels(session: AsyncSession) -> dict[str, Label]:
    """Every role's names by its key."""
    rows = await session.execute(
        select(RoleRow.key, RoleRow.label_en, RoleRow.label_he).order_by(RoleRow.builtin.desc(), RoleRow.id)
    )
    return {key: Label(key, en, he) for key, en, he in rows}


async def sites(session: AsyncSession) -> Sequence[str]:
    """Codes of all sites."""
    return (await session.scalars(select(Site.code).order_by(Site.code))).all()


async def list_people(session: AsyncSession, text: str, now: datetime) -> tuple[PersonRow, ...]:
    """People whose login, name or mail holds the text; those who are active first."""
    wanted = select(User).order_by(User.active.desc(), User.login).limit(SHOWN)
    if text:
        like = [column.icontains(text, autoescape=True) for column in (User.login, User.name, User.mail)]
        wanted = wanted.where(or_(*like))
    users = (await session.scalars(wanted)).all()
    counted = select(UserRole.user_id, func.count()).where(UserRole.user_id.in_([user.id for user in users]))
    counts = {user: count for user, count in await session.execute(counted.group_by(UserRole.user_id))}  # noqa: C416
    names = await labels(session)
    return tuple(_row(user, names, counts.get(user.id, 1) - 1, now) for user in users)


async def read_person(session: AsyncSession, login: str, now: datetime, *, here: str = "") -> Person:
    """One account; `here` is the hash of the asking session. Raises NotFound."""
    user = await user_by_login(session, login)
    if user is None:
        raise NotFound("user", login)
    names = await labels(session)
    held = tuple(Held(names[each.role.key], each.site) for each in await held_by(session, user))
    open_ones = tuple(
        SessionRow(handle(each), each.device, each.method, each.created_at, each.seen_at, each.token_hash == here)
        for each in await live_sessions(session, user, now)
    )
    keys = (await session.scalars(select(ApiKey).where(ApiKey.user_id == user.id).order_by(ApiKey.id.desc()))).all()
    live = [key for key in keys if is_live(key, now)]
    return Person(user, _row(user, names, len(held) - 1, now), held, open_ones, await passkeys_of(session, user), live)


def _row(user: User, names: dict[str, Label], others: int, now: datetime) -> PersonRow:
    given = {
        "password": user.password_hash,
        "pin": user.pin_hash,
        "badge": user.badge_hash,
        "provider": user.oidc_subject,
    }
    locked = user.locked_until if user.locked_until is not None and user.locked_until > now else None
    role = names.get(user.role, Label(user.role, user.role, user.role))
    return PersonRow(
        user.login, user.name, role, others, user.active, locked, tuple(name for name, value in given.items() if value)
    )
