"""Two boxes under one name: who sees it, who decides, and what becomes of what was seen too late."""

import re
from collections.abc import Callable

import httpx
import pytest
from sqlalchemy import select

from cloud.db.engine import Sessions
from cloud.ingest.models import Branch, HeldRun
from cloud.kernel.models import Event
from cloud.web import StaffDeps
from tests.unit.cloud_web.conftest import SignIn

Token = Callable[[str], str]


async def place(office: Sessions, side: str = "older") -> str:
    """Where the form of one side of the office's only branch goes."""
    async with office.read() as session:
        branch = (await session.scalars(select(Branch))).one()
    return f"/boxes/{branch.box_id}/branches/{branch.id}/{side}"


async def decisions(office: Sessions) -> tuple[str | None, str | None]:
    async with office.read() as session:
        branch = (await session.scalars(select(Branch))).one()
    return branch.older_decision, branch.newer_decision


async def give(client: httpx.AsyncClient, token: Token, where: str, **fields: str) -> httpx.Response:
    page = await client.get("/boxes")
    given = {"csrf": token(page.text), "decision": "release", "reason": "weighed there", "seen": ""}
    return await client.post(where, data=given | fields)


def bare(page: httpx.Response) -> str:
    """The text as it is read."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", page.text))


async def test_admin_releases_one_side_and_discards_the_other(
    sign_in: SignIn, token: Token, office: Sessions, deps: StaffDeps
) -> None:
    ada = await sign_in("ada")
    page = await ada.get("/boxes")
    assert "Two boxes write under this name" in bare(page)
    assert "Entries that wait: 7." in bare(page)
    assert page.text.count("<textarea") == 2
    assert (await give(ada, token, await place(office))).status_code == 303
    assert deps.wake.is_set()
    newer = await place(office, "newer")
    assert (await give(ada, token, newer, decision="discard", reason="a test")).status_code == 303
    assert await decisions(office) == ("release", "discard")
    async with office.read() as session:
        assert [row.held_from for row in await session.scalars(select(HeldRun))] == [None]
        rows = await session.scalars(select(Event).where(Event.action.like("branch_%")).order_by(Event.id))
        assert [(row.actor, row.reason) for row in rows if row.reason] == [("ada", "weighed there"), ("ada", "a test")]
    after = await ada.get("/boxes")
    assert "Two boxes write" not in bare(after)
    assert "The side that was here first was released" in bare(after)
    assert re.search("Ada Levi · עדה לוי ?Reason: weighed there", bare(after))
    # What was released may still be discarded; what was discarded stays so.
    assert after.text.count("<textarea") == 1


@pytest.mark.parametrize("login", ["noa", "tal", "omar"])
async def test_others_see_and_cannot_decide(sign_in: SignIn, token: Token, office: Sessions, login: str) -> None:
    client = await sign_in(login)
    page = await client.get("/boxes")
    assert 'class="verdict fails"' in page.text
    assert "<textarea" not in page.text
    assert (await give(client, token, await place(office))).status_code == 403
    assert await decisions(office) == (None, None)


async def test_form_without_the_sessions_token_changes_nothing(sign_in: SignIn, token: Token, office: Sessions) -> None:
    ada = await sign_in("ada")
    where = await place(office)
    assert (await give(ada, token, where, csrf="made-up")).status_code == 403
    assert await decisions(office) == (None, None)


async def test_who_is_not_signed_in_is_sent_to_sign_in(anyone: httpx.AsyncClient, office: Sessions) -> None:
    answer = await anyone.post(await place(office), data={"decision": "release", "reason": "x"})
    assert answer.status_code in {303, 403}
    assert await decisions(office) == (None, None)


async def test_branch_of_another_box_and_unknown_ones_are_not_found(sign_in: SignIn, token: Token, office: Sessions) -> None:
    ada = await sign_in("ada")
    where = await place(office)
    _, _, box, _, number, _ = where.split("/")
    foreign = where.replace(box, box[:-1] + "9")
    for wrong in (foreign, where.replace(f"/{number}/", f"/{int(number) + 5}/")):
        assert (await give(ada, token, wrong)).status_code == 404
    for wrong in (where.replace(f"/{number}/", f"/{10**30}/"), where.replace("older", "both")):
        assert (await give(ada, token, wrong)).status_code == 422
    assert await decisions(office) == (None, None)


async def test_a_decision_wants_a_reason_and_is_one_of_two(sign_in: SignIn, token: Token, office: Sessions) -> None:
    ada = await sign_in("ada")
    where = await place(office)
    for fields in ({"reason": "  "}, {"decision": "forget"}, {"reason": "x" * 300}):
        assert (await give(ada, token, where, **fields)).status_code == 422
    assert await decisions(office) == (None, None)


async def test_whoever_was_slower_is_told_and_led_back(sign_in: SignIn, token: Token, office: Sessions) -> None:
    ada = await sign_in("ada")
    where = await place(office)
    await give(ada, token, where)
    late = await give(ada, token, where, decision="discard", reason="not ours")
    assert late.status_code == 409
    assert 'href="/boxes"' in late.text
    assert "Nothing was saved." in late.text
    assert await decisions(office) == ("release", None)
    assert (await give(ada, token, where, decision="discard", seen="release")).status_code == 303
    again = await give(ada, token, where, seen="discard")
    assert again.status_code == 422
    assert await decisions(office) == ("discard", None)


@pytest.mark.parametrize(
    ("login", "told"),
    [
        ("tal", r"Entries 2 to 180 of run \w{32} will not come: the box lost its journal\. Written between"),
        ("noa", r"רשומות 2 עד 180 של ריצה \w{32} לא יגיעו: הקופסה איבדה את היומן שלה\. נכתבו בין"),
    ],
)
async def test_gaps_are_told_in_words(sign_in: SignIn, login: str, told: str) -> None:
    client = await sign_in(login)
    assert re.search(told, bare(await client.get("/boxes")))
