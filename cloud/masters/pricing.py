"""Which price holds: for a party, a product, a quantity and a day."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.errors import Refused
from cloud.kernel.actor import Taken
from cloud.masters.models import Party, Price, PriceList, Product
from cloud.masters.product_rules import fits_product, in_order
from cloud.masters.units import Units, exact, units_of

Found = tuple[PriceList, Price]


async def best_price(
    session: AsyncSession,
    product: Product,
    quantity: Decimal,
    day: date,
    *,
    party: Party | None = None,
    unit: str | None = None,
) -> Found | None:
    """The price of so much of a product (in `unit`; None: the product's), and its list; None where there is none.

    The nearest list decides: the party's own, else its segment's, else everybody's; a farther one is asked only where the
    nearer has no price for this product, quantity and day. Inside it the price from the largest quantity that is reached holds,
    of those the newest, of those the lowest.
    """
    rows = await session.execute(
        select(PriceList, Price)
        .join(Price, Price.list_id == PriceList.id)
        .where(Price.product_id == product.id, Price.archived.is_(False), PriceList.archived.is_(False))
        .where(*_valid(PriceList, day), *_valid(Price, day), _for(party))
    )
    units = await units_of(session)
    reached = [(one, price) for one, price in rows if _reached(price, product, quantity, unit or product.unit, units)]
    return min(reached, key=lambda found: _order(found, product, units), default=None)


def _for(party: Party | None) -> ColumnElement[bool]:
    everybody = PriceList.party_id.is_(None) & PriceList.segment.is_(None)
    if party is None:
        return everybody
    return or_(everybody, PriceList.party_id == party.id, PriceList.party_id.is_(None) & (PriceList.segment == party.segment))


def _valid(row: type[Price] | type[PriceList], day: date) -> tuple[ColumnElement[bool], ...]:
    return or_(row.valid_from.is_(None), row.valid_from <= day), or_(row.valid_to.is_(None), row.valid_to >= day)


def _reached(price: Price, product: Product, quantity: Decimal, unit: str, units: Units) -> bool:
    return exact(quantity, unit, price.unit or product.unit, units) >= price.from_qty


def _order(found: Found, product: Product, units: Units) -> tuple[Any, ...]:
    one, price = found
    level = 0 if one.party_id is not None else 1 if one.segment is not None else 2
    unit = price.unit or product.unit
    since = max((day for day in (price.valid_from, one.valid_from) if day is not None), default=date.min)
    per_unit = Fraction(price.price) / exact(Decimal(1), unit, product.unit, units)
    return level, -exact(price.from_qty, unit, product.unit, units), -since.toordinal(), per_unit, price.id


async def before_price_list(_session: AsyncSession, row: PriceList, _changes: Mapping[str, Any], _taken: Taken) -> None:
    """For one party or for a segment, from one day to a later one."""
    if row.party_id is not None and row.segment:
        raise Refused("party_or_segment", field="segment")
    in_order(row.valid_from, row.valid_to, "valid_to")


async def before_price(session: AsyncSession, row: Price, changes: Mapping[str, Any], _taken: Taken) -> None:
    """In a unit of the product, and not twice for the same days."""
    in_order(row.valid_from, row.valid_to, "valid_to")
    if {"unit", "product"} & changes.keys():
        await fits_product(session, row.unit, row.product_id)
    others = await session.scalars(
        select(Price).where(
            Price.list_id == row.list_id,
            Price.product_id == row.product_id,
            Price.from_qty == (Decimal(0) if row.from_qty is None else row.from_qty),
            Price.id != (row.id or 0),
            Price.archived.is_(False),
        )
    )
    for other in others:
        if other.unit == row.unit and _overlap(row, other):
            raise Refused("price_twice", field="valid_from")


def _overlap(one: Price, other: Price) -> bool:
    return (one.valid_from or date.min) <= (other.valid_to or date.max) and (other.valid_from or date.min) <= (
        one.valid_to or date.max
    )
