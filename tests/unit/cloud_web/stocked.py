"""Goods in stock for tests of pages: two lots of two owners on two shelves, of which some went to a customer."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from sqlalchemy import select

from cloud.db.engine import Sessions
from cloud.kernel.actor import Taken
from cloud.masters.models import Location, Party, Product
from cloud.stock.ledger import Document, Wanted, post
from cloud.stock.lots import lot_of
from cloud.stock.places import house, place_of

SKU = "OIL-5"
SHELVES = ("GAL-DRY-A1", "GAL-DRY-A2")


@dataclass(frozen=True, slots=True)
class Stocked:
    """Refs of the owners: of lot L-100 (100.5 came 20 days ago, 30.25 went 2 days ago), and of L-200 (40 came 10 days ago)."""

    house: str
    owner: str


async def put_in_stock(sessions: Sessions, taken: Taken) -> Stocked:
    """Written into the ledger by its own function."""
    async with sessions.write() as session:
        product = Product(sku=SKU, name="Olive oil", name_he="שמן זית", unit="kg", tracking="lot")
        session.add(product)
        await session.flush()
        ours = await house(session)
        theirs = (await session.scalars(select(Party).where(Party.has_role("owner"), Party.id != ours.id).limit(1))).one()
        found = {row.code: row.id for row in await session.scalars(select(Location).where(Location.code.in_(SHELVES)))}
        one, two = (found[code] for code in SHELVES)
        supplier, customer = [(await place_of(session, usage)).id for usage in ("supplier", "customer")]
        first, second = [(await lot_of(session, product, code, taken=taken)).id for code in ("L-100", "L-200")]

        def move(key: str, lot: int, owner: int, amount: str, way: tuple[int, int], days: int) -> Wanted:
            moment = taken.at - timedelta(days=days)
            about = Document("transfer", "uid-1", "TR-1")
            return Wanted(key, product.id, owner, Decimal(amount), way[0], way[1], about, moment, lot_id=lot)

        wanted = [
            move("a", first, ours.id, "100.5", (supplier, one), 20),
            move("b", second, theirs.id, "40", (supplier, two), 10),
            move("c", first, ours.id, "30.25", (one, customer), 2),
        ]
        await post(session, wanted, taken)
        return Stocked(ours.ref, theirs.ref)
