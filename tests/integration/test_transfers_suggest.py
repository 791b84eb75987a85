"""Where goods are to be put: with the same goods, with their product, or in an empty place that fits; never in an unfit one."""

from dataclasses import dataclass

import pytest

from cloud.db.engine import Sessions
from cloud.masters.models import Location, Party, Product
from cloud.transfers.suggest import put_away_list, suggest
from tests.integration.transfer_world import RECEIPT, Warehouse, make_warehouse


@pytest.fixture
async def house(sessions: Sessions) -> Warehouse:
    return await make_warehouse(sessions)


@dataclass
class Asked:
    product: str = "K"
    owner: str = "HOUSE"
    lot: str | None = "L1"


async def offered(house: Warehouse, asked: Asked, limit: int = 10) -> list[tuple[str, str]]:
    async with house.sessions.read() as session:
        product = await session.get_one(Product, house.ids[f"product:{asked.product}"])
        owner = await session.get_one(Party, house.ids[f"party:{asked.owner}"])
        site = (await session.get_one(Location, house.ids["place:A1"])).site_id
        lot = None if asked.lot is None else house.ids[f"lot:{asked.lot}"]
        found = await suggest(session, product, owner, lot_id=lot, site_id=site, limit=limit)
        return [(one.location.code, one.why) for one in found]


async def test_the_likeliest_place_comes_first_and_unfit_ones_never(house: Warehouse) -> None:
    await house.put("K", "A3", "1", lot="L1")
    await house.put("K", "A2", "9", lot="L2")
    await house.put("P", "A1", "1")
    assert await offered(house, Asked()) == [
        ("A3", "same_lot"), ("A2", "same_product"), ("COLD", "empty"), ("A1", "shared"),
    ]  # fmt: skip
    assert await offered(house, Asked(), limit=1) == [("A3", "same_lot")]
    assert (await offered(house, Asked(owner="OWN")))[0] == ("B1", "empty")
    cold = [place for place, _ in await offered(house, Asked("C", lot=None))]
    assert cold[0] == "COLD"
    assert not {"A1", "B1", "RCV", "QRT", "REJ", "T1"} & set(cold)


async def test_the_put_away_list_of_a_receipt_shrinks_as_goods_are_put_away(house: Warehouse) -> None:
    await house.put("K", "RCV", "5", lot="L1", bucket="released", line=1)
    await house.put("P", "RCV", "3", bucket="released", line=2, unit=True)
    await house.put("P", "QRT", "2", bucket="pending_qc", line=3)

    async def listed() -> list[tuple[int, str, str]]:
        async with house.sessions.read() as session:
            rows = await put_away_list(session, RECEIPT)
        assert all(1 <= len(row.places) <= 3 and row.location.code == "RCV" for row in rows)
        assert [row.unit is not None for row in rows if row.line == 2] in ([], [True])
        return [(row.line, row.product.sku, f"{row.quantity:f}") for row in rows]

    assert await listed() == [(1, "K", "5"), (2, "P", "3")]
    line = {"product": "K", "lot": "LOT-L1", "given_quantity": "2"}
    made = await house.transfer("put_away", line, from_place="RCV", to_place="A1", receipt_ref="GR-1")
    await house.do("transfer", made.ref, "post")
    assert await listed() == [(1, "K", "3"), (2, "P", "3")]
