"""What the pages show and how the list is filtered, sorted, paged and exported, over real records."""

import csv
import io
import re

import httpx
import pytest

from cloud.web.reads import listing
from tests.unit.cloud_web.conftest import SignIn
from tests.unit.cloud_web.office import HOSTILE, Refs


def _shown(page: httpx.Response) -> list[str]:
    return re.findall(r'id="row-([^"]+)"', page.text)


@pytest.mark.parametrize("path", ["/", "/receipts", "/boxes"])
async def test_page_answers_in_the_persons_language(noa: httpx.AsyncClient, path: str) -> None:
    page = await noa.get(path)
    assert page.status_code == 200
    assert '<html lang="he" dir="rtl">' in page.text


async def test_every_receipt_has_a_page(noa: httpx.AsyncClient, refs: Refs) -> None:
    for name in refs.__slots__:
        page = await noa.get(f"/receipts/{getattr(refs, name)}")
        assert page.status_code == 200, name


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", "running forged tampered hostile cancelled over counted clean"),
        ("state=open", "running"),
        ("state=review", "forged tampered hostile over"),
        ("state=posted", "counted clean"),
        ("state=cancelled", "cancelled"),
        ("state=nonsense", "running forged tampered hostile cancelled over counted clean"),
        ("supplier=SUP-033", "counted"),
        ("order=0042", "running hostile cancelled"),
        ("q=kp-5512", "counted"),
        ("q=s-2611/03", "clean"),
        ("q=%25", ""),
        ("q=TAH", "running"),
        ("from=2026-11-22&to=2026-11-22&state=posted", "counted clean"),
        ("to=2026-11-21", ""),
        ("from=never&state=open", "running"),
        ("sort=ref", "clean counted over cancelled hostile tampered forged running"),
        ("sort=-supplier&state=posted", "counted clean"),
        ("after=garbage&state=open", "running"),
    ],
)
async def test_list_follows_its_address(noa: httpx.AsyncClient, refs: Refs, query: str, names: str) -> None:
    page = await noa.get(f"/receipts?{query}")
    assert _shown(page) == [getattr(refs, name) for name in names.split()]


async def test_counts_follow_the_filters_but_not_the_group(noa: httpx.AsyncClient) -> None:
    counts = (await noa.get("/api/receipts?order=0041&state=posted")).json()["counts"]
    assert counts == {"all": 4, "open": 0, "review": 3, "posted": 1, "done": 0, "cancelled": 0}


@pytest.mark.parametrize("sort", ["received", "-received", "ref", "-supplier", "order"])
async def test_pages_joined_are_the_whole_list(noa: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, sort: str) -> None:
    whole = _shown(await noa.get(f"/receipts?sort={sort}"))
    monkeypatch.setattr(listing.list_receipts, "__kwdefaults__", {"limit": 3})
    joined, path, pages = [], f"/receipts?sort={sort}", 0
    while path:
        page = await noa.get(path)
        joined += _shown(page)
        pages += 1
        link = re.search(r'href="([^"]+)" rel="next"', page.text)
        path = link[1].replace("&amp;", "&") if link else ""
    assert joined == whole
    assert pages == 3


async def test_unchanged_page_is_not_sent_again(noa: httpx.AsyncClient, refs: Refs) -> None:
    for path in ("/", "/receipts?state=open", "/boxes", f"/receipts/{refs.over}"):
        page = await noa.get(path)
        seen = re.search(r'data-seen="([^"]+)"', page.text)
        assert seen is not None
        assert (await noa.get(path, headers={"x-seen": seen[1]})).status_code == 204, path
        assert (await noa.get(path, headers={"x-seen": "another"})).status_code == 200, path


async def test_home_shows_what_waits_oldest_first(noa: httpx.AsyncClient, refs: Refs) -> None:
    assert _shown(await noa.get("/")) == [refs.over, refs.hostile, refs.tampered, refs.forged, refs.running]


async def test_hostile_text_is_shown_and_does_nothing(noa: httpx.AsyncClient, refs: Refs) -> None:
    for path in ("/receipts", f"/receipts/{refs.hostile}", "/receipts?q=%3Cscript%3Ealert(1)%22%3E"):
        page = await noa.get(path)
        assert "<script>alert" not in page.text
        assert "<img" not in page.text
        assert "\u202e" not in page.text
    assert "&lt;script&gt;alert(1)" in (await noa.get(f"/receipts/{refs.hostile}")).text


async def test_csv_holds_plain_values(noa: httpx.AsyncClient, refs: Refs) -> None:
    answer = await noa.get("/receipts.csv?state=posted")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [row["ref"] for row in rows] == [refs.counted, refs.clean]
    assert rows[0]["supplier_he"] == "אריזות כנרת"
    assert rows[0]["received_at"].endswith("+00:00")
    assert not re.search("[\u200e\u200f\u202a-\u202e\u2066-\u2069]", answer.text)
    hostile = await noa.get(f"/receipts.csv?q={refs.hostile}")
    assert not re.search("[\u200e\u200f\u202a-\u202e\u2066-\u2069]", hostile.text)
    (row,) = csv.DictReader(io.StringIO(hostile.content.decode("utf-8-sig")))
    assert row["document"] == HOSTILE.replace("\u202e", "")


async def test_proof_leads_from_the_value_to_the_bytes(sign_in: SignIn, refs: Refs) -> None:
    tal = await sign_in("tal")
    page = (await tal.get(f"/receipts/{refs.clean}")).text
    line = page[page.index('id="proof-1"') : page.index('id="proof-2"')]
    for part in (
        "scale-1",
        "Mettler-Toledo ICS425 B327-9911",
        "mt-sics",
        "Box 1",
        "By network time",
        "± 20 ms",
        "22 Nov 2026 10:00:00.000 ±\u00a021\u00a0ms",
        "By our clock, as the box heard it",
        "Good",
        "Unbroken",
    ):
        assert part in line
    assert "53 20 53 20 20 20 20 20 31 32 2e 33 34 30 20 6b" in line
    assert "12.340" in line


async def test_typed_values_are_marked_with_who_and_why(sign_in: SignIn, refs: Refs) -> None:
    tal = await sign_in("tal")
    page = (await tal.get(f"/receipts/{refs.clean}")).text
    second = page[page.index('id="proof-2"') :]
    assert second.count("Typed by") == 2
    assert "Unreadable" in second
    listed = (await tal.get("/receipts?q=L-2611-A")).text
    assert 'class="typed"' in listed


@pytest.mark.parametrize(
    ("name", "problem"), [("tampered", "the line differs from the steps"), ("forged", "the signature is not good")]
)
async def test_evidence_that_does_not_verify_is_shown_loudly(sign_in: SignIn, refs: Refs, name: str, problem: str) -> None:
    tal = await sign_in("tal")
    page = (await tal.get(f"/receipts/{getattr(refs, name)}")).text
    assert 'class="verdict fails" role="alert"' in page
    assert problem in page
    assert "cannot be posted" in page
    assert '<tbody class="fails">' in page
    assert "All verified" not in page[page.index('id="lines"') : page.index('id="facts"')]


async def test_json_says_the_same(noa: httpx.AsyncClient, refs: Refs) -> None:
    found = (await noa.get(f"/api/receipts/{refs.clean}")).json()
    assert found["verification"] == {"ok": True, "values": 9, "problems": []}
    assert found["state"] == "posted"
    assert [(line["sku"], line["quantity"], line["unit"]) for line in found["lines"]] == [
        ("CHK-CUB", "12.340", "kg"),
        ("SLM-FIL", "8.065", "kg"),
    ]
    weight = next(proof for proof in found["lines"][0]["proofs"] if proof["field"] == "quantity")
    assert bytes.fromhex(weight["raw"]) == b"S S     12.340 kg\r\n"
    listed = (await noa.get("/api/receipts?order=PO-2026-0043")).json()
    assert [row["ref"] for row in listed["rows"]] == [refs.counted]


async def test_unknown_receipt_is_not_found(noa: httpx.AsyncClient) -> None:
    assert (await noa.get("/receipts/GR-1999-000001")).status_code == 404
    answer = await noa.get("/api/receipts/GR-1999-000001")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_there")


async def test_unknown_page_says_so_in_words(noa: httpx.AsyncClient) -> None:
    answer = await noa.get("/nowhere")
    assert answer.status_code == 404
    assert "לא נמצא" in answer.text
