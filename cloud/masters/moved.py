"""What the ledger has of master data: moves are never rewritten, so neither is what gives them their meaning."""

from sqlalchemy import inspect, select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.db.base import Base
from cloud.errors import Refused
from cloud.masters.models import Location, Product
from sync_protocol.places import INTERNAL

INSIDE = INTERNAL
"""Usages of places that are somewhere: they never hold less than nothing."""

LEDGER = frozenset({"move", "quant"})
"""Tables that change by posting alone."""


async def moved(session: AsyncSession, row_id: int, *columns: str) -> bool:
    """Whether a move names the row in one of these columns."""
    move = Base.metadata.tables.get("move")
    if move is None:
        return False
    with session.no_autoflush:
        for name in columns:
            if await session.scalar(select(move.c.id).where(move.c[name] == row_id).limit(1)) is not None:
                return True
    return False


async def keep_unit(session: AsyncSession, row: Product) -> None:
    """Quantities of the ledger are in the product's unit. Raises Refused `unit_has_stock`."""
    if row.id is not None and await moved(session, row.id, "product_id"):
        raise Refused("unit_has_stock", field="unit", sku=row.sku)


async def keep_usage(session: AsyncSession, row: Location) -> None:
    """What was stock stays what was stock. Raises Refused `place_has_stock`."""
    before = set(inspect(row).attrs.usage.history.deleted or ())
    same = bool(before) and before | {row.usage} <= INSIDE
    if row.id is not None and not same and await moved(session, row.id, "source_id", "target_id"):
        raise Refused("place_has_stock", field="usage", place=row.code)
