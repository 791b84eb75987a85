"""Where a receipt's goods are posted to, whose they are, and in which bucket they begin."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.masters.models import Location, Party
from cloud.receiving.facts import PLACES, goes_to, notice_of, owner_of
from cloud.receiving.models import Receipt, ReceiptLine
from cloud.stock.places import house, place_of
from cloud.trade.models import Notice

BUCKETS: Mapping[str, str] = {"damaged": "rejected", "quarantine": "pending_qc", "good": "released"}
"""By the keys of PLACES: where the goods stand in their life when they are posted."""

SHELVED = "put_away"
"""Bucket of goods that a station receives straight to their shelf."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What all lines of one posting share."""

    site_id: int | None
    supplier: Location
    station: Location | None
    house: Party
    notice: Notice | None


async def ground(session: AsyncSession, receipt: Receipt) -> Ground:
    """The places around a receipt; those that the ledger needs are made where they are missing."""
    notice = await notice_of(session, receipt)
    ordered = receipt.order.site_id if receipt.order is not None else None
    sites = (receipt.site_id, ordered, notice.site_id if notice is not None else None)
    site_id = next((each for each in sites if each is not None), None)
    own = receipt.station.location_id if receipt.station is not None else None
    station = await session.get(Location, own) if own is not None else None
    usable = station if station is not None and not station.archived and station.usage in {"receiving", "stock"} else None
    return Ground(site_id, await place_of(session, "supplier", site_id), usable, await house(session), notice)


async def target(session: AsyncSession, at: Ground, how: str) -> Location:
    """The place for goods that came like this (a key of PLACES). Raises Refused `site_missing`."""
    if how == "good" and at.station is not None:
        return at.station
    return await place_of(session, PLACES[how], at.site_id)


async def line_target(session: AsyncSession, at: Ground, line: ReceiptLine) -> tuple[Location, str]:
    """The place and bucket for a line's goods. Raises Refused `site_missing`."""
    how = goes_to(line)
    place = await target(session, at, how)
    return place, SHELVED if how == "good" and place.usage == "stock" else BUCKETS[how]


async def line_owner(session: AsyncSession, at: Ground, receipt: Receipt, line: ReceiptLine) -> Party:
    """Whose a line's goods are."""
    owner = owner_of(receipt, line, at.notice)
    if owner is None or owner == at.house.id:
        return at.house
    return (await session.scalars(select(Party).where(Party.id == owner))).one()
