"""The pages of people, roles, keys and one's own account: who gets them, and what they do."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import select

from cloud.catalogue import registry
from cloud.db.engine import Sessions
from cloud.kernel.access import Access
from cloud.kernel.actor import Actor, Taken
from cloud.kernel.models import Event
from cloud.people import keys, roles
from cloud.people.accounts import NewUser, create_user, user_by_login
from cloud.people.builtin import BUILTIN
from cloud.people.models import ApiKey, User, WebSession
from cloud.people.sessions import Browser, open_session
from cloud.web import StaffDeps
from cloud.web.reads.grants import check_fit
from tests.integration.conftest import TurnedClock
from tests.unit.cloud_web.conftest import SignIn
from tests.unit.cloud_web.office import PASSWORD, Refs
from tests.unit.cloud_web.test_words import Bare

PAGES = ("/people", "/people/noa", "/people/noa/may", "/roles", "/roles/admin", "/roles/supervisor", "/keys")
Token = Callable[[str], str]
Send = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture
def deps(deps: StaffDeps) -> StaffDeps:
    """With every object that comes with the program."""
    return replace(deps, registry=registry())


@pytest.fixture
async def ada(sign_in: SignIn) -> httpx.AsyncClient:
    """An admin's browser."""
    return await sign_in("ada")


@pytest.fixture
def send(ada: httpx.AsyncClient, token: Token) -> Send:
    """Sends the form of a page with its token."""

    async def run(path: str, page: str | None = None, **fields: object) -> httpx.Response:
        shown = await ada.get(page or "/me")
        return await ada.post(
            path, data={"csrf": token(shown.text), **fields}, headers={"referer": f"http://staff.test{page or '/me'}"}
        )

    return run


async def _user(office: Sessions, login: str) -> User:
    async with office.read() as session:
        user = await user_by_login(session, login)
        assert user is not None
        return user


@pytest.mark.parametrize("login", ["noa", "tal"])
async def test_people_roles_and_keys_are_for_admins(sign_in: SignIn, token: Token, login: str) -> None:
    client = await sign_in(login)
    csrf = token((await client.get("/me")).text)
    for path in PAGES:
        assert (await client.get(path)).status_code == 403, path
    for path in ("/people/noa/shut", "/roles/viewer/remove", "/keys/x/revoke", "/people/noa/link"):
        assert (await client.post(path, data={"csrf": csrf})).status_code == 403, path


@pytest.mark.parametrize("login", ["ada", "adi"])
async def test_every_page_is_shown_with_its_numbers_isolated(sign_in: SignIn, login: str) -> None:
    client = await sign_in(login)
    for path in (*PAGES, "/me", "/me/password", "/me/prove?next=/keys", "/people?q=no"):
        answer = await client.get(path)
        assert answer.status_code == 200, path
        finder = Bare()
        finder.feed(answer.text)
        assert finder.bare == [], path


async def test_role_without_grants_for_a_page_does_not_get_it(
    office: Sessions, sign_in: SignIn, now: TurnedClock, refs: Refs
) -> None:
    taken = Taken(Actor.user("root", "admin"), now.now)
    async with office.write() as session:
        await create_user(session, NewUser("sara", "Sara", "sales", password=PASSWORD), taken)
        await create_user(session, NewUser("gal", "Gal", "sales", password=PASSWORD), taken)
        user = await user_by_login(session, "gal")
        assert user is not None
        # At one site only: receipts end there, and what shows all sites is not for such a person.
        await roles.give_role(session, user, "supervisor", taken, site="negev")
    for login, listed in (("sara", 403), ("gal", 200)):
        client = await sign_in(login)
        assert refs.clean not in (await client.get("/")).text
        for path in ("/receipts", "/receipts.csv", "/api/receipts"):
            answer = await client.get(path)
            assert answer.status_code == listed, path
            assert refs.clean not in answer.text
        for path in (
            f"/receipts/{refs.clean}",
            f"/api/receipts/{refs.clean}",
            "/boxes",
        ):
            assert (await client.get(path)).status_code in ({403} if login == "sara" or path == "/boxes" else {404}), path
        await client.post(
            "/sign-out", headers={"x-csrf-token": re.findall('name="csrf" value="([^"]+)"', (await client.get("/me")).text)[0]}
        )


async def test_what_is_dangerous_asks_again_who_one_is(
    ada: httpx.AsyncClient, send: Send, now: TurnedClock, office: Sessions
) -> None:
    now.go(minutes=10)
    asked = await send("/people/tal/shut", "/people/tal")
    assert (asked.status_code, asked.headers["location"]) == (303, "/me/prove?next=%2Fpeople%2Ftal")
    assert (await _user(office, "tal")).active
    wrong = await send("/me/prove", asked.headers["location"], password="not it, surely", next="/people/tal")
    assert wrong.status_code == 401
    right = await send("/me/prove", asked.headers["location"], password=PASSWORD, next="//evil.example")
    assert right.headers["location"] == "/"
    assert (await send("/people/tal/shut", "/people/tal")).headers["location"] == "/people/tal"
    assert not (await _user(office, "tal")).active


async def test_person_is_added_and_chooses_a_password_by_a_link(
    ada: httpx.AsyncClient, send: Send, token: Token, office: Sessions
) -> None:
    added = await send("/people", "/people", login="Ruth", name="Ruth Katz", role="viewer", locale="en", mail="ruth@x.example")
    assert added.headers["location"] == "/people/ruth"
    shown = await send("/people/ruth/link", "/people/ruth")
    [link] = re.findall(r"http://staff.test(/new-password/[0-9a-f]+)", shown.text)
    await send("/sign-out")
    form = await ada.get(link)
    differs = await ada.post(link, data={"csrf": token(form.text), "new": "a new one", "again": "another"})
    assert differs.status_code == 422
    done = await ada.post(link, data={"csrf": token(form.text), "new": "chosen by me", "again": "chosen by me"})
    assert (done.status_code, done.headers["location"]) == (303, "/sign-in")
    assert (await ada.get(link)).status_code == 422
    form = await ada.get("/sign-in")
    entered = await ada.post("/sign-in", data={"csrf": token(form.text), "login": "ruth", "password": "chosen by me"})
    assert entered.status_code == 303


async def test_refusal_is_told_on_the_page(send: Send) -> None:
    for path, fields, words in (
        ("/people/noa/pin", {"pin": "12"}, "A PIN has four to six digits."),
        ("/people/noa/password", {"new": "noanoanoa"}, "A name is not a password."),
        ("/people/ada/roles/take", {"role": "admin", "site": ""}, "main role"),
        ("/people", {"login": "noa", "name": "x", "role": "viewer", "locale": "en"}, "already"),
        ("/roles", {"key": "1x", "label_en": "a", "label_he": "ב"}, "small Latin letters"),
        ("/roles/viewer/remove", {}, "Roles of the program stay."),
        ("/keys", {"name": "k", "days": 5}, "one of the two"),
    ):
        answer = await send(path, "/me", **fields)
        assert answer.status_code == 422, path
        assert words in answer.text, path


async def test_somebody_elses_password_has_to_be_changed_first(
    ada: httpx.AsyncClient, send: Send, token: Token, sign_in: SignIn, office: Sessions
) -> None:
    await send("/people/tal/password", "/people/tal", new=PASSWORD)
    await send("/sign-out")
    client = await sign_in("tal")
    for path in ("/", "/receipts", "/me", "/me/prove"):
        assert (await client.get(path)).headers["location"] == "/me/password", path
    assert (await client.get("/api/receipts")).json()["code"] == "must_change"
    form = await client.get("/me/password")
    fields = {"csrf": token(form.text), "old": PASSWORD, "new": "my own choice", "again": "my own choice"}
    assert (await client.post("/me/password", data=fields)).headers["location"] == "/me"
    assert (await client.get("/receipts")).status_code == 200


async def test_roles_are_given_at_sites_and_explained(send: Send, ada: httpx.AsyncClient) -> None:
    assert (await send("/people/noa/roles/give", "/people/noa", role="quality", site="nowhere")).status_code == 404
    await send("/people/noa/roles/give", "/people/noa", role="quality", site="galil")
    shown = (await ada.get("/people/noa/may")).text
    assert re.search(r'Quality · at <bdi dir="ltr">galil</bdi>', shown)
    await send("/people/noa/main-role", "/people/noa", role="quality")
    taken = await send("/people/noa/roles/take", "/people/noa", role="supervisor", site="")
    assert taken.status_code == 303
    assert "Supervisor" not in (await ada.get("/people/noa/may")).text


async def test_role_is_edited_as_a_table(send: Send, ada: httpx.AsyncClient, office: Sessions) -> None:
    await send("/roles", "/roles", key="buyer", label_en="Buyer", label_he="קניין")
    lines = {
        "kind": ["party", "purchase_order", ""],
        "actions": ["read, write", "read", ""],
        "scope": ["", "site.code < 'n'", ""],
        "mask": ["", "-supplier", ""],
    }
    saved = await send("/roles/buyer", "/roles/buyer", version=1, label_en="Buyer", label_he="קניינית", **lines)
    assert (saved.status_code, saved.headers["location"]) == (303, "/roles/buyer")
    shown = (await ada.get("/roles/buyer")).text
    assert re.findall(r'name="(?:kind|actions|scope|mask)" dir="ltr" value="([^"]+)"', shown) == [
        "party", "read write", "purchase_order", "read", "site.code &lt; &#39;n&#39;", "-supplier",
    ]  # fmt: skip
    moved = await send("/roles/buyer", "/roles/buyer", version=1, label_en="x", label_he="y", **lines)
    assert moved.status_code == 422
    assert "Somebody changed" in moved.text
    bad = await send(
        "/roles/buyer", "/roles/buyer", version=2, label_en="x", label_he="y", **{**lines, "scope": ["1 +", "", ""]}
    )
    assert "cannot be read" in bad.text
    assert 'value="1 +"' in bad.text
    assert (await send("/roles/buyer/remove", "/roles/buyer")).headers["location"] == "/roles"


async def test_key_is_shown_once_and_opens_only_what_it_may(
    send: Send, ada: httpx.AsyncClient, anyone: httpx.AsyncClient, refs: Refs
) -> None:
    made = await send("/keys", "/keys", name="ERP", days=30, rate=100, role="viewer")
    [text] = re.findall(r"tbk_[0-9a-z_]+", made.text)
    assert text not in (await ada.get("/keys")).text
    prefix = text.split("_")[1]
    await send("/sign-out")
    anyone.cookies.clear()
    bearer = {"authorization": f"Bearer {text}"}
    assert (await anyone.get("/api/receipts", headers=bearer)).status_code == 200
    assert (await anyone.get(f"/receipts/{refs.clean}", headers=bearer)).status_code == 303
    for wrong in ("Bearer x", f"Bearer {text[:-1]}", f"Bearer tbk_{prefix}_{'0' * 64}"):
        answer = await anyone.get("/api/receipts", headers={"authorization": wrong})
        assert (answer.status_code, answer.json()["code"]) == (401, "not_signed_in")


async def test_key_is_held_to_its_rate(send: Send, anyone: httpx.AsyncClient, now: TurnedClock) -> None:
    made = await send("/keys", "/keys", name="ERP", days=30, rate=2, role="viewer")
    bearer = {"authorization": f"Bearer {re.findall('tbk_[0-9a-z_]+', made.text)[0]}"}
    answers = [await anyone.get("/api/receipts", headers=bearer) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].headers["retry-after"] == "30"
    now.go(seconds=30)
    assert (await anyone.get("/api/receipts", headers=bearer)).status_code == 200


async def test_cookies_are_not_read_beside_a_key(noa: httpx.AsyncClient, office: Sessions, now: TurnedClock) -> None:
    taken = Taken(Actor.user("root", "admin"), now.now, access=Access.all())
    async with office.write() as session:
        new = keys.NewKey("x", now.now + timedelta(days=1), roles=(("sales", ""),))
        _, text = await keys.make_key(session, new, taken)
    bearer = {"authorization": f"Bearer {text}"}
    assert (await noa.get("/api/receipts")).status_code == 200
    assert (await noa.get("/api/receipts", headers=bearer)).status_code == 403
    # A key is no cookie that a browser adds by itself: it needs no form's token.
    signed = await noa.post("/api/sign-in", json={"login": "tal", "password": PASSWORD}, headers=bearer)
    assert signed.status_code == 200


async def test_sign_in_never_keeps_a_token_that_was_there_before(
    anyone: httpx.AsyncClient, token: Token, office: Sessions
) -> None:
    anyone.cookies.set("tallybox_staff", "planted-by-somebody")
    form = await anyone.get("/sign-in")
    given = {"login": "noa", "password": PASSWORD, "csrf": token(form.text)}
    answer = await anyone.post("/sign-in", data=given, headers={"user-agent": "Desk"})
    assert "planted" not in answer.headers["set-cookie"]
    async with office.read() as session:
        [row] = await session.scalars(select(WebSession))
    assert row.token_hash != "planted-by-somebody"


async def test_sessions_are_listed_and_ended(send: Send, ada: httpx.AsyncClient, office: Sessions, now: TurnedClock) -> None:
    async with office.write() as session:
        user = await user_by_login(session, "ada")
        assert user is not None
        for device in ("Handset", "Tablet"):
            await open_session(session, user, now.now, method="passkey", browser=Browser(device))
    shown = (await ada.get("/me")).text
    assert {"Handset", "Tablet"} <= set(re.findall(r'<bdi dir="auto">(\w+)</bdi>', shown))
    [path] = re.findall(r'Handset.*?action="(/me/sessions/[0-9a-f]{16}/end)"', shown, re.DOTALL)[:1]
    await send(path)
    shown = (await ada.get("/me")).text
    assert "Handset" not in shown
    assert "Tablet" in shown
    await send("/me/sessions/others/end")
    assert "Tablet" not in (await ada.get("/me")).text


async def test_changes_are_logged_with_whoever_made_them(send: Send, office: Sessions) -> None:
    await send("/people/noa/badge", "/people/noa", code="BADGE-1")
    await send("/keys", "/keys", name="ERP", days=3, login="noa")
    async with office.read() as session:
        rows = await session.execute(select(Event.actor, Event.action, Event.ref).order_by(Event.id.desc()).limit(2))
        [made, badge] = [tuple(row) for row in rows]
        [key] = await session.scalars(select(ApiKey))
    assert badge == ("ada", "set_badge", "noa")
    assert made == ("ada", "create", key.prefix)


async def test_condition_and_fields_have_to_fit_the_kind(send: Send) -> None:
    blank = {"version": 1, "label_en": "Viewer", "label_he": "צופה", "actions": ["read"], "scope": [""], "mask": [""]}
    for line, words in (
        ({"kind": ["party"], "scope": ["no_such_field == 1"]}, "does not fit"),
        ({"kind": ["party"], "mask": ["-no_such_field"]}, "has no such fields"),
    ):
        answer = await send("/roles/viewer", "/roles/viewer", **{**blank, **line})
        assert answer.status_code == 422
        assert words in answer.text
    fits = {"kind": ["party", "mine_to_come"], "actions": ["read", "read"], "scope": ["", "x == 1"], "mask": ["-name", ""]}
    assert (await send("/roles/viewer", "/roles/viewer", **{**blank, **fits})).status_code == 303


def test_grants_of_the_programs_roles_fit_the_shipped_definitions() -> None:
    check_fit([each for role in BUILTIN for each in role.grants], registry().plain())
