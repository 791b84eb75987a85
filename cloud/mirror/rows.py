"""What one station's mirror should hold: every table of the contract between box and cloud."""

from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.clock import system_clock
from cloud.db.settings_table import Setting
from cloud.masters.lookup import station_by_code
from cloud.masters.models import Location
from cloud.mirror import dealings, goods, holdings, work
from cloud.mirror.here import Here, Made, here_of, rows_of
from cloud.people.changing import BADGE_SALT
from cloud.people.models import Role, User
from sync_protocol import masters
from sync_protocol.mirror import Key

_AT_BOX = {Role.OPERATOR: "operator", Role.SUPERVISOR: "supervisor", Role.ADMIN: "supervisor"}

Source = Callable[[AsyncSession, Here], Awaitable[Iterable[Made]]]
"""What makes the rows of one table."""


async def desired_rows(session: AsyncSession, scope: str, now: datetime | None = None) -> dict[Key, dict[str, Any]]:
    """Table and key to value for a station's code; nothing for a code that no station has. `now`: what is a year ago then."""
    station = await station_by_code(session, scope)
    if station is None:
        return {}
    here = await here_of(session, station, now or system_clock())
    made = [one for source in SOURCES for one in await source(session, here)]
    largest = sum(1 for table, _, _ in made if table == "stock")
    made += await _station(session, here, largest if largest >= holdings.MAX_STOCK else None)
    return {(table, key): value for table, key, value in made}


async def _station(session: AsyncSession, here: Here, largest: int | None) -> list[Made]:
    row = here.station
    place = await session.scalar(select(Location.code).where(Location.id == row.location_id))
    salt = await session.scalar(select(Setting.value).where(Setting.key == BADGE_SALT))
    model = masters.Station(
        code=row.code,
        name=row.name,
        name_he=row.name_he,
        site=row.site.code,
        tz=row.site.tz,
        flows=row.flows,
        location=place,
        badge_salt=salt,
        house=here.house,
        largest=largest,
    )
    return rows_of("station", [(row.code, model)])


async def _people(session: AsyncSession, _here: Here) -> list[Made]:
    rows = await session.scalars(select(User).where(User.active, User.pin_hash.is_not(None), User.role.in_(_AT_BOX)))
    return rows_of(
        "person",
        [
            (
                row.login,
                masters.Person.model_validate(
                    {
                        "login": row.login,
                        "name": row.name,
                        "role": _AT_BOX[Role(row.role)],
                        "pin_hash": row.pin_hash,
                        "badge_hash": row.badge_hash,
                        "locale": row.locale,
                    }
                ),
            )
            for row in rows
        ],
    )


SOURCES: tuple[Source, ...] = (
    _people,
    goods.products,
    goods.codes,
    dealings.orders,
    dealings.notices,
    dealings.parties,
    dealings.packaging,
    dealings.checks,
    dealings.deliveries,
    holdings.locations,
    holdings.lots,
    holdings.stock,
    holdings.units,
    holdings.containers,
    work.sheets,
    work.reviews,
    work.ranges,
)
"""Every table but `station`, which says how large the others were."""
