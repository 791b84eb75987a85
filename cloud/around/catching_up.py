"""Search catches up with what was written past the records' service: receipts made of journals, demo data, older releases.

It reads the log of who did what from where it stood, and looks again at the records that are named there. What is found as it
should be costs one read.
"""

import asyncio

import structlog
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.around.index import index_record
from cloud.around.records import doc_of, reindex_all
from cloud.clock import Clock, system_clock
from cloud.db.engine import Sessions
from cloud.db.settings_table import Setting
from cloud.kernel.actor import Actor, Taken
from cloud.kernel.models import Event
from cloud.objects.caller import caller
from cloud.objects.registry import Registry

log = structlog.get_logger()

CURSOR = "search_cursor"
"""Setting: the last event that search knows of. Its row is locked while some are looked at, so that workers take turns."""

CHUNK = 200
"""Events to a transaction: on SQLite a fraction of a second."""

PAUSE_S = 2.0
"""So late can search know of a receipt; what people save is known at once."""


async def catch_up_forever(
    sessions: Sessions, registry: Registry, clock: Clock = system_clock, *, pause_s: float = PAUSE_S
) -> None:
    """Until cancelled. A database that cannot be asked is asked again."""
    while True:
        try:
            while await catch_up(sessions, registry, Taken(Actor.system("search"), clock())):
                pass
        except (OperationalError, InterfaceError, PoolTimeout, IntegrityError) as exc:
            # Two workers that find a record new at once clash over it: the other one goes on.
            log.warning("search_behind", reason=type(exc).__name__)
        await asyncio.sleep(pause_s)


async def catch_up(sessions: Sessions, registry: Registry, taken: Taken) -> bool:
    """Look at the next events, the first time at every record there is; whether there may be more."""
    async with sessions.read() as session:
        fresh = await session.get(Setting, CURSOR) is None
        last = (await session.scalar(select(func.max(Event.id))) or 0) if fresh else 0
    if fresh:
        counts = await reindex_all(sessions, registry, taken)
        async with sessions.write() as session:
            # As it stood before: what changed while everything was read is looked at again.
            await session.merge(Setting(key=CURSOR, value=str(last)))
        log.info("search_built", records=sum(counts.values()))
        return True
    async with sessions.read() as session:
        behind = await session.scalar(select(Event.id).where(Event.id > await _place(session)).limit(1)) is not None
    if not behind:
        return False
    async with sessions.write() as session:
        return await _some(session, registry, taken)


async def _place(session: AsyncSession) -> int:
    return int((await session.get_one(Setting, CURSOR)).value)


async def _some(session: AsyncSession, registry: Registry, taken: Taken) -> bool:
    cursor = await session.get_one(Setting, CURSOR, with_for_update=True)
    query = select(Event.id, Event.kind, Event.ref).where(Event.id > int(cursor.value)).order_by(Event.id).limit(CHUNK)
    events = (await session.execute(query)).all()
    if not events:
        return False
    cursor.value = str(events[-1].id)
    asker = await caller(session, registry, taken)
    for kind, ref in dict.fromkeys((one.kind, one.ref) for one in events if one.kind in asker.objects.definitions):
        rows = asker.rows(kind)
        row = await session.scalar(rows.select().where(rows.ref_column == ref))
        if row is not None:
            await index_record(session, await doc_of(asker, rows, row), taken.at)
    return len(events) == CHUNK
