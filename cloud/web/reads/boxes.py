"""The boxes page: who is there, how far each journal has come, what was kept aside, and what wants somebody's decision."""

from collections import defaultdict
from collections.abc import Iterable

from sqlalchemy import case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from cloud.boxes.health import BoxHealth
from cloud.boxes.models import Box
from cloud.ingest.models import QuarantinedFrame, RunState, StoredBatch
from cloud.ingest.standing import Standing, sides, standings
from cloud.kernel.models import Event
from cloud.people.models import User
from cloud.web import views

RUNS_SHOWN = 10
"""Of each box, newest first: every restart makes one."""

STORY_SHOWN = 8
"""Of each box, newest first: the last branch's story and a little of the one before."""

OF_BOX = ("branches_overlap", "leases_alternate", "branch_release", "branch_discard")
OF_RUN = ("sibling_run", "journal_lost")
"""Events of a box's branches and losses; those of a run name the box as the one who acted."""


async def list_boxes(session: AsyncSession) -> list[views.Box]:
    """All boxes by name."""
    boxes = (await session.scalars(select(Box).order_by(Box.name, Box.id))).all()
    aside = await session.execute(select(QuarantinedFrame.box_id, func.count()).group_by(QuarantinedFrame.box_id))
    quarantined: dict[str, int] = {row[0]: row[1] for row in aside}
    runs = await _runs(session)
    healths = {row.box_id: _health(row) for row in await session.scalars(select(BoxHealth))}
    standing = await standings(session)
    stories = await _stories(session, [box for box in boxes if box.id in standing])
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
            standing.get(box.id, Standing()),
            await _overlaps(session, standing.get(box.id, Standing())),
            tuple(stories[box.id]),
        )
        for box in boxes
    ]


async def _overlaps(session: AsyncSession, standing: Standing) -> tuple[views.Overlap, ...]:
    return tuple([views.Overlap(one, await sides(session, one.id)) for one in standing.branches if one.overlaps])


async def _stories(session: AsyncSession, boxes: Iterable[Box]) -> dict[str, list[views.Happening]]:
    names = {box.id: box.name for box in boxes}
    of_box = (Event.kind == "box") & Event.ref.in_(names) & Event.action.in_(OF_BOX)
    of_run = (Event.kind == "run") & Event.actor.in_(names) & Event.action.in_(OF_RUN)
    owner = case((Event.kind == "box", Event.ref), else_=Event.actor)
    place = func.row_number().over(partition_by=owner, order_by=Event.id.desc()).label("place")
    numbered = select(Event, place).where(or_(of_box, of_run)).subquery()
    event = aliased(Event, numbered)
    rows = await session.scalars(select(event).where(numbered.c.place <= STORY_SHOWN).order_by(numbered.c.id.desc()))
    people = {row[0]: row[1] for row in await session.execute(select(User.login, User.name))}
    found: dict[str, list[views.Happening]] = defaultdict(list)
    for row in rows:
        found[row.ref if row.kind == "box" else row.actor].append(_happening(row, names | people))
    return found


def _happening(event: Event, names: dict[str, str]) -> views.Happening:
    side = event.changes.get("side")
    return views.Happening(
        at=event.at,
        actor_kind=event.actor_kind,
        actor=names.get(event.actor, event.actor),
        via=event.via,
        action=f"{event.action}_{side}" if side else event.action,
        reason=event.reason,
    )


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
