"""From what a box calls things to rows: products, lots, units, owners and places by their codes, and amounts."""

from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.errors import Refused
from cloud.masters.models import Location, Party, Product, Station
from cloud.stock.models import HandlingUnit, Lot
from cloud.transfers.rules import in_product_unit
from sync_protocol.errors import TextFault
from sync_protocol.quantity import decimal
from sync_protocol.steps import FieldValue


@dataclass(slots=True)
class Named:
    """What was found. `code` is the first thing that was not, as it is kept for a person, and `detail` what was said of it."""

    product: Product | None = None
    lot_id: int | None = None
    unit_id: int | None = None
    owner_id: int | None = None
    code: str | None = None
    detail: str | None = None

    def fault(self, code: str, detail: str) -> None:
        if self.code is None:
            self.code, self.detail = code, detail[:200]


async def find(session: AsyncSession, *, product: str | None, lot: str | None, unit: str | None, owner: str | None) -> Named:
    """Look everything up by its code. What nobody knows leaves its place empty and is told."""
    found = Named()
    if product is not None:
        found.product = await session.scalar(select(Product).where(Product.sku == product))
        if found.product is None:
            found.fault("product_unknown", product)
    if lot is not None and found.product is not None:
        asked = select(Lot.id).where(Lot.product_id == found.product.id, Lot.code == lot)
        found.lot_id = await session.scalar(asked)
        if found.lot_id is None:
            found.fault("lot_unknown", lot)
    if unit is not None:
        found.unit_id = await session.scalar(select(HandlingUnit.id).where(HandlingUnit.sscc == unit))
        if found.unit_id is None:
            found.fault("unit_unknown_here", unit)
    if owner is not None:
        found.owner_id = await session.scalar(select(Party.id).where(Party.ref == owner))
        if found.owner_id is None:
            found.fault("owner_unknown", owner)
    return found


async def place(session: AsyncSession, code: str) -> int | None:
    """The id of a location by its code."""
    return await session.scalar(select(Location.id).where(Location.code == code))


async def site_of(session: AsyncSession, station: str) -> int | None:
    """The id of a station's site."""
    return await session.scalar(select(Station.site_id).where(Station.code == station))


async def amount(session: AsyncSession, said: FieldValue, product: Product, *, nothing: bool = False) -> Decimal:
    """A box's amount in the product's own unit. Raises Refused as `in_product_unit`, and `quantity_form`."""
    return await in_product_unit(session, digits(said), said.unit or product.unit, product, nothing=nothing)


def digits(said: FieldValue) -> Decimal:
    """An amount as it was said. Raises Refused `quantity_form`."""
    try:
        return decimal(said.value)
    except TextFault as exc:
        raise Refused("quantity_form", quantity=said.value[:40]) from exc
