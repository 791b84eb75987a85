"""Stock pages say what the ledger says, in every way of looking at it, and end where the visitor's sites end."""

import csv
import io
from datetime import timedelta
from decimal import Decimal

import httpx
import pytest

from cloud.kernel.actor import Taken
from cloud.masters.models import Site
from cloud.people.accounts import user_by_login
from cloud.people.roles import give_role, take_role
from cloud.web import StaffDeps
from tests.integration.conftest import ADMIN
from tests.unit.cloud_web.conftest import SignIn
from tests.unit.cloud_web.stocked import SKU, Stocked, put_in_stock


@pytest.fixture
async def goods(deps: StaffDeps) -> Stocked:
    return await put_in_stock(deps.sessions, Taken(ADMIN, deps.clock()))


def _rows(answer: httpx.Response) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.text.lstrip("\ufeff"))))


@pytest.mark.parametrize("by", ["product", "location", "owner", "lot"])
async def test_every_way_of_looking_sums_the_same(goods: Stocked, noa: httpx.AsyncClient, by: str) -> None:
    page = await noa.get(f"/stock?by={by}&product={SKU}")
    assert page.status_code == 200
    assert {"product": "110.25", "location": "70.25", "owner": "70.25", "lot": "70.25"}[by] in page.text


async def test_one_product_shows_how_it_went_over_time(goods: Stocked, noa: httpx.AsyncClient) -> None:
    page = await noa.get(f"/stock?product={SKU}&days=30")
    assert '<svg class="chart"' in page.text


async def test_detail_and_its_csv_agree(goods: Stocked, noa: httpx.AsyncClient) -> None:
    page = await noa.get(f"/stock/lines?product={SKU}")
    rows = _rows(await noa.get(f"/stock/lines.csv?product={SKU}"))
    assert sorted(row["quantity"] for row in rows) == ["40", "70.25"]
    assert all(row["lot"] in page.text for row in rows)


async def test_unknown_code_is_said_and_shows_nothing(goods: Stocked, noa: httpx.AsyncClient) -> None:
    page = await noa.get("/stock/lines?product=NOBODY-KNOWS")
    assert 'id="unknown"' in page.text
    assert "L-100" not in page.text
    assert _rows(await noa.get("/stock/lines.csv?product=NOBODY-KNOWS")) == []


async def test_movements_are_newest_first_and_by_days(goods: Stocked, noa: httpx.AsyncClient, deps: StaffDeps) -> None:
    rows = _rows(await noa.get(f"/stock/movements.csv?product={SKU}"))
    assert [row["quantity"] for row in rows] == ["30.25", "40", "100.5"]
    day = (deps.clock() - timedelta(days=3)).date().isoformat()
    assert len(_rows(await noa.get(f"/stock/movements.csv?product={SKU}&from={day}"))) == 1
    assert "30.25" in (await noa.get(f"/stock/movements?from={day}")).text
    assert (await noa.get("/stock/movements?after=nonsense~x&from=32.1.2026")).status_code == 200


async def test_statement_opens_moves_and_closes(goods: Stocked, noa: httpx.AsyncClient, deps: StaffDeps) -> None:
    since = (deps.clock() - timedelta(days=5)).date().isoformat()
    row = _rows(await noa.get(f"/stock/statement.csv?owner={goods.house}&product={SKU}&from={since}"))[0]
    found = [Decimal(row[name]) for name in ("opening", "came", "went", "closing")]
    assert found == [Decimal(one) for one in ("100.5", "0", "30.25", "70.25")]
    page = await noa.get(f"/stock/statement?owner={goods.house}&from={since}")
    assert "100.5" in page.text
    assert (await noa.get("/stock/statement")).status_code == 200


async def test_recall_says_where_a_lot_is_and_who_got_it(goods: Stocked, noa: httpx.AsyncClient) -> None:
    page = (await noa.get("/stock/recall?code=L-100")).text
    assert "GAL-DRY-A1" in page
    assert "70.25" in page
    assert "30.25" in page
    assert "L-999" in (await noa.get("/stock/recall?code=L-999")).text


async def test_another_sites_people_see_none_of_it(goods: Stocked, deps: StaffDeps, sign_in: SignIn) -> None:
    taken = Taken(ADMIN, deps.clock())
    async with deps.sessions.write() as session:
        ron = await user_by_login(session, "ron")
        assert ron is not None
        session.add(Site(code="negev", name="negev"))
        await session.flush()
        await give_role(session, ron, "supervisor", taken, site="negev")
        await take_role(session, ron, "supervisor", taken)
    client = await sign_in("ron")
    for address in ("/stock", "/stock?by=lot", "/stock/lines", "/stock/movements", f"/stock/statement?owner={goods.house}"):
        page = await client.get(address)
        assert page.status_code == 200, address
        assert "L-100" not in page.text
        assert "100.5" not in page.text
    assert "GAL-DRY-A1" not in (await client.get("/stock/recall?code=L-100")).text
