"""The pages of programs that are told what happens."""

import re
from collections.abc import Callable

import httpx
from sqlalchemy import select

from cloud.db.engine import Sessions
from cloud.hooks.models import Delivery, Endpoint, Outcome
from tests.integration.conftest import TurnedClock
from tests.unit.cloud_web.conftest import SignIn

Token = Callable[[str], str]
SECRET = re.compile(r"whsec_[A-Za-z0-9+/=]+")
NEW = {"name": "ERP <b>", "url": "https://erp.example/hook", "patterns": "receipt.*, party.created", "owner": "ada"}


async def add(ada: httpx.AsyncClient, token: Token, **fields: str) -> httpx.Response:
    page = await ada.get("/webhooks")
    return await ada.post("/webhooks", data={"csrf": token(page.text), **NEW, **fields})


async def endpoint(office: Sessions) -> Endpoint:
    async with office.read() as session:
        return (await session.scalars(select(Endpoint))).one()


async def give_up(office: Sessions, number: int, now: TurnedClock) -> None:
    async with office.write() as session:
        row = (await session.scalars(select(Endpoint))).one()
        session.add(
            Delivery(
                endpoint_id=row.id, event_id=number, type="receipt.post", kind="receipt", ref="GR-1", status=Outcome.GIVEN_UP,
                tries=7, next_at=now.now, sent_at=now.now, code=500, answer="<i>out of order</i>", ms=12, ended_at=now.now,
            )
        )  # fmt: skip


async def outcomes(office: Sessions) -> dict[int, str]:
    async with office.read() as session:
        return {row.event_id: str(row.status) for row in await session.scalars(select(Delivery))}


async def test_secret_is_shown_once(sign_in: SignIn, token: Token, office: Sessions) -> None:
    ada = await sign_in("ada")
    shown = await add(ada, token)
    row = await endpoint(office)
    assert SECRET.findall(shown.text) == [row.secret]
    assert shown.headers["cache-control"] == "no-store"
    assert row.patterns == ["receipt.*", "party.created"]
    for path in ("/webhooks", f"/webhooks/{row.uid}"):
        page = await ada.get(path)
        assert SECRET.findall(page.text) == []
        assert "ERP &lt;b&gt;" in page.text
    again = await ada.post(f"/webhooks/{row.uid}/secret", data={"csrf": token(page.text)})
    assert SECRET.findall(again.text) == [(await endpoint(office)).secret] != [row.secret]


WRONG = [
    ({"url": "ftp://erp.example"}, "begins with http"),
    ({"url": "https://u:p@erp.example"}, "begins with http"),
    ({"patterns": "all of it"}, "a kind and an action"),
    ({"patterns": ""}, "could not be understood"),
    ({"owner": "nobody"}, "no such active person"),
    ({"name": "  "}, "at most 100 characters"),
]


async def test_program_that_cannot_be_is_refused(sign_in: SignIn, token: Token, office: Sessions) -> None:
    ada = await sign_in("ada")
    for fields, words in WRONG:
        answer = await add(ada, token, **fields)
        assert (answer.status_code, words in answer.text) == (422, True), fields
    async with office.read() as session:
        assert (await session.scalars(select(Endpoint))).all() == []


async def test_deliveries_are_shown_and_sent_again(sign_in: SignIn, token: Token, office: Sessions, now: TurnedClock) -> None:
    ada = await sign_in("ada")
    await add(ada, token)
    for number in (1, 2, 3):
        await give_up(office, number, now)
    uid = (await endpoint(office)).uid
    page = await ada.get(f"/webhooks/{uid}")
    assert "&lt;i&gt;out of order" in page.text
    assert "500" in page.text
    csrf = token(page.text)
    assert (await ada.post(f"/webhooks/{uid}/replay", data={"csrf": csrf, "event": "2"})).status_code == 303
    assert await outcomes(office) == {1: "given_up", 2: "waiting", 3: "given_up"}
    assert (await ada.post(f"/webhooks/{uid}/replay", data={"csrf": csrf, "event": "2"})).status_code == 422
    assert (await ada.post(f"/webhooks/{uid}/replay", data={"csrf": csrf, "first": "3"})).status_code == 303
    assert await outcomes(office) == {1: "given_up", 2: "waiting", 3: "waiting"}
    assert (await endpoint(office)).cursor == 2
    assert (await ada.post(f"/webhooks/{uid}/replay", data={"csrf": csrf})).status_code == 303
    assert await outcomes(office) == {1: "waiting", 2: "waiting", 3: "waiting"}
    waits = await ada.get(f"/webhooks/{uid}?status=delivered")
    assert "Nothing here." in waits.text
    assert (await ada.get(f"/webhooks/{uid}?status=waiting&before=2")).text.count(">receipt.post<") == 1


async def test_program_is_changed_paused_resumed_and_removed(sign_in: SignIn, token: Token, office: Sessions) -> None:
    ada = await sign_in("ada")
    await add(ada, token)
    uid = (await endpoint(office)).uid
    csrf = token((await ada.get(f"/webhooks/{uid}")).text)
    changed = NEW | {"csrf": csrf, "name": "Books", "patterns": "party.*", "owner": "noa"}
    assert (await ada.post(f"/webhooks/{uid}", data=changed)).status_code == 303
    row = await endpoint(office)
    assert (row.name, row.patterns, row.owner) == ("Books", ["party.*"], "noa")
    for act, status in (("pause", "paused"), ("resume", "active")):
        assert (await ada.post(f"/webhooks/{uid}/{act}", data={"csrf": csrf})).status_code == 303
        assert (await endpoint(office)).status == status
    assert (await ada.post(f"/webhooks/{uid}/remove", data={"csrf": csrf})).status_code == 303
    assert (await ada.get(f"/webhooks/{uid}")).status_code == 404
