"""What is done to an account after it was made: passwords, PINs, badges, names, and shutting it. Each is an event.

Whoever changes how somebody gets in could get in as them: all of it needs permissions that reach as far as theirs.
"""

import asyncio
import hashlib
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.db.engine import Sessions
from cloud.db.settings_table import Setting
from cloud.errors import Conflict, NotFound, Refused
from cloud.kernel.actor import Actor, Taken
from cloud.kernel.events import append_event
from cloud.people import tickets
from cloud.people.access import check_reach, held_access
from cloud.people.accounts import check_name, check_new_password, check_password, check_pin, free_mail, hash_secret
from cloud.people.models import User, WebSession
from cloud.people.roles import check_not_last_admin, lock_admins

RESET_LIFE = timedelta(hours=24)
"""A link that an admin hands over in person or by phone is used the same day."""

BADGE_SALT = "badge_salt"
_BADGE = re.compile(r"[\x21-\x7e]{4,128}")

Draw = Callable[[int], bytes]
"""That many random bytes."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known of a person beside secrets and roles."""

    name: str
    locale: str
    mail: str | None = None
    phone: str | None = None


async def locked_user(session: AsyncSession, login: str) -> User:
    """The person, their row locked until the transaction ends. Raises NotFound."""
    user = await session.scalar(
        select(User).where(User.login == login).with_for_update(of=User).execution_options(populate_existing=True)
    )
    if user is None:
        raise NotFound("user", login)
    return user


async def set_profile(session: AsyncSession, login: str, profile: Profile, taken: Taken) -> None:
    """Change name, language, mail and phone. Raises Refused, Conflict `mail_taken`."""
    user = await managed_user(session, login, taken)
    check_name(profile.name)
    new: dict[str, Any] = {
        "name": profile.name.strip(),
        "locale": profile.locale,
        "mail": await free_mail(session, profile.mail, besides=user),
        "phone": (profile.phone or "").strip()[:40] or None,
    }
    changes = {field: [getattr(user, field), value] for field, value in new.items() if getattr(user, field) != value}
    if not changes:
        return
    for field, value in new.items():
        setattr(user, field, value)
    await _log(session, user, taken, "change", changes)


async def set_password(
    session: AsyncSession, login: str, password: str | None, taken: Taken, *, must_change: bool = True
) -> None:
    """Give somebody a password (None: take it away). Their sessions end. Raises Refused, Forbidden `beyond_own`."""
    await _set_password(session, await managed_user(session, login, taken), password, taken, must_change=must_change)


async def change_own_password(
    sessions: Sessions, login: str, old: str, new: str, taken: Taken, *, keep: str | None = None
) -> None:
    """The person's own change: the old one has to be right, wrong ones count towards the lock. All sessions end but `keep` (its
    hash). Raises SignInRefused, Refused."""
    await check_password(sessions, login=login, password=old, now=taken.at, action="prove", request_id=taken.request_id)
    if old == new:
        raise Refused("password_same")
    async with sessions.write() as session:
        await _set_password(session, await locked_user(session, login), new, taken, must_change=False, keep=keep)


async def offer_new_password(session: AsyncSession, login: str, taken: Taken, *, draw: Draw = secrets.token_bytes) -> str:
    """The secret of a link under which the person sets a new password, once, within a day. A new one voids those before."""
    user = await managed_user(session, login, taken)
    secret = draw(24).hex()
    await tickets.void(session, "new_password", user.id)
    await tickets.issue(session, "new_password", secret, until=taken.at + RESET_LIFE, now=taken.at, user_id=user.id)
    await _log(session, user, taken, "offer_new_password", {})
    return secret


async def take_new_password(session: AsyncSession, secret: str, password: str, taken: Taken) -> User:
    """Set the password that a link was made for; it clears a lock-out. Raises Refused `link_over`, or the password's own."""
    found = await tickets.redeem(session, "new_password", secret, taken.at)
    user = None if found is None else await session.get(User, found.user_id, with_for_update=True)
    if user is None or not user.active:
        raise Refused("link_over")
    user.failures, user.locked_until = 0, None
    by = Taken(Actor.user(user.login, user.role), taken.at, request_id=taken.request_id)
    await _set_password(session, user, password, by, must_change=False)
    return user


async def set_pin(session: AsyncSession, login: str, pin: str | None, taken: Taken) -> None:
    """Give somebody a PIN for the boxes, or take it away."""
    user = await managed_user(session, login, taken)
    if pin is not None:
        check_pin(pin)
    had, user.pin_hash = user.pin_hash is not None, await hash_secret(pin)
    await _log(session, user, taken, "set_pin", {"pin": [had, pin is not None]})


async def set_badge(
    session: AsyncSession, login: str, code: str | None, taken: Taken, *, draw: Draw = secrets.token_bytes
) -> None:
    """Give somebody a badge by its code, or take it away. Raises Refused `badge_form`, Conflict `badge_taken`."""
    user = await managed_user(session, login, taken)
    had, hashed = user.badge_hash is not None, None
    if code is not None:
        if not _BADGE.fullmatch(code):
            raise Refused("badge_form")
        hashed = await _badge_hash(session, code, draw)
        if await session.scalar(select(User.id).where(User.badge_hash == hashed, User.id != user.id)) is not None:
            raise Conflict("badge_taken")
    user.badge_hash = hashed
    await _log(session, user, taken, "set_badge", {"badge": [had, code is not None]})


async def user_by_badge(session: AsyncSession, code: str) -> User | None:
    """The active person whose badge this is."""
    salt = await session.get(Setting, BADGE_SALT)
    if salt is None or not _BADGE.fullmatch(code):
        return None
    hashed = await _scrypt(code, salt.value)
    found: User | None = await session.scalar(select(User).where(User.badge_hash == hashed, User.active))
    return found


async def unlock(session: AsyncSession, login: str, taken: Taken) -> None:
    """Let somebody who mistyped too often try again at once."""
    user = await managed_user(session, login, taken)
    if user.failures == 0 and user.locked_until is None:
        return
    before, user.failures, user.locked_until = user.failures, 0, None
    await _log(session, user, taken, "unlock", {"failures": [before, 0]})


async def set_active(session: AsyncSession, login: str, taken: Taken, *, active: bool) -> None:
    """Shut an account, or open it again: while it is shut no sign-in, session or key of theirs works. Raises Refused
    `last_admin`."""
    await lock_admins(session)
    user = await managed_user(session, login, taken)
    if user.active == active:
        return
    if not active:
        await check_not_last_admin(session, user)
    user.active = active
    await end_sessions(session, user)
    await _log(session, user, taken, "restore" if active else "archive", {"active": [not active, active]})


async def end_sessions(session: AsyncSession, user: User, *, keep: str | None = None) -> int:
    """Sign somebody out everywhere but in the session of the hash `keep`; gives how many ended."""
    where = [WebSession.user_id == user.id] if keep is None else [WebSession.user_id == user.id, WebSession.token_hash != keep]
    ended = (await session.scalars(delete(WebSession).where(*where).returning(WebSession.token_hash))).all()
    return len(ended)


async def sign_out_everywhere(session: AsyncSession, login: str, taken: Taken, *, keep: str | None = None) -> int:
    """The same, as an act of its own that is logged."""
    user = await managed_user(session, login, taken)
    count = await end_sessions(session, user, keep=keep)
    await _log(session, user, taken, "sign_out_everywhere", {"sessions": [count, 0]})
    return count


async def managed_user(session: AsyncSession, login: str, taken: Taken) -> User:
    """The person, locked as by `locked_user`, whom the actor may manage. Raises NotFound, Forbidden `beyond_own`."""
    user = await locked_user(session, login)
    check_reach(taken, await held_access(session, user))
    return user


async def _set_password(
    session: AsyncSession, user: User, password: str | None, taken: Taken, *, must_change: bool, keep: str | None = None
) -> None:
    if password is not None:
        check_new_password(password, user.login, user.name)
    had, user.password_hash = user.password_hash is not None, await hash_secret(password)
    user.must_change_password = must_change and password is not None
    await tickets.void(session, "new_password", user.id)
    await end_sessions(session, user, keep=keep)
    await _log(session, user, taken, "set_password", {"password": [had, password is not None]})


async def _badge_hash(session: AsyncSession, code: str, draw: Draw) -> str:
    row = await session.get(Setting, BADGE_SALT, with_for_update=True)
    if row is None:
        row = Setting(key=BADGE_SALT, value=draw(16).hex())
        session.add(row)
        await session.flush()
    return await _scrypt(code, row.value)


async def _scrypt(code: str, salt: str) -> str:
    # 16 MiB and some 50 ms a try (RFC 7914, 2): badges are short, and one salt serves all of them so that one can be looked up.
    made = await asyncio.to_thread(hashlib.scrypt, code.encode(), salt=bytes.fromhex(salt), n=2**14, r=8, p=1, dklen=32)
    return made.hex()


async def _log(session: AsyncSession, user: User, taken: Taken, action: str, changes: dict[str, Any]) -> None:
    await append_event(session, taken, action=action, kind="user", ref=user.login, changes=changes)
    await session.flush()
