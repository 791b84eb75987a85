"""Schedules: which work comes by the clock, and putting it into the table of jobs when it is due."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Select, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.db.engine import is_sqlite
from cloud.errors import NotFound, Refused
from cloud.jobs.cron import next_after
from cloud.jobs.models import Job, Schedule
from cloud.jobs.queue import enqueue
from cloud.kernel.actor import Actor, Taken
from cloud.kernel.events import append_event

log = structlog.get_logger()

KIND = "schedule"
MAX_DUE = 100
"""Schedules of one look; the rest is due a second later."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What comes when. `cron`: five fields, read in `zone`."""

    key: str
    kind: str
    cron: str
    zone: str
    args: Mapping[str, Any] = field(default_factory=dict)


async def ensure_plans(session: AsyncSession, plans: Iterable[Plan], now: datetime) -> None:
    """Add plans that are not there. Those that are stay as people made them."""
    insert = sqlite.insert(Schedule) if is_sqlite(session) else postgresql.insert(Schedule)
    for plan in plans:
        values = insert.values(_values(plan, now, "system"))
        await session.execute(values.on_conflict_do_nothing(index_elements=["key"]))


async def save_plan(session: AsyncSession, plan: Plan, taken: Taken) -> Schedule:
    """Add a schedule or change the one of this key. Raises Refused as `next_after` does."""
    row = await session.scalar(select(Schedule).where(Schedule.key == plan.key).with_for_update())
    action = "create" if row is None else "change"
    before = None if row is None else f"{row.cron} {row.zone}"
    if row is None:
        row = Schedule(**_values(plan, taken.at, taken.actor.name))
        session.add(row)
    else:
        row.kind, row.args, row.cron, row.zone = plan.kind, dict(plan.args), plan.cron, plan.zone
        row.next_at = next_after(plan.cron, plan.zone, taken.at)
    changes = {"cron": [before, f"{plan.cron} {plan.zone}"]}
    await append_event(session, taken, action=action, kind=KIND, ref=plan.key, changes=changes)
    await session.flush()
    return row


def _values(plan: Plan, now: datetime, by: str) -> dict[str, Any]:
    return {
        "key": plan.key,
        "kind": plan.kind,
        "args": dict(plan.args),
        "cron": plan.cron,
        "zone": plan.zone,
        "enabled": True,
        "next_at": next_after(plan.cron, plan.zone, now),
        "created_by": by,
        "created_at": now,
    }


async def schedule_of(session: AsyncSession, key: str) -> Schedule:
    """The schedule of this key, locked. Raises NotFound."""
    row = await session.scalar(select(Schedule).where(Schedule.key == key).with_for_update())
    if row is None:
        raise NotFound(KIND, key)
    return row


async def switch(session: AsyncSession, key: str, taken: Taken, *, enabled: bool) -> Schedule:
    """Let a schedule rest, or go on; what it missed while it rested is not made up for. Raises NotFound."""
    row = await schedule_of(session, key)
    if row.enabled != enabled:
        await append_event(session, taken, action="change", kind=KIND, ref=key, changes={"enabled": [row.enabled, enabled]})
        row.enabled = enabled
        row.next_at = next_after(row.cron, row.zone, taken.at) if enabled else None
        await session.flush()
    return row


async def run_now(session: AsyncSession, key: str, taken: Taken) -> Job:
    """Put a schedule's work into the table besides its times. Raises NotFound."""
    row = await schedule_of(session, key)
    await append_event(session, taken, action="run_now", kind=KIND, ref=key)
    return await _enqueue(session, row, taken)


async def any_due(session: AsyncSession, now: datetime) -> bool:
    """Whether `put_due` would find something."""
    return await session.scalar(_due(now).with_only_columns(Schedule.id).limit(1)) is not None


async def put_due(session: AsyncSession, now: datetime) -> int:
    """Put what is due into the table of jobs; how many.

    The next time is counted from now: however many times were missed, the work comes once. While the one before is still open
    it does not come a second time. Several workers may look at once.
    """
    rows = (await session.scalars(_due(now).limit(MAX_DUE).with_for_update(skip_locked=True))).all()
    for row in rows:
        await _enqueue(session, row, Taken(Actor.system(f"schedule {row.key}"), now))
        row.last_at = now
        try:
            row.next_at = next_after(row.cron, row.zone, now)
        except Refused as exc:  # written past `save_plan`, or a zone that this machine does not know
            row.next_at, row.enabled = None, False
            log.warning("schedule_stopped", schedule=row.key, reason=exc.code)
    await session.flush()
    return len(rows)


def _due(now: datetime) -> Select[Schedule]:
    return select(Schedule).where(Schedule.enabled, Schedule.next_at <= now).order_by(Schedule.next_at)


async def _enqueue(session: AsyncSession, row: Schedule, taken: Taken) -> Job:
    return await enqueue(session, row.kind, row.args, key=f"schedule:{row.key}", taken=taken)
