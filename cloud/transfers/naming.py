"""From what a box calls things to rows: products, lots, units, owners and places by their codes, and amounts."""

from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.errors import Refused
from cloud.ingest.models import JournalEntry
from cloud.masters.models import Location, Party, Product, Station
from cloud.stock.models import HandlingUnit, Lot
from cloud.transfers.models import TransferLine
from cloud.transfers.rules import in_product_unit
from sync_protocol.entries import StepEntry, parse
from sync_protocol.errors import TextFault
from sync_protocol.movements import Moved, movement_step
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


async def mend(session: AsyncSession, line: TransferLine) -> None:
    """Look up again what nobody knew when a box said the line; what a person filled in stays. Raises Refused with the code of
    what is still not known: goods are never taken for the house's, or for a lot's, because a word was not understood."""
    said = await _said(session, line)
    if said is None:
        return
    unit = None if said.unit is None else said.unit.value
    found = await find(session, product=said.product, lot=said.lot, unit=unit, owner=said.owner)
    if line.product_id is None and found.product is not None:
        line.product_id = found.product.id
    line.lot_id = line.lot_id or found.lot_id
    line.unit_id = line.unit_id or found.unit_id
    line.owner_id = line.owner_id or found.owner_id
    line.from_id = line.from_id or await place(session, said.source.value)
    line.to_id = line.to_id or await place(session, said.target.value)
    named = (
        ("product_unknown", said.product, line.product_id),
        ("lot_unknown", said.lot, line.lot_id),
        ("unit_unknown_here", unit, line.unit_id),
        ("owner_unknown", said.owner, line.owner_id),
        ("place_unknown", said.source.value, line.from_id),
        ("place_unknown", said.target.value, line.to_id),
    )
    for code, word, there in named:
        if word is not None and there is None:
            raise Refused(code, said=word[:40])
    if said.quantity is not None and line.quantity is None and line.product_id is not None:
        product = await session.get_one(Product, line.product_id)
        line.quantity = await amount(session, said.quantity, product)
        line.given_unit = line.given_unit or product.unit


async def _said(session: AsyncSession, line: TransferLine) -> Moved | None:
    if line.run is None or line.seq is None:
        return None
    row = await session.get(JournalEntry, (line.run, line.seq))
    entry = None if row is None else parse(row.content)
    said = movement_step(entry) if isinstance(entry, StepEntry) else None
    return said if isinstance(said, Moved) else None


async def amount(session: AsyncSession, said: FieldValue, product: Product, *, nothing: bool = False) -> Decimal:
    """A box's amount in the product's own unit. Raises Refused as `in_product_unit`, and `quantity_form`."""
    return await in_product_unit(session, digits(said), said.unit or product.unit, product, nothing=nothing)


def digits(said: FieldValue) -> Decimal:
    """An amount as it was said. Raises Refused `quantity_form`."""
    try:
        return decimal(said.value)
    except TextFault as exc:
        raise Refused("quantity_form", quantity=said.value[:40]) from exc
