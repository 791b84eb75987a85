"""Stock as pages show it: summed by product, place, owner or lot, and quant by quant."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from cloud.db.types import Micro
from cloud.masters.models import Location, Party, Product
from cloud.stock.models import HandlingUnit, Lot, Quant
from cloud.stock.quants import NOTHING
from cloud.stock.scope import ANYTHING, Scope

MAX_PAGE = 500


@dataclass(frozen=True, slots=True)
class _By:
    """What is summed by: the quant's column, the table it leads to, and what that is called."""

    column: InstrumentedAttribute[Any]
    id: InstrumentedAttribute[int]
    name: InstrumentedAttribute[str]


BY: Mapping[str, _By] = {
    "product": _By(Quant.product_id, Product.id, Product.sku),
    "location": _By(Quant.location_id, Location.id, Location.code),
    "owner": _By(Quant.owner_id, Party.id, Party.ref),
    "lot": _By(Quant.lot_id, Lot.id, Lot.ref),
}


@dataclass(frozen=True, slots=True)
class Sum:
    """What of one product there is under one heading; several products under a heading are several sums."""

    id: int
    """Of the heading: a product, location, owner or lot."""
    name: str
    product_id: int
    sku: str
    product: str
    product_he: str | None
    unit: str
    quantity: Decimal
    reserved: Decimal
    quants: int
    since: datetime
    moved_at: datetime


async def stock_by(session: AsyncSession, by: str, scope: Scope = ANYTHING, *, after: str = "", limit: int = 50) -> list[Sum]:
    """Sums by `product`, `location`, `owner` or `lot`, of up to `limit` headings in the order of their names; `after` is the
    last name of the page before. Raises KeyError for another `by`."""
    how = BY[by]
    heads = (
        select(how.id)
        .where(how.name > after, select(Quant.id).where(how.column == how.id, *scope.quants()).exists())
        .order_by(how.name)
        .limit(max(1, min(limit, MAX_PAGE)))
    )
    ids = (await session.scalars(heads)).all()
    product = (Product.id, Product.sku, Product.name, Product.name_he, Product.unit)
    query = (
        select(
            how.id,
            how.name,
            *product,
            func.sum(Quant.quantity, type_=Micro()),
            func.sum(Quant.reserved, type_=Micro()),
            func.count(),
            func.min(Quant.since),
            func.max(Quant.moved_at),
        )
        .select_from(Quant)
        .join(Product, Product.id == Quant.product_id)
    )
    if by != "product":
        query = query.join(how.id.class_, how.id == how.column)
    rows: Any = await session.execute(
        query.where(how.column.in_(ids), *scope.quants())
        .group_by(*(product if by == "product" else (how.id, how.name, *product)))
        .order_by(how.name, Product.sku)
    )
    return [Sum(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class Line:
    """One quant with the names of what it is."""

    id: int
    key: str
    sku: str
    product: str
    product_he: str | None
    unit: str
    lot: str | None
    lot_ref: str | None
    lot_state: str | None
    expires_on: date | None
    location: str
    location_name: str
    location_name_he: str | None
    usage: str
    hold: bool
    site_id: int
    sscc: str | None
    owner: str
    owner_name: str
    quantity: Decimal
    reserved: Decimal
    since: datetime
    moved_at: datetime


async def stock_lines(session: AsyncSession, scope: Scope = ANYTHING, *, after: int = 0, limit: int = 50) -> Sequence[Line]:
    """Quants in the order in which they arose; `after` is the `id` of the last one of the page before."""
    rows: Any = await session.execute(
        select(
            Quant.id,
            Quant.key,
            Product.sku,
            Product.name,
            Product.name_he,
            Product.unit,
            Lot.code,
            Lot.ref,
            Lot.state,
            Lot.expires_on,
            Location.code,
            Location.name,
            Location.name_he,
            Location.usage,
            Location.hold,
            Location.site_id,
            HandlingUnit.sscc,
            Party.ref,
            Party.name,
            Quant.quantity,
            Quant.reserved,
            Quant.since,
            Quant.moved_at,
        )
        .join(Product, Product.id == Quant.product_id)
        .join(Location, Location.id == Quant.location_id)
        .join(Party, Party.id == Quant.owner_id)
        .outerjoin(Lot, Lot.id == Quant.lot_id)
        .outerjoin(HandlingUnit, HandlingUnit.id == Quant.unit_id)
        .where(Quant.id > after, Quant.quantity != NOTHING, *scope.quants())
        .order_by(Quant.id)
        .limit(max(1, min(limit, MAX_PAGE)))
    )
    return [Line(*row) for row in rows]
