"""Free stock: what may be promised. It lies in a place for storing or receiving that nobody holds, its lot is released and not
past its day at the site, and nobody has it promised already."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from sqlalchemy import CTE, ColumnElement, Select, and_, false, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.db.types import Micro
from cloud.masters.models import Location, Site
from cloud.stock.models import Lot, Quant
from cloud.stock.quants import NOTHING

USAGES = frozenset({"stock", "receiving"})
"""Of places from which goods are promised. Quarantine and rejected places hold by what they are; what is on the road is
nobody's to take."""

USABLE = "released"
"""The state of a lot that may be used."""


Rows = Select[int, str, int, int | None, int | None, date | None, datetime, Decimal, Decimal]
"""Questions for the columns of Free."""


@dataclass(frozen=True, slots=True)
class Free:
    """One quant of which something is free."""

    id: int
    key: str
    location_id: int
    lot_id: int | None
    unit_id: int | None
    expires_on: date | None
    since: datetime
    quantity: Decimal
    reserved: Decimal

    @property
    def free(self) -> Decimal:
        return self.quantity - self.reserved

    @property
    def turn(self) -> tuple[date, datetime, int]:
        """First expired first out; of what does not expire, or expires together, what came first."""
        return (self.expires_on or date.max, self.since, self.id)


async def free(session: AsyncSession, product_id: int, owner_id: int, at: datetime, *, site_id: int | None = None) -> Decimal:
    """How much of a product of one owner is free, in the product's unit; at one site, or at all."""
    rows = free_quants(await today(session, at), product_id, owner_id, site_id).subquery()
    found = await session.scalar(select(func.sum(rows.c.quantity - rows.c.reserved, type_=Micro())))
    return NOTHING if found is None else found


def free_quants(fresh: ColumnElement[bool], product_id: int, owner_id: int | None = None, site_id: int | None = None) -> Rows:
    """Columns of Free, of quants of which something is free. `fresh` as `today` gives it."""
    query = (
        select(
            Quant.id,
            Quant.key,
            Quant.location_id,
            Quant.lot_id,
            Quant.unit_id,
            Lot.expires_on,
            Quant.since,
            Quant.quantity,
            Quant.reserved,
        )
        .join(Location, Location.id == Quant.location_id)
        .outerjoin(Lot, Lot.id == Quant.lot_id)
        .where(Quant.product_id == product_id, Quant.quantity > Quant.reserved, usable(fresh))
    )
    if owner_id is not None:
        query = query.where(Quant.owner_id == owner_id)
    return query if site_id is None else query.where(Location.site_id == site_id)


def usable(fresh: ColumnElement[bool]) -> ColumnElement[bool]:
    """What holds of a quant, joined with its location and lot, from which something may be taken."""
    return and_(
        Quant.internal.is_(True),
        Location.usage.in_(USAGES),
        Quant.location_id.not_in(select(_held().c.id)),
        or_(Quant.lot_id.is_(None), and_(Lot.state == USABLE, or_(Lot.expires_on.is_(None), fresh))),
    )


def _held() -> CTE:
    """Places that are held, and all that are inside them."""
    held = select(Location.id).where(Location.hold.is_(True)).cte("held", recursive=True)
    return held.union(select(Location.id).join(held, Location.parent_id == held.c.id))


async def today(session: AsyncSession, at: datetime) -> ColumnElement[bool]:
    """That a lot's day is not over yet at the site of its place: a day ends at another moment in another zone. The day itself
    is the last good one (GS1 General Specifications, 3.4.3)."""
    rows = (await session.execute(select(Site.id, Site.tz))).all()
    sites: dict[date, list[int]] = {}
    for site_id, zone in rows:
        sites.setdefault(at.astimezone(ZoneInfo(zone)).date(), []).append(site_id)
    if len(sites) == 1:
        return Lot.expires_on >= next(iter(sites))
    return or_(false(), *(and_(Location.site_id.in_(ids), Lot.expires_on >= day) for day, ids in sites.items()))


async def in_turn(session: AsyncSession, query: Rows) -> Sequence[Free]:
    """The rows of `free_quants`, what is to go first first."""
    return sorted((Free(*row) for row in await session.execute(query)), key=lambda one: one.turn)
