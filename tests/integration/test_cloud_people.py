"""Accounts, sign-in with growing delays, and sessions."""

from datetime import datetime, timedelta

import pytest
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import select

from cloud.db.engine import Sessions
from cloud.errors import Conflict, Refused, SignInRefused
from cloud.kernel.actor import Actor, Taken
from cloud.kernel.models import Event
from cloud.people import accounts
from cloud.people.accounts import FIRST_DELAY, FREE_TRIES, LONGEST_DELAY, NewUser, check_password, create_user
from cloud.people.models import Role, User, WebSession
from cloud.people.sessions import IDLE, LIFE, same_csrf, session_of, sign_in, sign_out, touch

PASSWORD = "correct horse"
WRONG = "wrong guess"


@pytest.fixture(autouse=True)
def quick_hashing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same algorithm with its smallest cost."""
    quick = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1),))
    monkeypatch.setattr(accounts, "_hashing", quick)
    monkeypatch.setattr(accounts, "_NOBODY", quick.hash("nobody"))


@pytest.fixture
async def noa(sessions, clock) -> User:
    async with sessions.write() as session:
        new = NewUser("noa", "Noa", Role.SUPERVISOR, password=PASSWORD, pin="9876")
        return await create_user(session, new, Taken(Actor.system("test"), clock.now))


async def _try(sessions: Sessions, now: datetime, password: str = WRONG) -> str:
    try:
        await check_password(sessions, login="noa", password=password, now=now)
    except SignInRefused as exc:
        return exc.code
    return "in"


async def test_secrets_are_hashed_with_argon2id(noa: User) -> None:
    assert noa.password_hash is not None
    assert noa.pin_hash is not None
    assert noa.password_hash.startswith("$argon2id$")
    assert noa.pin_hash.startswith("$argon2id$")


@pytest.mark.parametrize(
    ("new", "code"),
    [
        (NewUser("No A", "x", Role.VIEWER), "login_form"),
        (NewUser("", "x", Role.VIEWER), "login_form"),
        (NewUser("a", "x", Role.VIEWER, password="short"), "password_length"),
        (NewUser("a", "x", Role.VIEWER, password="x" * 257), "password_length"),
        (NewUser("a", "x", Role.OPERATOR, pin="123"), "pin_form"),
        (NewUser("a", "x", Role.OPERATOR, pin="1234567"), "pin_form"),
        (NewUser("a", "x", Role.OPERATOR, pin="١٢٣٤"), "pin_form"),
    ],
)
async def test_account_of_the_wrong_form_is_refused(sessions, clock, new: NewUser, code: str) -> None:
    with pytest.raises(Refused, match=code):
        async with sessions.write() as session:
            await create_user(session, new, Taken(Actor.system("test"), clock.now))


async def test_login_is_given_once(sessions, clock, noa) -> None:
    with pytest.raises(Conflict, match="login_taken"):
        async with sessions.write() as session:
            await create_user(session, NewUser("noa", "Other", Role.VIEWER), Taken(Actor.system("test"), clock.now))


async def test_right_password_signs_in_and_the_cookie_opens_the_session(sessions, clock, noa) -> None:
    signed_in = await sign_in(sessions, login="noa", password=PASSWORD, now=clock.now)
    async with sessions.read() as session:
        row = await session_of(session, signed_in.token, clock.now)
        stored = (await session.scalars(select(WebSession))).one()
    assert row is not None
    assert (row.user.login, same_csrf(row, signed_in.csrf), same_csrf(row, "other")) == ("noa", True, False)
    assert signed_in.token not in (stored.token_hash, stored.csrf)


@pytest.mark.parametrize(("login", "password"), [("noa", "wrong guess"), ("ghost", PASSWORD), ("noa", ""), ("", "")])
async def test_wrong_password_and_unknown_login_look_the_same(sessions, clock, noa, login: str, password: str) -> None:
    with pytest.raises(SignInRefused) as caught:
        await sign_in(sessions, login=login, password=password, now=clock.now)
    assert (caught.value.code, caught.value.values) == ("wrong", {})


async def test_user_without_password_or_not_active_is_refused(sessions, clock, noa) -> None:
    async with sessions.write() as session:
        await create_user(session, NewUser("dana", "Dana", Role.OPERATOR, pin="1234"), Taken(Actor.system("t"), clock.now))
        (await session.get_one(User, noa.id)).active = False
    for login in ("dana", "noa"):
        with pytest.raises(SignInRefused, match="wrong"):
            await sign_in(sessions, login=login, password=PASSWORD, now=clock.now)


async def test_delay_begins_after_free_tries_doubles_and_is_capped(sessions, clock, noa) -> None:
    answers = [await _try(sessions, clock.now) for _ in range(FREE_TRIES)]
    assert answers == ["wrong"] * (FREE_TRIES - 1) + ["locked"]
    delay = FIRST_DELAY
    for _ in range(8):
        assert await _try(sessions, clock.now + delay - timedelta(seconds=1), PASSWORD) == "locked"
        clock.go(seconds=delay.total_seconds())
        assert await _try(sessions, clock.now) == "locked"
        delay = min(delay * 2, LONGEST_DELAY)
    clock.go(seconds=delay.total_seconds())
    assert await _try(sessions, clock.now, PASSWORD) == "in"
    assert await _try(sessions, clock.now) == "wrong"


async def test_refused_tries_are_in_the_log(sessions, clock, noa) -> None:
    await _try(sessions, clock.now)
    await _try(sessions, clock.now, PASSWORD)
    async with sessions.read() as session:
        rows = await session.execute(select(Event.action, Event.actor).where(Event.kind == "user").order_by(Event.id))
        assert [tuple(row) for row in rows] == [("create", "test"), ("sign_in_wrong", "noa"), ("sign_in", "noa")]


@pytest.mark.parametrize(
    ("later", "used_every", "alive"),
    [
        (IDLE - timedelta(seconds=1), None, True),
        (IDLE, None, False),
        (LIFE - timedelta(seconds=1), timedelta(hours=1), True),
        (LIFE, timedelta(hours=1), False),
    ],
)
async def test_session_ends_when_idle_or_old(sessions, clock, noa, later, used_every, alive: bool) -> None:
    signed_in = await sign_in(sessions, login="noa", password=PASSWORD, now=clock.now)
    end = clock.now + later
    while used_every is not None and clock.now + used_every < end:
        clock.now += used_every
        async with sessions.read() as session:
            row = await session_of(session, signed_in.token, clock.now)
        assert row is not None
        await touch(sessions, row, clock.now)
    async with sessions.read() as session:
        assert (await session_of(session, signed_in.token, end) is not None) is alive


async def test_signing_out_ends_the_session_at_once_and_twice_is_no_error(sessions, clock, noa) -> None:
    signed_in = await sign_in(sessions, login="noa", password=PASSWORD, now=clock.now)
    for _ in range(2):
        await sign_out(sessions, signed_in.token)
    async with sessions.read() as session:
        assert await session_of(session, signed_in.token, clock.now) is None


async def test_disabled_user_loses_open_sessions(sessions, clock, noa) -> None:
    signed_in = await sign_in(sessions, login="noa", password=PASSWORD, now=clock.now)
    async with sessions.write() as session:
        (await session.get_one(User, noa.id)).active = False
    async with sessions.read() as session:
        assert await session_of(session, signed_in.token, clock.now) is None


async def test_old_sessions_are_thrown_away_when_somebody_signs_in(sessions, clock, noa) -> None:
    await sign_in(sessions, login="noa", password=PASSWORD, now=clock.now)
    clock.go(seconds=LIFE.total_seconds())
    await sign_in(sessions, login="noa", password=PASSWORD, now=clock.now)
    async with sessions.read() as session:
        assert len(list(await session.scalars(select(WebSession)))) == 1


async def test_right_guess_that_waited_while_others_locked_the_account_does_not_get_in(sessions, clock, noa) -> None:
    for _ in range(FREE_TRIES):
        await _try(sessions, clock.now)
    async with sessions.write() as session:
        settled = await accounts._settle(session, "noa", clock.now, right=True)
    assert isinstance(settled, SignInRefused)
    assert settled.code == "locked"
