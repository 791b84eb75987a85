"""What is in a container, and what that weighs: its handling units, and those on them, carry quants of the ledger."""

from collections.abc import Collection
from fractions import Fraction

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.masters.models import Product
from cloud.masters.units import BUILT_IN, ratio
from cloud.stock.models import HandlingUnit, Quant
from cloud.trade.models import Container

MAX_DEPTH = 8
"""Units on units: a parcel in a box on a pallet in a container are four."""


async def units_in(session: AsyncSession, container: Container) -> list[HandlingUnit]:
    """The handling unit of a container and all that are on it, at any depth."""
    found: list[HandlingUnit] = []
    level: Collection[int] = [] if container.handling_unit_id is None else [container.handling_unit_id]
    rows = (await session.scalars(select(HandlingUnit).where(HandlingUnit.id.in_(level)))).all()
    for _ in range(MAX_DEPTH):
        found += rows
        rows = (await session.scalars(select(HandlingUnit).where(HandlingUnit.parent_id.in_([one.id for one in rows])))).all()
        if not rows:
            break
    return found


async def contents_kg(session: AsyncSession, container: Container) -> Fraction | None:
    """Kilograms of what is in it, with the tare of pallets; None where it has no unit, or nobody knows what one weighs."""
    units = await units_in(session, container)
    if not units:
        return None
    inside = [one for one in units if one.id != container.handling_unit_id]
    total = sum((Fraction(one.tare) for one in inside if one.tare is not None), Fraction(0))
    rows = await session.execute(
        select(Quant.quantity, Product.unit, Product.unit_weight)
        .join(Product, Product.id == Quant.product_id)
        .where(Quant.unit_id.in_([one.id for one in units]), Quant.internal)
    )
    for quantity, unit, unit_weight in rows:
        mass = BUILT_IN.get(unit)
        if mass is not None and mass.dimension == "mass":
            total += Fraction(quantity) * ratio(unit, "kg")
        elif unit_weight is not None:
            total += Fraction(quantity) * Fraction(unit_weight)
        else:
            return None
    return total
