"""Where the goods of a receipt's lines lie, and in which bucket: summed from the moves that name the line."""

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.stock.models import Move


@dataclass(frozen=True, slots=True)
class Origin:
    """So much of a receipt's line is in a bucket and lay last, as far as papers say, in this place. `quantity` in the product's
    unit."""

    line: int
    bucket: str
    product_id: int
    lot_id: int | None
    owner_id: int
    unit_id: int | None
    location_id: int
    quantity: Decimal


_Where = tuple[int, str, int, int | None, int, int | None, int]


async def origins(session: AsyncSession, receipt: str) -> list[Origin]:
    """Of one receipt (its uid), by line; empty while it is not posted. Returned and scrapped goods have left and are not
    among them."""
    columns = (Move.product_id, Move.lot_id, Move.owner_id, Move.unit_id, Move.to_unit_id, Move.source_id, Move.target_id)
    rows = await session.execute(
        select(*columns, Move.receipt_line, Move.from_bucket, Move.to_bucket, Move.quantity).where(Move.receipt == receipt)
    )
    sums: dict[_Where, Decimal] = defaultdict(Decimal)
    for one in rows:
        line = one.receipt_line or 0
        if one.from_bucket is not None:
            sums[line, one.from_bucket, one.product_id, one.lot_id, one.owner_id, one.unit_id, one.source_id] -= one.quantity
        if one.to_bucket is not None:
            sums[line, one.to_bucket, one.product_id, one.lot_id, one.owner_id, one.to_unit_id, one.target_id] += one.quantity
    found = [Origin(*where, quantity) for where, quantity in sums.items() if quantity > 0]
    return sorted(
        (one for one in found if one.bucket not in {"returned", "scrapped"}),
        key=lambda one: (one.line, one.bucket, one.location_id, one.unit_id or 0),
    )
