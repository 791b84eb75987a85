"""Deciding and posting: who may, with what, and what happens when somebody was faster."""

from collections.abc import Callable

import httpx
import pytest
from sqlalchemy import select

from cloud.kernel.actor import Taken
from cloud.masters.models import Site
from cloud.people.accounts import user_by_login
from cloud.people.roles import give_role, take_role
from cloud.web import StaffDeps
from tests.integration.conftest import ADMIN
from tests.unit.cloud_web.conftest import SignIn
from tests.unit.cloud_web.office import Refs

Token = Callable[[str], str]


async def _decide(
    client: httpx.AsyncClient, token: Token, ref: str, decision: str = "accept", **changed: str
) -> list[httpx.Response]:
    """Decide every exception of the receipt, each on the page as it is then."""
    answers = []
    found = (await client.get(f"/api/receipts/{ref}")).json()
    for one in found["exceptions"]:
        if one["severity"] != "decision":
            continue
        page = await client.get(f"/receipts/{ref}")
        version = (await client.get(f"/api/receipts/{ref}")).json()["version"]
        given = {"csrf": token(page.text), "version": str(version), "decision": decision, "reason": "weighed again"}
        answers.append(await client.post(f"/receipts/{ref}/exceptions/{one['id']}", data=given | changed))
    return answers


async def _post(client: httpx.AsyncClient, token: Token, ref: str, version: int | None = None) -> httpx.Response:
    page = await client.get(f"/receipts/{ref}")
    now = (await client.get(f"/api/receipts/{ref}")).json()["version"]
    given = {"csrf": token(page.text), "version": str(version or now)}
    return await client.post(f"/receipts/{ref}/post", data=given)


async def _state(client: httpx.AsyncClient, ref: str) -> str:
    return str((await client.get(f"/api/receipts/{ref}")).json()["state"])


async def test_supervisor_decides_and_posts(noa: httpx.AsyncClient, token: Token, refs: Refs, deps: StaffDeps) -> None:
    before = await _post(noa, token, refs.over)
    assert before.status_code == 422
    decided = await _decide(noa, token, refs.over)
    assert len(decided) >= 2
    assert {answer.status_code for answer in decided} == {303}
    assert (await _post(noa, token, refs.over)).status_code == 303
    found = (await noa.get(f"/api/receipts/{refs.over}")).json()
    assert (found["state"], found["needs_review"], found["cannot_post"]) == ("posted", False, None)
    assert {one["decided_by"] for one in found["exceptions"] if one["severity"] == "decision"} == {"Noa Barak · נועה ברק"}
    assert found["history"][0]["action"] == "post"
    assert deps.wake.is_set()


async def test_refused_exception_keeps_the_receipt_from_being_posted(noa: httpx.AsyncClient, token: Token, refs: Refs) -> None:
    await _decide(noa, token, refs.over, "refuse")
    assert (await _post(noa, token, refs.over)).status_code == 422
    assert (await noa.get(f"/api/receipts/{refs.over}")).json()["cannot_post"] == "refused"
    again = await _decide(noa, token, refs.over, "accept")
    assert {answer.status_code for answer in again} == {303}
    assert (await _post(noa, token, refs.over)).status_code == 303


@pytest.mark.parametrize("changed", [{"reason": ""}, {"reason": "  "}, {"decision": "perhaps"}, {"reason": "x" * 257}])
async def test_decision_that_is_none_changes_nothing(
    noa: httpx.AsyncClient, token: Token, refs: Refs, changed: dict[str, str]
) -> None:
    answers = await _decide(noa, token, refs.over, **changed)
    assert {answer.status_code for answer in answers} == {422}
    found = (await noa.get(f"/api/receipts/{refs.over}")).json()
    assert all(one["decision"] is None for one in found["exceptions"])


@pytest.mark.parametrize(("login", "posting"), [("tal", 403), ("omar", 422)])
async def test_others_read_and_neither_decide_nor_post(
    sign_in: SignIn, token: Token, refs: Refs, login: str, posting: int
) -> None:
    """An operator may post what nobody had to be asked about, and this is not such a receipt."""
    client = await sign_in(login)
    page = await client.get(f"/receipts/{refs.over}")
    assert "<textarea" not in page.text
    assert "Only a supervisor can post." in page.text or "Decide the exceptions first." in page.text
    assert {answer.status_code for answer in await _decide(client, token, refs.over)} == {403}
    assert (await _post(client, token, refs.over)).status_code == posting
    assert await _state(client, refs.over) == "check"
    given = {"csrf": token(page.text), "version": "1", "reason": "x"}
    for action in ("abandon", "review"):
        assert (await client.post(f"/receipts/{refs.over}/{action}", data=given)).status_code == 403


async def test_whoever_was_slower_is_told_and_nothing_is_saved(noa: httpx.AsyncClient, token: Token, refs: Refs) -> None:
    seen = (await noa.get(f"/api/receipts/{refs.over}")).json()["version"]
    await _decide(noa, token, refs.over)
    late = await _post(noa, token, refs.over, version=seen)
    assert late.status_code == 409
    assert "דבר לא נשמר" in late.text
    assert f'href="/receipts/{refs.over}"' in late.text
    assert await _state(noa, refs.over) == "check"


@pytest.mark.parametrize("name", ["tampered", "forged"])
async def test_receipt_whose_evidence_does_not_verify_is_not_posted(
    noa: httpx.AsyncClient, token: Token, refs: Refs, name: str
) -> None:
    ref = getattr(refs, name)
    page = await noa.get(f"/receipts/{ref}")
    assert '<button class="primary" disabled aria-describedby="why-not">' in page.text
    answer = await _post(noa, token, ref)
    assert answer.status_code == 422
    assert "הראיות אינן מאומתות" in answer.text
    assert await _state(noa, ref) == "check"


async def test_receipt_that_is_still_counted_cannot_be_posted(noa: httpx.AsyncClient, token: Token, refs: Refs) -> None:
    assert (await noa.get(f"/api/receipts/{refs.running}")).json()["cannot_post"] == "not_finished"
    assert (await _post(noa, token, refs.running)).status_code == 422


async def test_giving_up_needs_a_reason(noa: httpx.AsyncClient, token: Token, refs: Refs) -> None:
    page = await noa.get(f"/receipts/{refs.over}")
    version = str((await noa.get(f"/api/receipts/{refs.over}")).json()["version"])
    given = {"csrf": token(page.text), "version": version}
    assert (await noa.post(f"/receipts/{refs.over}/abandon", data=given | {"reason": ""})).status_code == 422
    assert (await noa.post(f"/receipts/{refs.over}/abandon", data=given | {"reason": "sent back"})).status_code == 303
    assert await _state(noa, refs.over) == "cancelled"
    assert "sent back" in (await noa.get(f"/receipts/{refs.over}")).text


async def test_receipt_that_does_not_exist_is_not_found(noa: httpx.AsyncClient, token: Token) -> None:
    page = await noa.get("/")
    answer = await noa.post("/receipts/GR-1999-000001/post", data={"csrf": token(page.text), "version": "1"})
    assert answer.status_code == 404


async def _at_another_site(deps: StaffDeps, login: str, site: str) -> None:
    """Somebody who supervises one site alone."""
    taken = Taken(ADMIN, deps.clock())
    async with deps.sessions.write() as session:
        user = await user_by_login(session, login)
        assert user is not None
        await give_role(session, user, "supervisor", taken, site=site)
        await take_role(session, user, "supervisor", taken)
        if await session.scalar(select(Site).where(Site.code == site)) is None:
            session.add(Site(code=site, name=site))


async def test_supervisor_of_one_site_decides_there(sign_in: SignIn, token: Token, refs: Refs, deps: StaffDeps) -> None:
    await _at_another_site(deps, "ron", "galil")
    ron = await sign_in("ron")
    assert refs.over in (await ron.get("/receipts")).text
    assert {answer.status_code for answer in await _decide(ron, token, refs.over)} == {303}
    assert (await _post(ron, token, refs.over)).status_code == 303


async def test_supervisor_of_another_site_sees_and_decides_nothing(
    sign_in: SignIn, token: Token, refs: Refs, deps: StaffDeps
) -> None:
    await _at_another_site(deps, "ron", "negev")
    ron = await sign_in("ron")
    listed = await ron.get("/receipts")
    assert listed.status_code == 200
    assert refs.over not in listed.text
    for address in (f"/receipts/{refs.over}", f"/api/receipts/{refs.over}"):
        assert (await ron.get(address)).status_code == 404
    given = {"csrf": token(listed.text), "version": "1", "decision": "accept", "reason": "mine"}
    for act in ("exceptions/1", "post", "abandon", "review"):
        assert (await ron.post(f"/receipts/{refs.over}/{act}", data=given)).status_code == 404


@pytest.mark.parametrize(("act", "elsewhere"), [("post", "negev"), ("abandon", None)])
async def test_each_step_is_asked_of_the_grants_for_itself(
    sign_in: SignIn, token: Token, refs: Refs, deps: StaffDeps, act: str, elsewhere: str | None
) -> None:
    """Who decides at a site posts there with nobody else's site, and gives up no more than an operator does."""
    taken = Taken(ADMIN, deps.clock())
    async with deps.sessions.write() as session:
        session.add(Site(code="negev", name="Negev"))
        await session.flush()
        user = await user_by_login(session, "ron")
        assert user is not None
        await give_role(session, user, "quality", taken, site="galil")
        await give_role(session, user, "operator", taken, **({"site": elsewhere} if elsewhere else {}))
        await give_role(session, user, "supervisor", taken, site="negev")
        await take_role(session, user, "supervisor", taken)
    ron = await sign_in("ron")
    assert {answer.status_code for answer in await _decide(ron, token, refs.over)} == {303}
    page = await ron.get(f"/receipts/{refs.over}")
    version = (await ron.get(f"/api/receipts/{refs.over}")).json()["version"]
    given = {"csrf": token(page.text), "version": str(version), "reason": "mine"}
    assert (await ron.post(f"/receipts/{refs.over}/{act}", data=given)).status_code == 403
    assert await _state(ron, refs.over) == "check"


async def test_decision_is_taken_back_until_posted(noa: httpx.AsyncClient, token: Token, refs: Refs) -> None:
    await _decide(noa, token, refs.over)
    found = (await noa.get(f"/api/receipts/{refs.over}")).json()
    one = next(each for each in found["exceptions"] if each["decision"])
    page = await noa.get(f"/queue?at=receipt/{refs.over}")
    given = {"csrf": token(page.text), "version": str(found["version"]), "next": f"/queue?at=receipt/{refs.over}"}
    answer = await noa.post(f"/receipts/{refs.over}/exceptions/{one['id']}/undo", data=given)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/queue?at=receipt/{refs.over}")
    after = (await noa.get(f"/api/receipts/{refs.over}")).json()
    again = next(each for each in after["exceptions"] if each["id"] == one["id"])
    assert (again["decision"], again["decided_by"], after["cannot_post"]) == (None, None, "undecided")
    assert after["history"][0]["action"] == "undecide"
    twice = await noa.post(
        f"/receipts/{refs.over}/exceptions/{one['id']}/undo", data=given | {"version": str(after["version"])}
    )
    assert twice.status_code == 422


async def test_queue_shows_what_waits_longest_first_and_what_is_next(noa: httpx.AsyncClient, token: Token, refs: Refs) -> None:
    page = (await noa.get("/queue")).text
    assert page.index(refs.tampered if refs.tampered in page else refs.over) > 0
    chosen = await noa.get(f"/queue?at=receipt/{refs.over}")
    assert chosen.text.count("data-question") >= 2
    found = (await noa.get(f"/api/receipts/{refs.over}")).json()
    one = next(each for each in found["exceptions"] if each["severity"] == "decision")
    given = {
        "csrf": token(chosen.text),
        "version": str(found["version"]),
        "decision": "accept",
        "quick": "weighed_again",
        "reason": "",
        "next": f"/queue?at=receipt/{refs.over}",
    }
    assert (
        (await noa.post(f"/receipts/{refs.over}/exceptions/{one['id']}", data=given)).headers["location"].startswith("/queue")
    )
    shown = (await noa.get(f"/queue?at=receipt/{refs.over}")).text
    assert shown.count("data-question") == chosen.text.count("data-question") - 1
    assert "/undo" in shown


async def test_after_a_decision_nobody_is_led_to_another_site(noa: httpx.AsyncClient, token: Token, refs: Refs) -> None:
    found = (await noa.get(f"/api/receipts/{refs.over}")).json()
    page = await noa.get(f"/receipts/{refs.over}")
    one = next(each for each in found["exceptions"] if each["severity"] == "decision")
    given = {
        "csrf": token(page.text),
        "version": str(found["version"]),
        "decision": "accept",
        "reason": "seen",
        "next": "//evil.test/x",
    }
    assert (await noa.post(f"/receipts/{refs.over}/exceptions/{one['id']}", data=given)).headers["location"] == "/"
