"""Places that the ledger itself needs, found or made: the house, where goods come from and go to, and each site's own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.clock import system_clock
from cloud.errors import NotFound, Refused
from cloud.kernel.actor import Actor, Taken
from cloud.kernel.events import append_event
from cloud.masters.models import Location, Party, Site

OWNERSHIP, SCRAP = "OWNERSHIP", "SCRAP"
"""Codes of the places of usage `adjustment` over which goods change hands, and to which they go when they are thrown away."""


@dataclass(frozen=True, slots=True)
class _Known:
    code: str
    name: str
    name_he: str
    hold: bool = False


NOWHERE: Mapping[str, _Known] = {
    "supplier": _Known("SUPPLIERS", "At suppliers", "אצל ספקים"),
    "customer": _Known("CUSTOMERS", "At customers", "אצל לקוחות"),
    "adjustment": _Known("ADJUST", "Adjustments", "התאמות מלאי"),
    "production": _Known("PRODUCTION", "Production", "ייצור"),
    "transit": _Known("TRANSIT", "On the road", "בדרך"),
}
"""By usage: one of the whole house."""

NAMED: Mapping[str, _Known] = {
    OWNERSHIP: _Known(OWNERSHIP, "Change of owner", "החלפת בעלים"),
    SCRAP: _Known(SCRAP, "Scrapped", "הושמד"),
}

AT_SITE: Mapping[str, _Known] = {
    "stock": _Known("STK", "Stock", "מלאי"),
    "receiving": _Known("RCV", "Receiving area", "אזור קבלה"),
    "quarantine": _Known("QRT", "Quarantine", "הסגר", hold=True),
    "rejected": _Known("REJ", "Rejected goods", "סחורה פסולה", hold=True),
}
"""By usage: one of every site, `SITE-` before the code."""


Row = TypeVar("Row", Party, Location)


async def house_of(session: AsyncSession) -> Party | None:
    """Ourselves as a party, where there is one."""
    return await session.scalar(
        select(Party).where(Party.has_role("house"), Party.archived.is_(False)).order_by(Party.id).limit(1)
    )


async def house(session: AsyncSession) -> Party:
    """Ourselves as a party: whose goods are ours. Made if there is none."""
    found = await house_of(session)
    if found is not None:
        return found
    ref = "HOUSE"
    while await session.scalar(select(Party.id).where(Party.ref == ref)) is not None:
        ref += "-1"
    row = Party(ref=ref, kind="company", name="Our house", name_he="החברה שלנו", roles=["house", "owner"])
    return await _made(session, row, "party") or await house(session)


async def place_of(session: AsyncSession, usage: str, site_id: int | None = None, code: str | None = None) -> Location:
    """The place of a usage, of one site where `site_id` says so, or of this code; made if there is none. A site has one of
    `stock`, `receiving`, `quarantine` and `rejected` each; what is nowhere the house has once.

    Raises Refused `place_usage` (the code is a place of another usage), `site_missing`, `no_site`; NotFound.
    """
    if code is not None:
        found = await session.scalar(select(Location).where(Location.code == code))
        if found is not None and found.usage != usage:
            raise Refused("place_usage", place=code[:40], usage=found.usage)
    elif usage in AT_SITE:
        found = await _at_site(session, usage, site_id)
    else:
        found = await _nowhere(session, usage, site_id)
    if found is not None:
        return found
    return await _make(session, usage, site_id, code)


async def _at_site(session: AsyncSession, usage: str, site_id: int | None) -> Location | None:
    if site_id is None:
        raise Refused("site_missing", usage=usage)
    return await session.scalar(
        select(Location)
        .where(Location.usage == usage, Location.site_id == site_id, Location.archived.is_(False))
        .order_by(Location.id)
        .limit(1)
    )


async def _nowhere(session: AsyncSession, usage: str, site_id: int | None) -> Location | None:
    """The site's own, else the one that is called as we call it, else the oldest."""
    if usage not in NOWHERE:
        raise Refused("place_usage", place="", usage=usage[:40])
    rows = (
        await session.scalars(
            select(Location)
            .where(Location.usage == usage, Location.archived.is_(False), Location.code.not_in(NAMED))
            .order_by(Location.id)
        )
    ).all()
    known = NOWHERE[usage].code
    return next(
        (row for row in rows if row.site_id == site_id and row.code != known),
        next((row for row in rows if row.code == known), rows[0] if rows else None),
    )


async def _make(session: AsyncSession, usage: str, site_id: int | None, code: str | None) -> Location:
    query = select(Site).where(Site.archived.is_(False)) if site_id is None else select(Site).where(Site.id == site_id)
    site = await session.scalar(query.order_by(Site.id).limit(1))
    if site is None:
        raise Refused("no_site") if site_id is None else NotFound("site", str(site_id))
    known = AT_SITE.get(usage) or NOWHERE.get(usage)
    if code is not None:
        known = NAMED.get(code) or _Known(code, code, code, hold=known is not None and known.hold)
    if known is None:
        raise Refused("place_usage", place=code or "", usage=usage[:40])
    wanted = f"{site.code.upper()}-{known.code}" if usage in AT_SITE and code is None else known.code
    if code is None and await session.scalar(select(Location.id).where(Location.code == wanted)) is not None:
        # Somebody called another place so.
        wanted += f"-{usage.upper()}"
    row = Location(code=wanted, name=known.name, name_he=known.name_he, site_id=site.id, usage=usage, hold=known.hold)
    return await _made(session, row, "location") or await place_of(session, usage, site_id, code)


async def _made(session: AsyncSession, row: Row, kind: str) -> Row | None:
    """The row once it is stored; None where somebody stored it at the same moment."""
    taken = Taken(Actor.system("stock"), system_clock())
    row.created_at, row.created_by = taken.at, taken.actor.name
    try:
        async with session.begin_nested():
            session.add(row)
            await session.flush()
    except IntegrityError:
        return None
    ref = row.ref if isinstance(row, Party) else row.code
    await append_event(session, taken, action="create", kind=kind, ref=ref, changes={"name": [None, row.name]})
    return row
