"""What a kit is made of, at every depth."""

from decimal import Decimal
from fractions import Fraction

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.errors import Refused
from cloud.masters.models import BomLine, Product
from cloud.masters.units import exact, units_of

MAX_DEPTH = 30
"""Kits within kits: rows that got in beside the service may go round in a circle."""


async def explode(session: AsyncSession, kit: Product, quantity: Decimal) -> dict[int, Fraction]:
    """How much of each product that is no kit goes into so much of a kit, scrap included, in each product's own unit, by the
    product's id. Exact; a kit without lines is what it is itself. Raises Refused `circle`."""
    units = await units_of(session)
    need: dict[int, Fraction] = {}
    level: dict[int, Fraction] = {kit.id: Fraction(quantity)}
    for _ in range(MAX_DEPTH):
        if not level:
            return need
        rows = await session.execute(
            select(BomLine, Product.unit)
            .join(Product, Product.id == BomLine.child_id)
            .where(BomLine.parent_id.in_(level), BomLine.archived.is_(False))
            .order_by(BomLine.id)
        )
        below: dict[int, Fraction] = {}
        parents = set()
        for line, unit in rows:
            parents.add(line.parent_id)
            amount = level[line.parent_id] * exact(line.quantity, line.unit, unit, units) * (1 + Fraction(line.scrap))
            below[line.child_id] = below.get(line.child_id, Fraction(0)) + amount
        for product_id, amount in level.items():
            if product_id not in parents:
                need[product_id] = need.get(product_id, Fraction(0)) + amount
        level = below
    raise Refused("circle", field="component")
