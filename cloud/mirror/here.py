"""Which station a mirror is for, and what all its tables are made of."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.boxes.models import Box, BoxStatus
from cloud.masters.models import Party, Station

Made = tuple[str, str, dict[str, Any]]
"""Table, key and value of one row."""


@dataclass(frozen=True, slots=True)
class Here:
    """One station at one moment. `boxes` are those that stand at it and are let in."""

    station: Station
    now: datetime
    house: str | None
    boxes: tuple[str, ...]

    @property
    def site(self) -> int:
        return self.station.site_id


async def here_of(session: AsyncSession, station: Station, now: datetime) -> Here:
    """What is known of a station before any table is read."""
    house = await session.scalar(
        select(Party.ref).where(Party.has_role("house"), Party.archived.is_(False)).order_by(Party.id).limit(1)
    )
    boxes = await session.scalars(
        select(Box.id).where(Box.station_code == station.code, Box.status == BoxStatus.ACTIVE).order_by(Box.id)
    )
    return Here(station, now, house, tuple(boxes))


def rows_of(table: str, models: Iterable[tuple[str, BaseModel]]) -> list[Made]:
    """Rows of a table that is small: from key and model."""
    return [(table, key, model.model_dump(mode="json", exclude_none=True)) for key, model in models]


def bare(**values: Any) -> dict[str, Any]:
    """A row of a table that may be large, without what is not given: making a model of each would take most of the time."""
    return {name: value for name, value in values.items() if value is not None}
