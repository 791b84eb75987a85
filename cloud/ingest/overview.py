"""How every box and its journal stand: what people and metrics are told."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.boxes.health import BoxHealth
from cloud.boxes.models import Box
from cloud.ingest.models import QuarantinedFrame, RunState
from cloud.ingest.standing import Standing, standings


@dataclass(frozen=True, slots=True)
class BoxOverview:
    """One box. Ages are seconds up to the moment asked for; None where nothing is known."""

    id: str
    name: str
    station: str | None
    status: str
    seen_s: float | None
    """Since the box called last."""
    entries: int
    """Stored here, over all its runs."""
    runs: int
    newest_run: str | None
    aside: int
    """Frames kept aside."""
    health: dict[str, Any] | None
    """As the box last said it was (`sync_protocol.entries.HealthEntry`)."""
    health_s: float | None
    """Since that was received."""
    clk: str | None
    clk_err_ms: int | None
    standing: Standing = field(default_factory=Standing)
    held_s: float | None = None
    """Since entries of it wait for a decision."""


async def overview(session: AsyncSession, now: datetime) -> list[BoxOverview]:
    """All boxes by name."""
    journals = {
        box: (entries, runs)
        for box, entries, runs in await session.execute(
            select(RunState.box_id, func.sum(RunState.acked), func.count()).group_by(RunState.box_id)
        )
    }
    aside = await session.execute(select(QuarantinedFrame.box_id, func.count()).group_by(QuarantinedFrame.box_id))
    kept: dict[str, int] = {row[0]: row[1] for row in aside}
    healths = {row.box_id: row for row in await session.scalars(select(BoxHealth))}
    newest = await _newest_runs(session)
    wanting = await standings(session)
    found = []
    for box in await session.scalars(select(Box).order_by(Box.name, Box.id)):
        entries, runs = journals.get(box.id, (0, 0))
        health = healths.get(box.id)
        standing = wanting.get(box.id, Standing())
        found.append(
            BoxOverview(
                id=box.id,
                name=box.name,
                station=box.station_code,
                status=box.status,
                seen_s=_age(now, box.last_seen),
                entries=int(entries),
                runs=runs,
                newest_run=newest.get(box.id),
                aside=kept.get(box.id, 0),
                health=health.content if health else None,
                health_s=_age(now, health.received_at) if health else None,
                clk=health.clk if health else None,
                clk_err_ms=health.clk_err_ms if health else None,
                standing=standing,
                held_s=_age(now, standing.waiting.since) if standing.waiting.count else None,
            )
        )
    return found


async def _newest_runs(session: AsyncSession) -> dict[str, str]:
    place = func.row_number().over(partition_by=RunState.box_id, order_by=(RunState.opened_at.desc(), RunState.run))
    numbered = select(RunState.box_id, RunState.run, place.label("place")).subquery()
    rows = await session.execute(select(numbered.c.box_id, numbered.c.run).where(numbered.c.place == 1))
    return {row[0]: row[1] for row in rows}


def _age(now: datetime, then: datetime | None) -> float | None:
    return None if then is None else max((now - then).total_seconds(), 0.0)
