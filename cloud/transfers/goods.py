"""Which goods a line of a transfer means, and from where to where they go by the kind of its document."""

from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.errors import Refused
from cloud.masters.models import Location, Party, Product
from cloud.stock.ledger import unit_contents
from cloud.stock.models import Lot
from cloud.stock.places import SCRAP as SCRAPPED
from cloud.stock.places import house, place_of
from cloud.stock.quants import INTERNAL as INSIDE
from cloud.transfers.models import (
    CUSTOMER_RETURN,
    INTERNAL,
    OWNERSHIP,
    PUT_AWAY,
    SCRAP,
    SUPPLIER_RETURN,
    Transfer,
    TransferLine,
)


@dataclass(frozen=True, slots=True)
class Goods:
    """One sort of goods of a line. `quantity` in the product's unit; `key` tells it from the line's other goods, empty where
    there are no others."""

    product: Product
    lot_id: int | None
    unit_id: int | None
    to_unit_id: int | None
    owner: Party
    quantity: Decimal
    key: str = ""


async def places(session: AsyncSession, transfer: Transfer, line: TransferLine) -> tuple[Location, Location]:
    """Where a line goes from and to. Raises Refused `place_missing` or `place_nowhere`."""
    source = await _place(session, line.from_id or transfer.from_id)
    target = await _place(session, line.to_id or transfer.to_id)
    if transfer.kind == SUPPLIER_RETURN:
        target = await place_of(session, "supplier")
    elif transfer.kind == CUSTOMER_RETURN:
        source = await place_of(session, "customer")
    elif transfer.kind == SCRAP:
        target = await place_of(session, "adjustment", code=SCRAPPED)
    elif transfer.kind == OWNERSHIP:
        target = source
    if source is None or target is None:
        raise Refused("place_missing", field="from_place" if source is None else "to_place")
    if transfer.kind != CUSTOMER_RETURN and source.usage not in INSIDE:
        raise Refused("place_nowhere", field="from_place", place=source.code)
    if transfer.kind in {INTERNAL, PUT_AWAY, CUSTOMER_RETURN} and target.usage not in INSIDE:
        raise Refused("place_nowhere", field="to_place", place=target.code)
    return source, target


async def _place(session: AsyncSession, place_id: int | None) -> Location | None:
    return None if place_id is None else await session.get_one(Location, place_id)


async def goods_of(session: AsyncSession, transfer: Transfer, line: TransferLine, source: Location) -> list[Goods]:
    """The goods of a line: those it names, or all that lies on its unit in the source. Raises Refused."""
    if line.product_id is None:
        return await _on_unit(session, transfer, line, source)
    if line.quantity is None:
        raise Refused("quantity_missing", field="given_quantity")
    product = await session.get_one(Product, line.product_id)
    await demand_lot(session, product, line.lot_id, line.quantity)
    owner_id = line.owner_id or transfer.owner_id
    owner = await house(session) if owner_id is None else await session.get_one(Party, owner_id)
    before = None if transfer.kind == CUSTOMER_RETURN else line.unit_id
    after = line.to_unit_id
    if transfer.kind in {SUPPLIER_RETURN, SCRAP}:
        after = None
    elif transfer.kind == OWNERSHIP:
        after = before
    return [Goods(product, line.lot_id, before, after, owner, line.quantity)]


async def _on_unit(session: AsyncSession, transfer: Transfer, line: TransferLine, source: Location) -> list[Goods]:
    if line.unit_id is None:
        raise Refused("product_or_unit", field="product")
    found = []
    for quant in await unit_contents(session, line.unit_id):
        if quant.location_id != source.id:
            continue
        owner = await session.get_one(Party, quant.owner_id)
        product = await session.get_one(Product, quant.product_id)
        after = None if transfer.kind == SCRAP else quant.unit_id
        found.append(Goods(product, quant.lot_id, quant.unit_id, after, owner, quant.quantity, quant.key))
    if not found:
        raise Refused("unit_empty", field="unit", place=source.code)
    return found


async def demand_lot(session: AsyncSession, product: Product, lot_id: int | None, quantity: Decimal | None) -> None:
    """A lot where the product is tracked by lots, a serial number for each piece, and of this product. Raises Refused."""
    if lot_id is None:
        if product.tracking != "none":
            raise Refused("lot_missing", field="lot", product=product.sku)
        return
    owner = await session.scalar(select(Lot.product_id).where(Lot.id == lot_id))
    if owner != product.id:
        raise Refused("lot_of_another", field="lot", product=product.sku)
    if product.tracking == "serial" and quantity not in {None, Decimal(0), Decimal(1)}:
        raise Refused("serial_is_one", field="given_quantity", product=product.sku)
