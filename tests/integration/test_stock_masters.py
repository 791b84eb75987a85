"""What gives moves their meaning is not rewritten under them."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from cloud import catalogue
from cloud.db.engine import Sessions
from cloud.errors import Refused
from cloud.kernel.access import Access
from cloud.kernel.actor import Actor, Taken
from cloud.masters.merging import merge_parties
from cloud.masters.models import Location, Party, Product, Site
from cloud.objects import service
from cloud.objects.caller import caller
from cloud.objects.registry import Registry
from cloud.stock.ledger import Document, Wanted, post
from cloud.stock.lots import lot_of
from cloud.stock.places import place_of

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
TAKEN = Taken(Actor.user("dana", "admin"), NOW, access=Access.all())


@pytest.fixture
async def registry(sessions: Sessions) -> Registry:
    """Ten litres of one lot of somebody's on a shelf."""
    async with sessions.write() as session:
        site = Site(code="galil", name="Galil")
        product = Product(sku="P-1", name="Milk", unit="L", tracking="lot")
        owners = [Party(ref=f"OWN-{one}", name=f"Owner {one}", roles=["owner"]) for one in range(3)]
        session.add_all([site, product, *owners])
        await session.flush()
        shelf = Location(code="S", name="S", usage="stock", site_id=site.id)
        session.add(shelf)
        await session.flush()
        lot = await lot_of(session, product, "A1", taken=TAKEN)
        source = await place_of(session, "supplier")
        paper = Document("receipt", "u", "R")
        wanted = Wanted(
            "k", product.id, owners[0].id, Decimal(10), source.id, shelf.id, paper, NOW, lot_id=lot.id
        )  # fmt: skip
        await post(session, [wanted], TAKEN)
    return catalogue.registry()


@pytest.mark.parametrize(
    ("kind", "ref", "given", "code"),
    [
        ("product", "P-1", {"unit": "mL"}, "unit_has_stock"),
        ("product", "P-1", {"unit": "L", "name": "Whole milk"}, None),
        ("location", "S", {"usage": "customer"}, "place_has_stock"),
        ("location", "S", {"usage": "quarantine"}, None),
        ("lot", "L-000001", {"code": "A2"}, "lot_has_moves"),
        ("lot", "L-000001", {"expires_on": "2027-01-01"}, "lot_has_stock"),
        ("lot", "L-000001", {"made_on": "2026-01-01"}, None),
    ],
)
async def test_what_a_move_means_stays(
    sessions: Sessions, registry: Registry, kind: str, ref: str, given: dict[str, object], code: str | None
) -> None:
    async with sessions.write() as session:
        desk = await caller(session, registry, TAKEN)
        if code is None:
            await service.update(desk, kind, ref, given)
            return
        with pytest.raises(Refused, match=code):
            await service.update(desk, kind, ref, given)


async def test_a_day_is_corrected_by_whoever_may_with_a_reason(sessions: Sessions, registry: Registry) -> None:
    async with sessions.write() as session:
        desk = await caller(session, registry, Taken(TAKEN.actor, NOW, "misread", access=Access.all()))
        item = await service.do(desk, "lot", "L-000001", "correct_expiry", given={"expires_on": "2027-01-01"})
        assert str(item.values["expires_on"]) == "2027-01-01"


async def test_a_party_with_moves_is_not_made_part_of_another(sessions: Sessions, registry: Registry) -> None:
    async with sessions.write() as session:
        desk = await caller(session, registry, TAKEN)
        with pytest.raises(Refused, match="merge_moves"):
            await merge_parties(desk, "OWN-1", "OWN-0")
    async with sessions.write() as session:
        desk = await caller(session, registry, TAKEN)
        assert (await merge_parties(desk, "OWN-0", "OWN-1")).ref == "OWN-0"
