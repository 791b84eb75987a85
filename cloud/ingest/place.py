"""Where a run stands: read in one statement with everything else that decides about a frame, and locked until the commit."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, exists, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.boxes.models import Box, BoxStatus
from cloud.boxes.registry import seen_lately
from cloud.db.engine import is_sqlite
from cloud.db.settings_table import GENERATION, Setting
from cloud.ingest.models import RUN_STATE, Branch, HeldRun, JournalEntry, RunState
from sync_protocol.frame import Batch
from sync_protocol.ids import RunId
from sync_protocol.inbox import Position


@dataclass(frozen=True, slots=True)
class Place:
    """One run, and its box. `status` is `revoked` and `spki` None where there is no such box."""

    owner: str
    """The box that the run belongs to."""
    position: Position
    status: str
    spki: bytes | None
    last_seen: datetime | None
    gen: int
    parent: str | None = None
    joins_at: int | None = None
    first_child: int | None = None
    """The lowest entry behind which another run of the box continues this one."""
    branched: bool = False
    """Whether the box's journal has branches anywhere."""
    held_from: int | None = None
    dropped_from: int | None = None

    def hold(self, acked: int) -> str | None:
        """Why nothing is made of the newest of `acked` entries (`Ack.hold`)."""
        if self.dropped_from is not None and acked > self.dropped_from:
            return "dropped"
        return "overlap" if self.held_from is not None and acked > self.held_from else None


_RUNS = RUN_STATE.c
_BOX = Box.__table__.c
_HELD = HeldRun.__table__.c
_GENERATION = select(Setting.value).where(Setting.key == GENERATION).scalar_subquery()
_CHILDREN = RUN_STATE.alias("child")
_LOCKED = (
    select(
        _RUNS.box_id,
        _RUNS.acked,
        _RUNS.hash,
        _BOX.status,
        _BOX.spki,
        _BOX.last_seen,
        _GENERATION,
        _RUNS.parent_run,
        _RUNS.joins_at,
        select(func.min(_CHILDREN.c.joins_at)).where(_CHILDREN.c.parent_run == bindparam("run")).scalar_subquery(),
        exists().where(Branch.box_id == bindparam("box")),
        _HELD.held_from,
        _HELD.dropped_from,
    )
    .select_from(RUN_STATE)
    .join(Box.__table__, _BOX.id == bindparam("box"))
    .outerjoin(HeldRun.__table__, _HELD.run == _RUNS.run)
    .where(_RUNS.run == bindparam("run"))
    .with_for_update(of=RUN_STATE)
)
_MOVE = update(RUN_STATE).where(_RUNS.run == bindparam("moved"))


async def locked(session: AsyncSession, *, run: RunId, box: str, now: datetime) -> Place:
    """The place of a run, which is locked from now on and made where there was none; only for a box that is let in."""
    found = await _read(session, run, box)
    if found is not None:
        return found
    row = await session.get(Box, box)
    start = Position.start(run)
    if row is None or row.status != BoxStatus.ACTIVE:
        status = BoxStatus.REVOKED if row is None else row.status
        return Place(box, start, status, row.spki if row else None, row.last_seen if row else None, 0)
    values = {
        "run": run,
        "box_id": box,
        "acked": start.acked,
        "hash": start.hash,
        "box_gen": 0,
        "opened_at": now,
        "updated_at": now,
    }
    upsert = sqlite.insert(RunState) if is_sqlite(session) else postgresql.insert(RunState)
    await session.execute(upsert.values(values).on_conflict_do_nothing(index_elements=["run"]))
    found = await _read(session, run, box)
    if found is None:
        raise LookupError(f"run {run} was written and is not there")
    return found


async def _read(session: AsyncSession, run: RunId, box: str) -> Place | None:
    row = (await (await session.connection()).execute(_LOCKED, {"run": run, "box": box})).one_or_none()
    if row is None:
        return None
    owner, acked, digest, status, spki, last_seen, gen, *rest = row
    return Place(owner, Position(acked, digest), status, spki, last_seen, int(gen or 0), *rest)


async def note_call(session: AsyncSession, place: Place, box: str, now: datetime) -> None:
    """Note that the box called, where that is not noted recently enough."""
    if not seen_lately(place.last_seen, now):
        await session.execute(update(Box).where(Box.id == box).values(last_seen=now))


async def hash_below(session: AsyncSession, position: Position, batch: Batch) -> bytes | None:
    """The stored hash that a batch which begins below the position is compared with."""
    if batch.first >= position.acked:
        return None
    seq = min(batch.end, position.acked) - 1
    return await session.scalar(select(JournalEntry.hash).where(JournalEntry.run == batch.run, JournalEntry.seq == seq))


async def forget(session: AsyncSession, run: RunId) -> None:
    """Nothing of this run is here, so no row for it either: a box cannot make rows without sending entries."""
    await session.execute(delete(RunState).where(RunState.run == run, RunState.acked == 0))


async def move(session: AsyncSession, run: RunId, values: Mapping[str, Any]) -> None:
    """Change the run's row."""
    await (await session.connection()).execute(_MOVE, {"moved": run, **values})
