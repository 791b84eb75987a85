"""How far orders have come: derived from their lines, and written in the transaction in which a line changes."""

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.masters.models import OrderLine, PurchaseOrder

OPEN, PARTLY, RECEIVED, OVER = "open", "partly_received", "received", "over_received"
PROGRESS = (OPEN, PARTLY, RECEIVED, OVER)


def over_tolerance(line: OrderLine) -> Fraction:
    """The share that may come on top: the one agreed for the line, else the product's."""
    return Fraction(line.product.over_tolerance if line.over_tolerance is None else line.over_tolerance)


def under_tolerance(line: OrderLine) -> Fraction:
    """The share that may be missing: the one agreed for the line, else the product's."""
    return Fraction(line.product.under_tolerance if line.under_tolerance is None else line.under_tolerance)


def remainder(line: OrderLine) -> Decimal:
    """The back-order: what is still to come, in the line's unit. Nothing of a closed line, and never less than nothing."""
    return Decimal(0) if line.closed else max(Decimal(0), line.quantity - line.received)


def is_complete(line: OrderLine) -> bool:
    """Whether nothing more is awaited: it is closed, or as much came as the tolerance demands."""
    return line.closed or Fraction(line.received) >= Fraction(line.quantity) * (1 - under_tolerance(line))


def is_over(line: OrderLine) -> bool:
    """Whether more came than the tolerance allows. Exact: there is no slack beside it."""
    return Fraction(line.received) > Fraction(line.quantity) * (1 + over_tolerance(line))


def progress_of(lines: Iterable[OrderLine]) -> str:
    """One of PROGRESS. Archived lines are none."""
    live = [line for line in lines if not line.archived]
    if any(is_over(line) for line in live):
        return OVER
    if live and all(is_complete(line) for line in live):
        return RECEIVED
    return PARTLY if any(line.received > 0 for line in live) else OPEN


async def refresh_progress(session: AsyncSession, order_ids: Iterable[int]) -> None:
    """Write the progress of these orders anew: for whoever changed `received` or closed a line, in the same transaction."""
    wanted = sorted(set(order_ids))
    await session.flush()
    for order in await session.scalars(select(PurchaseOrder).where(PurchaseOrder.id.in_(wanted)).order_by(PurchaseOrder.id)):
        lines = await session.scalars(select(OrderLine).where(OrderLine.order_id == order.id))
        order.progress = progress_of(lines)
    await session.flush()
