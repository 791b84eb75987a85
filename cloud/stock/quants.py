"""Quants while they are changed: found or made, locked in one order, and written back.

PostgreSQL locks rows. All posts lock in the order of keys, and nobody who holds a later key waits for an earlier one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import collate, delete, insert, select, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.db.engine import is_sqlite
from cloud.masters.moved import INSIDE
from cloud.stock.faults import QuantGone
from cloud.stock.models import Quant

INTERNAL = INSIDE
"""Usages of places that are somewhere: they never hold less than nothing."""

CHUNK = 1000
"""Keys of one question: SQLite takes 32,766 values, PostgreSQL 65,535."""

NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Spot:
    """What a quant is the sum of."""

    product_id: int
    lot_id: int | None
    location_id: int
    unit_id: int | None
    owner_id: int

    @property
    def key(self) -> str:
        ids = (self.product_id, self.lot_id, self.location_id, self.unit_id, self.owner_id)
        return ".".join("" if one is None else str(one) for one in ids)


@dataclass(slots=True)
class Held:
    """One locked quant. `id` is None where there is no row yet."""

    spot: Spot
    internal: bool
    quantity: Decimal = NOTHING
    reserved: Decimal = NOTHING
    since: datetime | None = None
    moved_at: datetime | None = None
    id: int | None = None
    touched: bool = False

    def add(self, amount: Decimal, moment: datetime) -> None:
        """Change the quantity; what comes to an empty place lies there since `moment`."""
        if self.quantity == NOTHING:
            self.since = moment
        self.quantity += amount
        self.moved_at, self.touched = moment, True


async def lock(session: AsyncSession, spots: Iterable[Spot], internal: Mapping[int, bool], at: datetime) -> dict[str, Held]:
    """The quants of these spots by key, locked until the transaction ends. Raises QuantGone: roll back and ask again."""
    wanted = {spot.key: spot for spot in spots}
    keys = sorted(wanted)
    found = {key: Held(spot, internal[spot.location_id]) for key, spot in wanted.items()}
    rows_locked = not is_sqlite(session)
    if rows_locked:
        await _make_missing(session, [found[key] for key in keys], at)
    for start in range(0, len(keys), CHUNK):
        for row in await session.execute(_locking(keys[start : start + CHUNK], in_order=rows_locked)):
            held = found[row.key]
            held.id, held.quantity, held.reserved = row.id, row.quantity, row.reserved
            held.since, held.moved_at = row.since, row.moved_at
    if rows_locked and any(held.id is None for held in found.values()):
        raise QuantGone
    return found


def _locking(keys: Sequence[str], *, in_order: bool) -> Any:
    columns = (Quant.id, Quant.key, Quant.quantity, Quant.reserved, Quant.since, Quant.moved_at)
    query = select(*columns).where(Quant.key.in_(keys))
    # The same order in every database whatever its language, and as Python sorts.
    return query.order_by(collate(Quant.key, "C")).with_for_update() if in_order else query


async def _make_missing(session: AsyncSession, wanted: Sequence[Held], at: datetime) -> None:
    for start in range(0, len(wanted), CHUNK):
        rows = [_values(held, at) for held in wanted[start : start + CHUNK]]
        made = postgresql.insert(Quant).values(rows).on_conflict_do_nothing(index_elements=["key"])
        await session.execute(made)


def _values(held: Held, at: datetime) -> dict[str, Any]:
    spot = held.spot
    return {
        "key": spot.key,
        "product_id": spot.product_id,
        "lot_id": spot.lot_id,
        "location_id": spot.location_id,
        "unit_id": spot.unit_id,
        "owner_id": spot.owner_id,
        "internal": held.internal,
        **_sums(held, at),
    }


def _sums(held: Held, at: datetime) -> dict[str, Any]:
    return {
        "quantity": held.quantity,
        "reserved": held.reserved,
        "since": held.since or at,
        "moved_at": held.moved_at or at,
    }


async def write(session: AsyncSession, quants: Iterable[Held], at: datetime) -> None:
    """Write locked quants back; rows of nothing go."""
    made, changed, gone = [], [], []
    for held in quants:
        if held.quantity == NOTHING and held.reserved == NOTHING:
            gone += [] if held.id is None else [held.id]
        elif held.id is None:
            made.append(_values(held, at))
        elif held.touched:
            changed.append({"id": held.id, **_sums(held, at)})
    if made:
        await session.execute(insert(Quant), made)
    if changed:
        await session.execute(update(Quant), changed)
    for start in range(0, len(gone), CHUNK):
        await session.execute(
            delete(Quant).where(Quant.id.in_(gone[start : start + CHUNK])), execution_options={"synchronize_session": False}
        )
