"""Stock pages say what the ledger says, in every way of looking at it, and end where the visitor's sites end."""

import csv
import io
from datetime import timedelta
from decimal import Decimal

import httpx
import pytest
from sqlalchemy import select

from cloud.kernel.actor import Taken
from cloud.masters.models import Location, Party, Product, Site
from cloud.people.accounts import user_by_login
from cloud.people.roles import give_role, take_role
from cloud.stock.ledger import Document, Wanted, post
from cloud.stock.lots import lot_of
from cloud.stock.places import place_of
from cloud.web import StaffDeps
from tests.integration.conftest import ADMIN
from tests.unit.cloud_web.conftest import SignIn


@pytest.fixture
async def stocked(deps: StaffDeps) -> StaffDeps:
    """Two lots of two owners on two shelves; some went to a customer."""
    now = deps.clock()
    taken = Taken(ADMIN, now)
    async with deps.sessions.write() as session:
        product = Product(sku="OIL-5", name="Olive oil", name_he="שמן זית", unit="kg", tracking="lot")
        session.add(product)
        await session.flush()
        house, owner = [
            (await session.scalars(select(Party).where(Party.has_role(role)).order_by(Party.id).limit(1))).one()
            for role in ("house", "owner")
        ]
        if owner.id == house.id:
            owner = (await session.scalars(select(Party).where(Party.has_role("owner"), Party.id != house.id).limit(1))).one()
        shelves = list(
            await session.scalars(
                select(Location).where(Location.code.in_(["GAL-DRY-A1", "GAL-DRY-A2"])).order_by(Location.code)
            )
        )
        supplier, customer = [await place_of(session, usage) for usage in ("supplier", "customer")]
        one = await lot_of(session, product, "L-100", taken=taken)
        two = await lot_of(session, product, "L-200", taken=taken)
        about = Document("transfer", "uid-1", "TR-1")

        def move(key: str, lot: int, who: int, amount: str, way: tuple[int, int], days: int) -> Wanted:
            return Wanted(key, product.id, who, Decimal(amount), way[0], way[1], about, now - timedelta(days=days), lot_id=lot)

        await post(
            session,
            [
                move("a", one.id, house.id, "100.5", (supplier.id, shelves[0].id), 20),
                move("b", two.id, owner.id, "40", (supplier.id, shelves[1].id), 10),
                move("c", one.id, house.id, "30.25", (shelves[0].id, customer.id), 2),
            ],
            taken,
        )
        Facts.sku, Facts.house, Facts.owner = product.sku, house.ref, owner.ref
    return deps


class Facts:
    """Refs of what was posted."""

    sku = ""
    house = ""
    owner = ""


def _rows(answer: httpx.Response) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.text.lstrip("\ufeff"))))


@pytest.mark.parametrize("by", ["product", "location", "owner", "lot"])
async def test_every_way_of_looking_sums_the_same(stocked: StaffDeps, noa: httpx.AsyncClient, by: str) -> None:
    page = await noa.get(f"/stock?by={by}&product={Facts.sku}")
    assert page.status_code == 200
    assert {"product": "110.25", "location": "70.25", "owner": "70.25", "lot": "70.25"}[by] in page.text


async def test_one_product_shows_how_it_went_over_time(stocked: StaffDeps, noa: httpx.AsyncClient) -> None:
    page = await noa.get(f"/stock?product={Facts.sku}&days=30")
    assert '<svg class="chart"' in page.text


async def test_detail_and_its_csv_agree(stocked: StaffDeps, noa: httpx.AsyncClient) -> None:
    page = await noa.get(f"/stock/lines?product={Facts.sku}")
    rows = _rows(await noa.get(f"/stock/lines.csv?product={Facts.sku}"))
    assert sorted(row["quantity"] for row in rows) == ["40", "70.25"]
    assert all(row["lot"] in page.text for row in rows)


async def test_unknown_code_is_said_and_shows_nothing(stocked: StaffDeps, noa: httpx.AsyncClient) -> None:
    page = await noa.get("/stock/lines?product=NOBODY-KNOWS")
    assert 'id="unknown"' in page.text
    assert "L-100" not in page.text
    assert _rows(await noa.get("/stock/lines.csv?product=NOBODY-KNOWS")) == []


async def test_movements_are_newest_first_and_by_days(stocked: StaffDeps, noa: httpx.AsyncClient) -> None:
    rows = _rows(await noa.get(f"/stock/movements.csv?product={Facts.sku}"))
    assert [row["quantity"] for row in rows] == ["30.25", "40", "100.5"]
    day = (stocked.clock() - timedelta(days=3)).date().isoformat()
    assert len(_rows(await noa.get(f"/stock/movements.csv?product={Facts.sku}&from={day}"))) == 1
    assert "30.25" in (await noa.get(f"/stock/movements?from={day}")).text
    assert (await noa.get("/stock/movements?after=nonsense~x&from=32.1.2026")).status_code == 200


async def test_statement_opens_moves_and_closes(stocked: StaffDeps, noa: httpx.AsyncClient) -> None:
    since = (stocked.clock() - timedelta(days=5)).date().isoformat()
    row = _rows(await noa.get(f"/stock/statement.csv?owner={Facts.house}&product={Facts.sku}&from={since}"))[0]
    found = [Decimal(row[name]) for name in ("opening", "came", "went", "closing")]
    assert found == [Decimal(one) for one in ("100.5", "0", "30.25", "70.25")]
    page = await noa.get(f"/stock/statement?owner={Facts.house}&from={since}")
    assert "100.5" in page.text
    assert (await noa.get("/stock/statement")).status_code == 200


async def test_recall_says_where_a_lot_is_and_who_got_it(stocked: StaffDeps, noa: httpx.AsyncClient) -> None:
    page = (await noa.get("/stock/recall?code=L-100")).text
    assert "GAL-DRY-A1" in page
    assert "70.25" in page
    assert "30.25" in page
    assert "L-999" in (await noa.get("/stock/recall?code=L-999")).text


async def test_another_sites_people_see_none_of_it(stocked: StaffDeps, sign_in: SignIn) -> None:
    taken = Taken(ADMIN, stocked.clock())
    async with stocked.sessions.write() as session:
        ron = await user_by_login(session, "ron")
        assert ron is not None
        session.add(Site(code="negev", name="negev"))
        await session.flush()
        await give_role(session, ron, "supervisor", taken, site="negev")
        await take_role(session, ron, "supervisor", taken)
    client = await sign_in("ron")
    for address in ("/stock", "/stock?by=lot", "/stock/lines", "/stock/movements", f"/stock/statement?owner={Facts.house}"):
        page = await client.get(address)
        assert page.status_code == 200, address
        assert "L-100" not in page.text
        assert "100.5" not in page.text
    assert "GAL-DRY-A1" not in (await client.get("/stock/recall?code=L-100")).text
