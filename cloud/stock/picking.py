"""What a kit is made of, and from where it would be taken: what is free now, first expired first out. Promises nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from sqlalchemy.ext.asyncio import AsyncSession

from cloud.db.types import from_micro
from cloud.masters.bom import explode
from cloud.masters.models import Product
from cloud.stock.free import Free, free_quants, in_turn, today
from cloud.stock.quants import NOTHING

MICRO = 1_000_000


@dataclass(frozen=True, slots=True)
class Pick:
    """So much from one quant."""

    of: Free
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class PickLine:
    """One component. `needed` is exact, `wanted` the least quantity of whole millionths that covers it."""

    product_id: int
    needed: Fraction
    wanted: Decimal
    free: Decimal
    picks: Sequence[Pick]

    @property
    def missing(self) -> Decimal:
        return self.wanted - sum((one.quantity for one in self.picks), NOTHING)


async def pick_list(
    session: AsyncSession, kit: Product, quantity: Decimal, owner_id: int, at: datetime, *, site_id: int | None = None
) -> list[PickLine]:
    """For so much of a kit, one line for each product that is no kit, in the order of products. Raises Refused `circle` and as
    units do."""
    need = await explode(session, kit, quantity)
    fresh = await today(session, at)
    found = []
    for product_id, needed in sorted(need.items()):
        rows = await in_turn(session, free_quants(fresh, product_id, owner_id, site_id))
        wanted = from_micro(-(-(needed.numerator * MICRO) // needed.denominator))
        found.append(PickLine(product_id, needed, wanted, sum((one.free for one in rows), NOTHING), _take(rows, wanted)))
    return found


def _take(rows: Sequence[Free], wanted: Decimal) -> list[Pick]:
    found = []
    for one in rows:
        part = min(wanted, one.free)
        if part > NOTHING:
            found.append(Pick(one, part))
            wanted -= part
    return found
