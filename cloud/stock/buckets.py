"""In which bucket how much of a receipt's line is: changed together with the moves that say so, after the quants."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import collate, insert, select, tuple_, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.db.engine import is_sqlite
from cloud.errors import Refused
from cloud.stock.models import LineBucket

BUCKETS = ("pending_qc", "released", "rejected", "put_away", "returned", "scrapped")

CHUNK = 500
"""Of three values each in one question."""

NOTHING = Decimal(0)

Place = tuple[str, int, str]
"""Receipt, line, bucket."""


@dataclass(slots=True)
class Filled:
    """One locked bucket."""

    place: Place
    quantity: Decimal = NOTHING
    id: int | None = None
    touched: bool = False


def demand_bucket(place: Place) -> None:
    """Raises Refused `bucket_unknown`."""
    if place[2] not in BUCKETS:
        raise Refused("bucket_unknown", bucket=place[2][:40])


async def lock(session: AsyncSession, wanted: Iterable[Place]) -> dict[Place, Filled]:
    """These buckets, locked until the transaction ends. Their rows stay for ever, empty or not."""
    places = sorted(set(wanted))
    found = {place: Filled(place) for place in places}
    rows_locked = not is_sqlite(session)
    for start in range(0, len(places), CHUNK):
        chunk = places[start : start + CHUNK]
        if rows_locked:
            rows = [_values(found[place]) for place in chunk]
            made = postgresql.insert(LineBucket).values(rows)
            await session.execute(made.on_conflict_do_nothing(index_elements=["receipt", "line", "bucket"]))
        for row in await session.execute(_locking(chunk, in_order=rows_locked)):
            filled = found[row.receipt, row.line, row.bucket]
            filled.id, filled.quantity = row.id, row.quantity
    return found


def _locking(places: Sequence[Place], *, in_order: bool) -> Any:
    columns = (LineBucket.receipt, LineBucket.line, LineBucket.bucket)
    query = select(LineBucket.id, LineBucket.quantity, *columns).where(tuple_(*columns).in_(places))
    if not in_order:
        return query
    return query.order_by(collate(columns[0], "C"), columns[1], collate(columns[2], "C")).with_for_update()


def pour(buckets: dict[Place, Filled], source: Place | None, target: Place | None, quantity: Decimal) -> None:
    """Raises Refused `bucket_not_enough`."""
    if source is not None:
        filled = buckets[source]
        if filled.quantity < quantity:
            raise Refused(
                "bucket_not_enough",
                line=str(source[1]),
                bucket=source[2],
                wanted=format(quantity, "f"),
                there=format(filled.quantity, "f"),
            )
        filled.quantity, filled.touched = filled.quantity - quantity, True
    if target is not None:
        filled = buckets[target]
        filled.quantity, filled.touched = filled.quantity + quantity, True


async def write(session: AsyncSession, buckets: Iterable[Filled]) -> None:
    """Write locked buckets back."""
    made = [_values(one) for one in buckets if one.touched and one.id is None]
    changed = [{"id": one.id, "quantity": one.quantity} for one in buckets if one.touched and one.id is not None]
    if made:
        await session.execute(insert(LineBucket), made)
    if changed:
        await session.execute(update(LineBucket), changed)


def _values(filled: Filled) -> dict[str, Any]:
    receipt, line, bucket = filled.place
    return {"receipt": receipt, "line": line, "bucket": bucket, "quantity": filled.quantity}


async def of_receipt(session: AsyncSession, receipt: str) -> dict[int, dict[str, Decimal]]:
    """What is where of each line of a receipt (its uid); empty buckets are left out."""
    rows = await session.execute(
        select(LineBucket.line, LineBucket.bucket, LineBucket.quantity)
        .where(LineBucket.receipt == receipt, LineBucket.quantity != NOTHING)
        .order_by(LineBucket.line, LineBucket.bucket)
    )
    found: dict[int, dict[str, Decimal]] = {}
    for line, bucket, quantity in rows:
        found.setdefault(line, {})[bucket] = quantity
    return found
