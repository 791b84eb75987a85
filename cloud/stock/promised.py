"""Reservations while stock is moved: locked, used up, and written back."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.errors import NotFound, Refused
from cloud.stock.models import Reservation
from cloud.stock.quants import NOTHING, Held


@dataclass(slots=True)
class Promise:
    """One locked reservation."""

    id: int
    uid: str
    quant_key: str
    document: str
    quantity: Decimal

    def use(self, source: Held, quantity: Decimal) -> None:
        """What was promised of the quant goes now, as far as it reaches. Raises Refused `reservation_elsewhere`."""
        if self.quant_key != source.spot.key:
            raise Refused("reservation_elsewhere", document=self.document)
        used = min(self.quantity, quantity)
        self.quantity -= used
        source.reserved -= used
        source.touched = True


async def lock(session: AsyncSession, uids: Sequence[str]) -> dict[str, Promise]:
    """Reservations by uid, locked after their quants. Raises NotFound."""
    if not uids:
        return {}
    rows = await session.execute(
        select(Reservation.id, Reservation.uid, Reservation.quant_key, Reservation.document, Reservation.quantity)
        .where(Reservation.uid.in_(set(uids)))
        .order_by(Reservation.id)
        .with_for_update()
    )
    found = {row.uid: Promise(*row) for row in rows}
    for uid in uids:
        if uid not in found:
            raise NotFound("reservation", uid)
    return found


async def write(session: AsyncSession, promises: Iterable[Promise]) -> None:
    """Write locked reservations back; those of nothing go."""
    promises = list(promises)
    gone = [one.id for one in promises if one.quantity == NOTHING]
    left = [{"id": one.id, "quantity": one.quantity} for one in promises if one.quantity != NOTHING]
    if gone:
        await session.execute(delete(Reservation).where(Reservation.id.in_(gone)))
    if left:
        await session.execute(update(Reservation), left)
