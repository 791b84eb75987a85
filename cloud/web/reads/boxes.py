"""The boxes page: who is there, how far each journal has come, what was kept aside."""

from collections import defaultdict

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.boxes.health import BoxHealth
from cloud.boxes.models import Box
from cloud.ingest.models import QuarantinedFrame, RunState, StoredBatch
from cloud.web import views

RUNS_SHOWN = 10
"""Of each box, newest first: every restart makes one."""


async def list_boxes(session: AsyncSession) -> list[views.Box]:
    """All boxes by name."""
    boxes = (await session.scalars(select(Box).order_by(Box.name, Box.id))).all()
    aside = await session.execute(select(QuarantinedFrame.box_id, func.count()).group_by(QuarantinedFrame.box_id))
    quarantined: dict[str, int] = {row[0]: row[1] for row in aside}
    runs = await _runs(session)
    healths = {row.box_id: _health(row) for row in await session.scalars(select(BoxHealth))}
    return [
        views.Box(
            box.id,
            box.name,
            box.station_code,
            box.status,
            box.registered_at,
            box.last_seen,
            quarantined.get(box.id, 0),
            tuple(runs[box.id]),
            healths.get(box.id),
        )
        for box in boxes
    ]


def _health(row: BoxHealth) -> views.Health:
    said = row.content
    return views.Health(
        said_at=row.received_at,
        unacked=said["unacked"],
        oldest_s=said.get("oldest_unacked_s"),
        clock=row.clk,
        clock_err_ms=row.clk_err_ms,
        disk_level=said["disk_level"],
        disk_free=said["disk_free"],
        link=said["link"],
    )


async def _runs(session: AsyncSession) -> dict[str, list[views.Run]]:
    place = (
        func.row_number().over(partition_by=RunState.box_id, order_by=(RunState.opened_at.desc(), RunState.run)).label("place")
    )
    newest = select(RunState.run, place).subquery()
    rows = await session.execute(
        select(RunState, func.count(StoredBatch.id))
        .join(newest, newest.c.run == RunState.run)
        .outerjoin(StoredBatch, StoredBatch.run == RunState.run)
        .where(newest.c.place <= RUNS_SHOWN)
        .group_by(RunState.run)
        .order_by(RunState.opened_at.desc(), RunState.run)
    )
    found: dict[str, list[views.Run]] = defaultdict(list)
    for state, batches in rows:
        parent = f"{state.parent_run}:{state.parent_seq}" if state.parent_run else None
        found[state.box_id].append(views.Run(state.run, state.acked, parent, batches, state.updated_at))
    return found
