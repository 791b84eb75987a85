"""What lay in a place at some moment: what lies there now, less what came since and with what went."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.stock.models import Move, Quant

NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Sort:
    """What a count tells apart."""

    product_id: int
    lot_id: int | None
    unit_id: int | None
    owner_id: int


@dataclass(frozen=True, slots=True)
class Change:
    """So much came to the place (or went, below 0) at a moment."""

    at: datetime
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Lying:
    """One place as it is now, and everything that changed there since a moment, by sort."""

    now: Mapping[Sort, Decimal]
    changes: Mapping[Sort, Sequence[Change]]

    def at(self, sort: Sort, moment: datetime) -> Decimal:
        """What lay there of a sort at a moment that is no earlier than the one that was asked for."""
        since = (one.amount for one in self.changes.get(sort, ()) if one.at > moment)
        return self.now.get(sort, NOTHING) - sum(since, NOTHING)

    def moved(self, sort: Sort, begin: datetime, end: datetime) -> bool:
        """Whether any of it came or went between two moments."""
        return any(begin < one.at <= end for one in self.changes.get(sort, ()))

    def sorts(self, moment: datetime) -> list[Sort]:
        """What lay there at a moment."""
        return sorted((one for one in {*self.now, *self.changes} if self.at(one, moment) != NOTHING), key=_order)


def _order(sort: Sort) -> tuple[int, int, int, int]:
    return sort.product_id, sort.lot_id or 0, sort.unit_id or 0, sort.owner_id


async def lying(session: AsyncSession, location_id: int, since: datetime) -> Lying:
    """The place now and its changes after `since`, by the time at which moves happened."""
    quants = await session.execute(
        select(Quant.product_id, Quant.lot_id, Quant.unit_id, Quant.owner_id, Quant.quantity).where(
            Quant.location_id == location_id, Quant.quantity != NOTHING
        )
    )
    now: dict[Sort, Decimal] = defaultdict(Decimal)
    for product, lot, unit, owner, quantity in quants:
        now[Sort(product, lot, unit, owner)] += quantity
    rows = await session.scalars(
        select(Move).where(or_(Move.source_id == location_id, Move.target_id == location_id), Move.effective_at > since)
    )
    changes: dict[Sort, list[Change]] = defaultdict(list)
    for one in rows.all():
        if one.target_id == location_id:
            to = Sort(one.product_id, one.lot_id, one.to_unit_id, one.owner_id)
            changes[to].append(Change(one.effective_at, one.quantity))
        if one.source_id == location_id:
            frm = Sort(one.product_id, one.lot_id, one.unit_id, one.owner_id)
            changes[frm].append(Change(one.effective_at, -one.quantity))
    return Lying(now, changes)
