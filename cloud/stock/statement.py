"""The statement of an owner: what they had, what came and went, and what they have, per product and lot."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from sqlalchemy import ColumnElement, func, not_, select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.db.types import Micro
from cloud.stock.models import Move, Quant
from cloud.stock.quants import NOTHING
from cloud.stock.scope import ANYTHING, Scope

Goods = tuple[int, int | None]
"""Product and lot."""


@dataclass(frozen=True, slots=True)
class Balance:
    """One product and lot over a period: `opening + came - went == closing`. What only moves between the owner's own places
    neither comes nor goes."""

    product_id: int
    lot_id: int | None
    opening: Decimal
    came: Decimal
    went: Decimal
    closing: Decimal


async def statement(
    session: AsyncSession, owner_id: int, since: datetime, until: datetime, scope: Scope = ANYTHING
) -> list[Balance]:
    """From `since` up to and without `until`; what was nothing all along is left out. In the order of product and lot.

    The opening is what there is now without what moved later: a statement costs what moved since it begins, however long the
    history before.
    """
    kept = replace(scope, owner_id=owner_id)
    now = await _now(session, kept)
    came, went = _crossing(kept)
    later = (Move.effective_at >= until,)
    within = (Move.effective_at >= since, Move.effective_at < until)
    came_later, went_later = await _moved(session, (*came, *later)), await _moved(session, (*went, *later))
    came_within, went_within = await _moved(session, (*came, *within)), await _moved(session, (*went, *within))
    found = []
    for goods in sorted({*now, *came_later, *went_later, *came_within, *went_within}, key=lambda one: (one[0], one[1] or 0)):
        closing = now.get(goods, NOTHING) - came_later.get(goods, NOTHING) + went_later.get(goods, NOTHING)
        ins, outs = came_within.get(goods, NOTHING), went_within.get(goods, NOTHING)
        opening = closing - ins + outs
        if any((opening, ins, outs, closing)):
            found.append(Balance(*goods, opening, ins, outs, closing))
    return found


def _crossing(scope: Scope) -> tuple[list[ColumnElement[bool]], list[ColumnElement[bool]]]:
    """Moves into and out of all of the places together."""
    places = scope.places()
    came = [*scope.came(), not_(Move.source_id.in_(places))]
    return came, [*scope.went(), not_(Move.target_id.in_(places))]


async def _now(session: AsyncSession, scope: Scope) -> dict[Goods, Decimal]:
    total = func.sum(Quant.quantity, type_=Micro())
    rows = await session.execute(
        select(Quant.product_id, Quant.lot_id, total).where(*scope.quants()).group_by(Quant.product_id, Quant.lot_id)
    )
    return {(product, lot): quantity for product, lot, quantity in rows}


async def _moved(session: AsyncSession, where: Iterable[ColumnElement[bool]]) -> dict[Goods, Decimal]:
    total = func.sum(Move.quantity, type_=Micro())
    rows = await session.execute(
        select(Move.product_id, Move.lot_id, total).where(*where).group_by(Move.product_id, Move.lot_id)
    )
    return {(product, lot): quantity for product, lot, quantity in rows}
