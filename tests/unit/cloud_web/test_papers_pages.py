"""Papers over real receipts, asked as browsers ask: made, looked at, and checked by whoever holds one."""

import hashlib
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import httpx
import pytest
from sqlalchemy import select, update

from cloud import catalogue
from cloud.db.engine import Sessions
from cloud.papers.models import Paper, PaperCopy
from cloud.papers.verifying import RATE
from cloud.receiving.models import Receipt
from cloud.web import StaffDeps, create_staff_app
from tests.integration.conftest import TurnedClock
from tests.unit.cloud_web.conftest import SignIn
from tests.unit.cloud_web.office import Refs, staff_deps

TOKEN = re.compile(r'name="csrf" value="([^"]+)"')
MATCH, MISMATCH = "This paper is ours", "not the paper that it claims to be"


@pytest.fixture
def deps(office: Sessions, now: TurnedClock) -> StaffDeps:
    return replace(staff_deps(office, now), registry=catalogue.registry(), hooks=catalogue.hooks())


@dataclass
class Outside:
    """A browser of somebody whom nobody knows."""

    client: httpx.AsyncClient

    async def ask(self, uid: str, status: int = 200, **given: str) -> str:
        form = await self.client.get(f"/v/{uid}")
        assert form.status_code == 200
        return await self.send(uid, _token(form.text), status, **given)

    async def send(self, uid: str, token: str, status: int = 200, **given: str) -> str:
        answer = await self.client.post(f"/v/{uid}", data={"csrf": token, **given})
        assert answer.status_code == status, answer.text[-2000:]
        return answer.text


@pytest.fixture
async def outside(deps: StaffDeps) -> AsyncIterator[Outside]:
    transport = httpx.ASGITransport(create_staff_app(deps))
    headers = {"accept-language": "en"}
    async with httpx.AsyncClient(transport=transport, base_url="http://staff.test", headers=headers) as client:
        yield Outside(client)


def _token(page: str) -> str:
    found = TOKEN.search(page)
    assert found is not None
    return found[1]


async def make(client: httpx.AsyncClient, kind: str, ref: str, lang: str = "en") -> bytes:
    """Press the button and look at what comes."""
    token = _token((await client.get("/me")).text)
    answer = await client.post(f"/papers/{kind}/{ref}.pdf", data={"csrf": token, "lang": lang})
    assert answer.status_code == 303, answer.text[-2000:]
    assert answer.headers["location"] == f"/papers/{kind}/{ref}.pdf?lang={lang}"
    pdf = await client.get(answer.headers["location"])
    assert pdf.headers["content-type"] == "application/pdf"
    return pdf.content


async def papers(office: Sessions) -> list[Paper]:
    async with office.read() as session:
        return list(await session.scalars(select(Paper).order_by(Paper.id)))


async def change(office: Sessions, ref: str, **values: object) -> None:
    async with office.write() as session:
        await session.execute(update(Receipt).where(Receipt.ref == ref).values(version=Receipt.version + 1, **values))


@pytest.mark.parametrize("name", ["over", "hostile", "running"])
async def test_every_receipt_can_be_printed(noa: httpx.AsyncClient, refs: Refs, name: str) -> None:
    for kind, lang in (("goods_received", "he"), ("discrepancy", "en"), ("put_away", "he")):
        assert (await make(noa, kind, getattr(refs, name), lang)).startswith(b"%PDF-")


async def test_what_is_not_changed_is_not_made_again_but_counted(
    noa: httpx.AsyncClient, office: Sessions, refs: Refs, now: TurnedClock
) -> None:
    first = await make(noa, "goods_received", refs.clean)
    now.go(minutes=5)
    assert await make(noa, "goods_received", refs.clean) == first
    (paper,) = await papers(office)
    assert hashlib.sha256(paper.snapshot.encode()).hexdigest() == paper.sha256
    assert json.loads(paper.snapshot)["content"]["lines"][0]["quantity"] == {"value": "12.340", "unit": "kg"}
    async with office.read() as session:
        (copy,) = (await session.scalars(select(PaperCopy))).all()
    assert (copy.copies, copy.pdf_sha256) == (2, hashlib.sha256(first).hexdigest())
    await make(noa, "goods_received", refs.clean, "he")
    await change(office, refs.clean, seal="S-1")
    assert await make(noa, "goods_received", refs.clean) != first
    assert [one.language for one in await papers(office)] == ["en", "he", "en"]


async def test_paper_that_nobody_made_is_not_there(noa: httpx.AsyncClient, refs: Refs) -> None:
    for path in (
        f"/papers/goods_received/{refs.clean}.pdf",
        "/papers/goods_received/GR-9.pdf",
        f"/papers/nothing/{refs.clean}.pdf",
    ):
        assert (await noa.get(path)).status_code == 404
    token = _token((await noa.get("/me")).text)
    assert (await noa.post(f"/papers/gate_pass/{refs.clean}.pdf", data={"csrf": token})).status_code == 404


async def test_making_is_in_the_records_history(sign_in: SignIn, refs: Refs) -> None:
    ron = await sign_in("ron")
    await make(ron, "goods_received", refs.clean)
    assert "Paper made" in (await ron.get(f"/receipts/{refs.clean}")).text


async def test_who_is_not_signed_in_gets_no_paper(noa: httpx.AsyncClient, outside: Outside, refs: Refs) -> None:
    await make(noa, "goods_received", refs.clean)
    for path in (f"/papers/goods_received/{refs.clean}.pdf", f"/labels/receipt_lots/{refs.clean}.pdf"):
        answer = await outside.client.get(path)
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/sign-in")


async def test_anybody_can_check_a_paper(noa: httpx.AsyncClient, outside: Outside, office: Sessions, refs: Refs) -> None:
    pdf = await make(noa, "goods_received", refs.clean)
    (paper,) = await papers(office)
    groups = " ".join(paper.sha256[start : start + 8] for start in range(0, 64, 8))
    for code in (paper.sha256, groups, f"tallybox:paper/{paper.uid}#{paper.sha256}"):
        page = await outside.ask(paper.uid, code=code)
        assert MATCH in page
        assert "Nothing newer" in page
    for code in ("", paper.sha256[:-1] + ("0" if paper.sha256[-1] != "0" else "1"), paper.content_sha256):
        assert MISMATCH in await outside.ask(paper.uid, code=code)
    token = _token((await outside.client.get(f"/v/{paper.uid}")).text)
    for data, said in ((pdf, MATCH), (pdf[:-1] + b"x", MISMATCH), (b"", MISMATCH)):
        files = {"file": ("paper.pdf", data, "application/pdf")}
        answer = await outside.client.post(f"/v/{paper.uid}", data={"csrf": token}, files=files)
        assert said in answer.text


async def test_the_answer_says_nothing_of_the_record(
    noa: httpx.AsyncClient, outside: Outside, office: Sessions, refs: Refs
) -> None:
    await make(noa, "goods_received", refs.clean)
    (paper,) = await papers(office)
    page = await outside.ask(paper.uid, code=paper.sha256)
    for secret in (refs.clean, "SUP-014", "noa", "12.340", "L-2611-A", "goods", "Carmel"):
        assert secret not in page


async def test_unknown_paper_is_answered_as_a_wrong_hash(
    noa: httpx.AsyncClient, outside: Outside, office: Sessions, refs: Refs
) -> None:
    await make(noa, "goods_received", refs.clean)
    (paper,) = await papers(office)
    wrong = await outside.ask(paper.uid, code="0" * 64)
    unknown = await outside.ask("0" * 32, code="0" * 64)
    assert MISMATCH in wrong
    assert wrong.replace(paper.uid, "-") == unknown.replace("0" * 32, "-")


async def test_older_paper_is_known_as_one_and_its_copy_in_the_other_language_is_not(
    noa: httpx.AsyncClient, outside: Outside, office: Sessions, refs: Refs
) -> None:
    await make(noa, "goods_received", refs.clean)
    await make(noa, "goods_received", refs.clean, "he")
    await make(noa, "discrepancy", refs.clean)
    first, second, other = await papers(office)
    for paper in (first, second, other):
        assert "Nothing newer" in await outside.ask(paper.uid, code=paper.sha256)
    await change(office, refs.clean)
    assert "has changed since" in await outside.ask(first.uid, code=first.sha256)
    await change(office, refs.clean, seal="S-1")
    await make(noa, "goods_received", refs.clean)
    newest = (await papers(office))[-1]
    assert "Nothing newer" in await outside.ask(newest.uid, code=newest.sha256)
    for paper in (first, second):
        assert "has changed since" in await outside.ask(paper.uid, code=paper.sha256)
    assert "has changed since" not in await outside.ask(first.uid, code="0" * 64)


async def test_who_asks_too_often_waits(outside: Outside, now: TurnedClock) -> None:
    token = _token((await outside.client.get("/v/x")).text)
    for _ in range(RATE):
        await outside.send("x", token, code="0" * 64)
    await outside.send("x", token, 429, code="0" * 64)
    now.go(minutes=1)
    await outside.send("x", token, code="0" * 64)


async def test_another_sites_page_cannot_ask(outside: Outside) -> None:
    answer = await outside.client.post("/v/x", data={"code": "0" * 64, "csrf": "made up"})
    assert answer.status_code == 403


async def test_labels_of_a_receipts_lots(noa: httpx.AsyncClient, refs: Refs) -> None:
    pdf = await noa.get(f"/labels/receipt_lots/{refs.clean}.pdf?lang=he")
    assert pdf.status_code == 200, pdf.text[-2000:]
    assert pdf.content.startswith(b"%PDF-")
    zpl = await noa.get(f"/labels/receipt_lots/{refs.clean}.zpl?copies=2&dpi=300&lang=en")
    assert zpl.headers["content-disposition"].startswith("attachment")
    assert zpl.text.count("^XA") == 4
    assert "L-2611-A" in zpl.text
    assert (await noa.get("/labels/product/CHK-CUB.zpl")).text.count("^XA") == 1
    for wrong in (
        "receipt_lots/GR-9.pdf",
        f"receipt_lots/{refs.clean}.png",
        f"lots/{refs.clean}.pdf",
        f"receipt_lots/{refs.clean}.zpl?dpi=1",
    ):
        assert (await noa.get(f"/labels/{wrong}")).status_code == 404
    assert (await noa.get(f"/labels/receipt_units/{refs.clean}.pdf")).status_code == 422
