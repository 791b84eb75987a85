"""Roles, secrets, keys and sessions of people, through the services that change them."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.db.engine import Sessions
from cloud.errors import Conflict, Forbidden, NotFound, Refused, SignInRefused
from cloud.kernel.access import Access, Grant, Way
from cloud.kernel.actor import Actor, Taken
from cloud.kernel.models import Event
from cloud.people import accounts, changing, keys, roles, tickets
from cloud.people.access import access_of
from cloud.people.accounts import NewUser, check_password, create_user, user_by_login
from cloud.people.builtin import BUILTIN, Allowed
from cloud.people.models import Role, User, UserRole, WebSession
from cloud.people.sessions import Browser, end_session, handle, live_sessions, note_proof, recent_proof, session_of, sign_in
from tests.integration.conftest import TurnedClock

PASSWORD = "correct horse"
ROOT = Actor.user("root", "admin")

Do = Callable[..., Awaitable[Any]]


@pytest.fixture(autouse=True)
def quick_hashing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same algorithm with its smallest cost."""
    quick = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1),))
    monkeypatch.setattr(accounts, "_hashing", quick)
    monkeypatch.setattr(accounts, "_NOBODY", quick.hash("nobody"))


@pytest.fixture
def taken(clock: TurnedClock) -> Taken:
    return Taken(ROOT, clock.now, access=Access.all())


@pytest.fixture
def do(sessions: Sessions, taken: Taken) -> Do:
    """Run one service call in a transaction of its own."""

    async def run(service: Callable[..., Awaitable[Any]], *args: Any, **named: Any) -> Any:
        async with sessions.write() as session:
            found = [await _fresh(session, each) if isinstance(each, User) else each for each in args]
            return await service(session, *found, **{"taken": taken, **named})

    return run


async def _fresh(session: AsyncSession, user: User) -> User:
    return await session.get_one(User, user.id)


@pytest.fixture
async def root(do: Do) -> User:
    user: User = await do(create_user, NewUser("root", "Root", Role.ADMIN, password=PASSWORD))
    return user


@pytest.fixture
async def noa(do: Do, root: User) -> User:
    user: User = await do(create_user, NewUser("noa", "Noa Barak", Role.SUPERVISOR, password=PASSWORD))
    return user


async def _access(sessions: Sessions, login: str) -> Access:
    async with sessions.read() as session:
        user = await user_by_login(session, login)
        assert user is not None
        return await access_of(session, user)


async def _as(sessions: Sessions, clock: TurnedClock, login: str) -> Taken:
    """Taken by that person, with what they may do."""
    return Taken(Actor.user(login, ""), clock.now, access=await _access(sessions, login))


async def test_migration_brings_the_roles_of_the_table(sessions: Sessions) -> None:
    async with sessions.read() as session:
        rows = {row.key: row for row in await roles.all_roles(session)}
    assert {one.key: set(one.grants) for one in BUILTIN} == {
        key: {Allowed(each.kind, each.action, each.scope, each.mask) for each in row.grants} for key, row in rows.items()
    }
    assert all(row.builtin for row in rows.values())


async def test_person_without_roles_or_shut_out_may_nothing(sessions: Sessions, do: Do, noa: User) -> None:
    assert (await _access(sessions, "noa")).may("receipt", "read")
    await do(changing.set_active, "noa", active=False)
    assert (await _access(sessions, "noa")).grants == ()


async def test_role_held_at_a_site_allows_only_there(sessions: Sessions, do: Do, noa: User) -> None:
    await do(roles.give_role, noa, Role.TECHNICIAN, site="galil")
    await do(roles.give_role, noa, Role.TECHNICIAN, site="galil")
    assert (await _access(sessions, "noa")).ways("device", "write") == (Way(site="galil"),)
    await do(roles.take_role, noa, Role.TECHNICIAN, site="galil")
    assert (await _access(sessions, "noa")).ways("device", "write") == ()


async def test_last_admin_stays(do: Do, sessions: Sessions, root: User, noa: User) -> None:
    async def refused(service: Callable[..., Awaitable[Any]], *args: Any, **named: Any) -> None:
        with pytest.raises(Refused, match="last_admin"):
            await do(service, *args, **named)

    await refused(roles.take_role, root, Role.ADMIN)
    await refused(changing.set_active, "root", active=False)
    await do(changing.set_active, "noa", active=False)
    await do(roles.give_role, noa, Role.ADMIN)
    await refused(changing.set_active, "root", active=False)
    await do(changing.set_active, "noa", active=True)
    await do(roles.give_role, root, Role.VIEWER)
    await do(roles.set_main_role, root, Role.VIEWER)
    await do(roles.take_role, root, Role.ADMIN)
    await refused(changing.set_active, "noa", active=False)


async def test_main_role_is_always_among_the_held_ones(do: Do, sessions: Sessions, noa: User) -> None:
    with pytest.raises(Refused, match="main_role"):
        await do(roles.take_role, noa, Role.SUPERVISOR)
    await do(roles.give_role, noa, Role.SUPERVISOR, site="galil")
    await do(roles.take_role, noa, Role.SUPERVISOR)
    assert (await _access(sessions, "noa")).ways("receipt", "read") == (Way(site="galil"),)
    await do(roles.set_main_role, noa, Role.QUALITY)
    async with sessions.read() as session:
        held = {(row.role.key, row.site) for row in await session.scalars(select(UserRole).where(UserRole.user_id == noa.id))}
        assert ((await session.get_one(User, noa.id)).role, held) == ("quality", {("supervisor", "galil"), ("quality", "")})


BEYOND: dict[str, Callable[[Do, Taken, User], Awaitable[Any]]] = {
    "give": lambda do, by, root: do(roles.give_role, root, Role.ADMIN, taken=by, site="galil"),
    "take": lambda do, by, root: do(roles.take_role, root, Role.ADMIN, taken=by),
    "create": lambda do, by, _: do(create_user, NewUser("eve", "Eve", Role.ADMIN), taken=by),
    "password": lambda do, by, _: do(changing.set_password, "root", "a longer one", taken=by),
    "link": lambda do, by, _: do(changing.offer_new_password, "root", taken=by),
    "pin": lambda do, by, _: do(changing.set_pin, "root", "4711", taken=by),
    "badge": lambda do, by, _: do(changing.set_badge, "root", "B-0001", taken=by),
    "mail": lambda do, by, _: do(changing.set_profile, "root", changing.Profile("R", "en", "eve@x.example"), taken=by),
    "shut": lambda do, by, _: do(changing.set_active, "root", taken=by, active=False),
    "grants": lambda do, by, _: do(roles.change_role, "viewer", ("V", "צ"), [Allowed("*", "read")], taken=by),
    "key": lambda do, by, _: do(keys.make_key, keys.NewKey("k", by.at + timedelta(days=1), login="root"), taken=by),
    "key roles": lambda do, by, _: do(
        keys.make_key, keys.NewKey("k", by.at + timedelta(days=1), roles=(("admin", "galil"),)), taken=by
    ),
}


async def test_nobody_hands_out_or_takes_over_more_than_their_own(sessions: Sessions, clock, do: Do, noa: User) -> None:
    root, by = await _user(sessions, "root"), await _as(sessions, clock, "noa")
    for tried in BEYOND.values():
        with pytest.raises(Forbidden, match="beyond_own"):
            await tried(do, by, root)


async def _user(sessions: Sessions, login: str) -> User:
    async with sessions.read() as session:
        user = await user_by_login(session, login)
        assert user is not None
        return user


async def test_own_role_is_made_granted_held_and_removed(do: Do, sessions: Sessions, noa: User) -> None:
    await do(roles.create_role, "buyer", ("Buyer", "קניין"))
    wanted = [Allowed("purchase_order", "read", "total < 1000", "-price"), Allowed("party", "read")]
    await do(roles.change_role, "buyer", ("Buyer", "קניינית"), wanted, version=1)
    with pytest.raises(Conflict):
        await do(roles.change_role, "buyer", ("x", "y"), [], version=1)
    await do(roles.give_role, noa, "buyer")
    access = await _access(sessions, "noa")
    assert Way(("total < 1000",), Grant("", "", "").mask.parse("-price")) in access.ways("purchase_order", "read")
    with pytest.raises(Refused, match="role_held"):
        await do(roles.remove_role, "buyer")
    await do(roles.take_role, noa, "buyer")
    await do(roles.remove_role, "buyer")
    with pytest.raises(NotFound):
        await do(roles.give_role, noa, "buyer")
    async with sessions.read() as session:
        rows = await session.execute(select(Event.action, Event.changes).where(Event.kind == "role").order_by(Event.id))
        logged = [tuple(row) for row in rows]
    assert [action for action, _ in logged] == ["create", "change", "remove"]
    assert logged[1][1]["grants"] == [[], ["purchase_order | read | total < 1000 | -price", "party | read"]]


WRONG_GRANTS = [
    (Allowed("Party", "read"), "grant_kind"),
    (Allowed("party", "destroy"), "grant_action"),
    (Allowed("party", "transition:"), "grant_action"),
    (Allowed("party", "read", "1 +"), "grant_scope"),
    (Allowed("party", "read", "x" * 501), "grant_scope"),
    (Allowed("party", "read", "", "a;b"), "grant_mask"),
]


async def test_grant_of_the_wrong_form_is_refused(do: Do, root: User) -> None:
    for grant, code in WRONG_GRANTS:
        with pytest.raises(Refused, match=code):
            await do(roles.change_role, "viewer", ("V", "צ"), [grant])


WRONG_CHANGES: list[tuple[Callable[[Do], Awaitable[Any]], str]] = [
    (lambda do: do(roles.remove_role, "viewer"), "role_builtin"),
    (lambda do: do(roles.change_role, "admin", ("A", "מ"), [Allowed("party", "read")]), "admin_is_fixed"),
    (lambda do: do(roles.change_role, "viewer", ("", "צ"), []), "label_length"),
    (
        lambda do: do(roles.change_role, "viewer", ("V", "צ"), [Allowed("a", "read", "", "x"), Allowed("a", "read")]),
        "grant_twice",
    ),
    (lambda do: do(roles.create_role, "Up", ("U", "ל")), "role_key_form"),
    (lambda do: do(roles.create_role, "admin", ("U", "ל")), "role_taken"),
]


async def test_roles_of_the_program_and_their_names_are_kept(do: Do, root: User) -> None:
    for call, code in WRONG_CHANGES:
        with pytest.raises(Refused, match=code):
            await call(do)


async def test_own_name_is_no_password(do: Do, noa: User) -> None:
    for password in ("noanoanoa", "Noa-2026-11", "barak1234", "NoaBarak!"):
        with pytest.raises(Refused, match="password_known"):
            await do(changing.set_password, "noa", password)


async def test_password_set_by_somebody_else_must_be_changed_and_ends_sessions(
    sessions: Sessions, clock, do: Do, noa: User
) -> None:
    signed = await sign_in(sessions, login="noa", password=PASSWORD, now=clock.now)
    await do(changing.set_password, "noa", "handed over")
    async with sessions.read() as session:
        assert await session_of(session, signed.token, clock.now) is None
    assert (await check_password(sessions, login="noa", password="handed over", now=clock.now)).must_change_password


async def test_own_change_asks_the_old_password_and_keeps_this_session(sessions: Sessions, clock, noa: User) -> None:
    here = await sign_in(sessions, login="noa", password=PASSWORD, now=clock.now)
    there = await sign_in(sessions, login="noa", password=PASSWORD, now=clock.now)
    by = await _as(sessions, clock, "noa")
    with pytest.raises(SignInRefused, match="wrong"):
        await changing.change_own_password(sessions, "noa", "not it", "another one", by)
    with pytest.raises(Refused, match="password_same"):
        await changing.change_own_password(sessions, "noa", PASSWORD, PASSWORD, by)
    async with sessions.read() as session:
        row = await session_of(session, here.token, clock.now)
    assert row is not None
    await changing.change_own_password(sessions, "noa", PASSWORD, "another one", by, keep=row.token_hash)
    async with sessions.read() as session:
        alive = [await session_of(session, each.token, clock.now) is not None for each in (here, there)]
    assert alive == [True, False]
    assert not (await check_password(sessions, login="noa", password="another one", now=clock.now)).must_change_password


async def test_link_sets_a_password_once_and_within_a_day(sessions: Sessions, clock, do: Do, taken: Taken, noa: User) -> None:
    first = await do(changing.offer_new_password, "noa")
    second = await do(changing.offer_new_password, "noa")
    for secret, at in ((first, taken.at), ("", taken.at), (second, taken.at + changing.RESET_LIFE)):
        with pytest.raises(Refused, match="link_over"):
            await do(changing.take_new_password, secret, "chosen myself", taken=Taken(ROOT, at))
    for _ in range(accounts.FREE_TRIES):
        with pytest.raises(SignInRefused):
            await check_password(sessions, login="noa", password="no", now=clock.now)
    third = await do(changing.offer_new_password, "noa")
    await do(changing.take_new_password, third, "chosen myself")
    with pytest.raises(Refused, match="link_over"):
        await do(changing.take_new_password, third, "chosen again")
    assert not (await check_password(sessions, login="noa", password="chosen myself", now=clock.now)).must_change_password


async def test_lock_is_lifted_by_whoever_may(sessions: Sessions, clock, do: Do, noa: User) -> None:
    for _ in range(accounts.FREE_TRIES):
        with pytest.raises(SignInRefused):
            await check_password(sessions, login="noa", password="no", now=clock.now)
    with pytest.raises(SignInRefused, match="locked"):
        await check_password(sessions, login="noa", password=PASSWORD, now=clock.now)
    await do(changing.unlock, "noa")
    await check_password(sessions, login="noa", password=PASSWORD, now=clock.now)


async def test_person_is_found_by_badge_and_badges_are_given_once(sessions: Sessions, do: Do, noa: User) -> None:
    await do(changing.set_badge, "noa", "00417-B")
    async with sessions.read() as session:
        found = [await changing.user_by_badge(session, code) for code in ("00417-B", "00418-B", "", "\n")]
    assert [user and user.login for user in found] == ["noa", None, None, None]
    assert "00417" not in str(found[0] and found[0].badge_hash)
    with pytest.raises(Conflict, match="badge_taken"):
        await do(changing.set_badge, "root", "00417-B")
    await do(changing.set_badge, "noa", None)
    await do(changing.set_badge, "root", "00417-B")


async def test_events_tell_what_was_done_and_no_secret(sessions: Sessions, do: Do, taken: Taken, noa: User) -> None:
    await do(changing.set_pin, "noa", "4711")
    await do(changing.set_badge, "noa", "BADGE-77")
    secret = await do(changing.offer_new_password, "noa")
    await do(changing.set_password, "noa", "hush hush hush")
    _, text = await do(keys.make_key, keys.NewKey("erp", taken.at + timedelta(days=30), login="noa"))
    async with sessions.read() as session:
        said = str([(row.action, row.changes, row.ref) for row in await session.scalars(select(Event))])
    for each in ("set_pin", "set_badge", "offer_new_password", "set_password", "holds"):
        assert each in said
    for hidden in ("4711", "BADGE-77", secret, "hush", text.rpartition("_")[2]):
        assert hidden not in said


async def test_two_people_do_not_share_a_mail_address(do: Do, noa: User) -> None:
    await do(changing.set_profile, "noa", changing.Profile("Noa", "he", " Noa@Example.COM ", "050-1234567"))
    for mail, code in (("NOA@example.com", "mail_taken"), ("nobody", "mail_form")):
        with pytest.raises(Refused, match=code):
            await do(changing.set_profile, "root", changing.Profile("Root", "en", mail))


async def test_sign_in_gives_a_new_token_and_ends_the_browsers_old_session(sessions: Sessions, clock, noa: User) -> None:
    first = await sign_in(sessions, login="noa", password=PASSWORD, now=clock.now, browser=Browser("Firefox"))
    again = await sign_in(sessions, login="noa", password=PASSWORD, now=clock.now, browser=Browser("Firefox", first.token))
    assert len({first.token, again.token, first.csrf, again.csrf}) == 4
    async with sessions.read() as session:
        rows = await live_sessions(session, noa, clock.now)
    assert [(row.device, row.method) for row in rows] == [("Firefox", "password")]


async def test_sessions_are_ended_one_by_one_and_only_ones_own(
    sessions: Sessions, clock, do: Do, root: User, noa: User
) -> None:
    for device in ("phone", "desk"):
        await sign_in(sessions, login="noa", password=PASSWORD, now=clock.now, browser=Browser(device))
    async with sessions.read() as session:
        [name] = [handle(row) for row in await live_sessions(session, noa, clock.now) if row.device == "phone"]
    assert await do(end_session, root, name) is False
    assert await do(end_session, noa, "%") is False
    assert await do(end_session, noa, name) is True
    async with sessions.read() as session:
        assert [row.device for row in await session.scalars(select(WebSession))] == ["desk"]
    assert await do(changing.sign_out_everywhere, "noa") == 1


async def test_proof_is_recent_for_ten_minutes(sessions: Sessions, clock, noa: User) -> None:
    signed = await sign_in(sessions, login="noa", password=PASSWORD, now=clock.now)
    answers = []
    for minutes in (0, 9, 1):
        clock.go(minutes=minutes)
        async with sessions.write() as session:
            row = await session_of(session, signed.token, clock.now)
            assert row is not None
            answers.append(recent_proof(row, clock.now))
    async with sessions.write() as session:
        row = await session_of(session, signed.token, clock.now)
        assert row is not None
        await note_proof(session, row, clock.now)
        answers.append(recent_proof(row, clock.now))
    assert answers == [True, True, False, True]


async def test_ticket_is_taken_once_in_time_and_for_its_purpose(sessions: Sessions, clock) -> None:
    later = clock.now + tickets.TEN_MINUTES
    async with sessions.write() as session:
        await tickets.issue(session, "provider", "s", until=later, now=clock.now, data={"a": 1})
        assert await tickets.redeem(session, "passkey_new", "s", clock.now) is None
        found = await tickets.redeem(session, "provider", "s", clock.now)
        assert found is not None
        assert found.data == {"a": 1}
        assert await tickets.redeem(session, "provider", "s", clock.now) is None
        await tickets.issue(session, "provider", "s", until=later, now=clock.now)
        assert await tickets.redeem(session, "provider", "s", later) is None


async def test_flood_of_beginnings_is_capped(sessions: Sessions, clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tickets, "MAX_OPEN", 3)
    later = clock.now + tickets.TEN_MINUTES
    async with sessions.write() as session:
        for number in range(3):
            await tickets.issue(session, "provider", str(number), until=later, now=clock.now)
        with pytest.raises(Refused, match="too_many_begun"):
            await tickets.issue(session, "provider", "x", until=later, now=clock.now)
        await tickets.issue(session, "provider", "x", until=later + tickets.TEN_MINUTES, now=later)
