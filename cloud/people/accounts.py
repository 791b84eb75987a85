"""Accounts: making them, and checking passwords with a growing delay after repeated mistakes."""

import asyncio
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from pwdlib import PasswordHash
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.db.engine import Sessions
from cloud.errors import Conflict, Refused, SignInRefused
from cloud.kernel.actor import Actor, Taken
from cloud.kernel.events import UNKNOWN_ACTOR, append_event, record_refusal
from cloud.people.access import check_reach, grants_of
from cloud.people.models import User, UserRole
from cloud.people.roles import role_by_key

FREE_TRIES = 5
FIRST_DELAY = timedelta(seconds=30)
LONGEST_DELAY = timedelta(minutes=15)
"""After 5 wrong passwords 30 s, then double each time: a person loses minutes, a guesser gets about a hundred tries a day."""

MIN_PASSWORD = 8
MAX_PASSWORD = 256
"""NIST SP 800-63B-4, 3.1.1.2: 8 at least beside a second factor, long ones allowed; the cap keeps hashing cheap."""

MAX_NAME = 120

_LOGIN = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_PIN = re.compile(r"[0-9]{4,6}")
_MAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,190}")

_hashing = PasswordHash.recommended()
_NOBODY = _hashing.hash("nobody has this password")
"""Verified against when the login is unknown, so that the answer takes as long as for a known one."""


@dataclass(frozen=True, slots=True)
class NewUser:
    """A person to be added; `role` is the key of the main one. Without password no staff pages; without PIN (4 to 6 digits) no
    box."""

    login: str
    name: str
    role: str
    password: str | None = None
    pin: str | None = None
    locale: str = "he"
    mail: str | None = None
    phone: str | None = None
    must_change: bool = False
    """Whether the password was chosen by somebody else."""


async def create_user(session: AsyncSession, new: NewUser, taken: Taken) -> User:
    """Add a person, who holds the main role everywhere. Raises Refused for a login, password or PIN of the wrong form, Conflict
    when the login is taken, NotFound for the role, Forbidden for one that allows more than the actor may."""
    if not _LOGIN.fullmatch(new.login):
        raise Refused("login_form")
    check_name(new.name)
    if new.password is not None:
        check_new_password(new.password, new.login, new.name)
    if new.pin is not None:
        check_pin(new.pin)
    role = await role_by_key(session, new.role)
    check_reach(taken, grants_of(role))
    if await user_by_login(session, new.login) is not None:
        raise Conflict("login_taken", login=new.login)
    user = User(
        login=new.login,
        name=new.name.strip(),
        role=role.key,
        locale=new.locale,
        active=True,
        failures=0,
        password_hash=await hash_secret(new.password),
        pin_hash=await hash_secret(new.pin),
        must_change_password=new.must_change,
        mail=await free_mail(session, new.mail),
        phone=(new.phone or "").strip() or None,
    )
    user.roles = [UserRole(role=role)]
    session.add(user)
    await append_event(session, taken, action="create", kind="user", ref=new.login, changes={"role": [None, str(new.role)]})
    await session.flush()
    return user


def check_name(name: str) -> None:
    """Raises Refused `name_length`."""
    if not 0 < len(name.strip()) <= MAX_NAME:
        raise Refused("name_length", max=str(MAX_NAME))


def check_new_password(password: str, login: str, name: str) -> None:
    """Raises Refused `password_length`, or `password_known` for the login or the name with only digits and signs around it."""
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise Refused("password_length", min=str(MIN_PASSWORD), max=str(MAX_PASSWORD))
    letters = _letters(password)
    known = {_letters(login), _letters(name), *(_letters(part) for part in name.split())}
    if letters and any(word and not letters.replace(word, "") for word in known):
        raise Refused("password_known")


def check_pin(pin: str) -> None:
    """Raises Refused `pin_form`."""
    if not _PIN.fullmatch(pin):
        raise Refused("pin_form")


async def free_mail(session: AsyncSession, mail: str | None, *, besides: User | None = None) -> str | None:
    """The address in the form that is stored; None for none. Raises Refused `mail_form`, Conflict `mail_taken`."""
    text = (mail or "").strip().lower()
    if not text:
        return None
    if not _MAIL.fullmatch(text):
        raise Refused("mail_form")
    found = await session.scalar(select(User.id).where(User.mail == text))
    if found is not None and (besides is None or found != besides.id):
        raise Conflict("mail_taken", mail=text)
    return text


def _letters(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalpha())


async def user_by_login(session: AsyncSession, login: str) -> User | None:
    """The person of this login, active or not."""
    return await session.scalar(select(User).where(User.login == login))


async def check_password(
    sessions: Sessions, *, login: str, password: str, now: datetime, action: str = "sign_in", request_id: str | None = None
) -> User:
    """The person whose password this is. Raises SignInRefused `wrong`, or `locked` with `until` (ISO time).

    Wrong tries are counted and logged before the refusal leaves; one right password clears the count and is logged as `action`.
    """
    async with sessions.read() as session:
        user = await user_by_login(session, login)
    locked = _locked(user, now)
    # Hashed outside any transaction: it takes tens of milliseconds, and SQLite has one writer.
    known = user.password_hash if user is not None and user.active and user.password_hash else None
    right = locked is None and await asyncio.to_thread(_hashing.verify, password[:MAX_PASSWORD], known or _NOBODY)
    async with sessions.write() as session:
        settled = await _settle(session, login, now, right=right and known is not None, action=action, request_id=request_id)
    if isinstance(settled, SignInRefused):
        raise settled
    return settled


async def _settle(
    session: AsyncSession, login: str, now: datetime, *, right: bool, action: str = "sign_in", request_id: str | None = None
) -> User | SignInRefused:
    user = await session.scalar(select(User).where(User.login == login).with_for_update())
    if user is None:
        stranger = Taken(Actor("user", UNKNOWN_ACTOR, ""), now, request_id=request_id)
        await record_refusal(session, stranger, action="sign_in_wrong", kind="user", ref=login)
        return SignInRefused("wrong")
    taken = Taken(Actor.user(user.login, user.role), now, request_id=request_id)
    locked = _locked(user, now)
    if locked is not None:
        # A try that waited beside others for this row must not get past the lock that they caused.
        return SignInRefused("locked", until=locked.isoformat())
    if right:
        user.failures, user.locked_until = 0, None
        await append_event(session, taken, action=action, kind="user", ref=login)
        return user
    user.failures += 1
    if user.failures >= FREE_TRIES:
        user.locked_until = now + min(FIRST_DELAY * 2 ** min(user.failures - FREE_TRIES, 16), LONGEST_DELAY)
    await record_refusal(session, taken, action="sign_in_wrong", kind="user", ref=login)
    until = _locked(user, now)
    return SignInRefused("wrong") if until is None else SignInRefused("locked", until=until.isoformat())


async def hash_secret(secret: str | None) -> str | None:
    """Argon2id of a password or PIN, worked out beside the event loop."""
    return None if secret is None else await asyncio.to_thread(_hashing.hash, secret)


def _locked(user: User | None, now: datetime) -> datetime | None:
    until = user.locked_until if user is not None else None
    return until if until is not None and until > now else None
