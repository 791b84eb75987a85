"""Until when the ledger is closed: no move happens on or before that day, whenever it is written down.

Posts and closings hold the same lock, posts together and a closing alone: else a move that was begun before the closing could
be written behind it.
"""

import json
import zlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.db.engine import is_sqlite
from cloud.db.settings_table import Setting
from cloud.errors import Refused
from cloud.kernel.actor import Taken
from cloud.kernel.events import append_event

CLOSED = "ledger_closed_until"
LOCK = zlib.crc32(b"tallybox ledger")


@dataclass(frozen=True, slots=True)
class Closed:
    """The last closed day, and the moment at which the first open one begins."""

    day: date
    open_from: datetime


async def share(session: AsyncSession) -> None:
    """Whoever posts: nobody closes or rebuilds the ledger until this transaction ends. SQLite has one writer anyway."""
    if not is_sqlite(session):
        await session.execute(select(func.pg_advisory_xact_lock_shared(LOCK)))


async def alone(session: AsyncSession) -> None:
    """Whoever closes or rebuilds: nobody posts until this transaction ends."""
    if not is_sqlite(session):
        await session.execute(select(func.pg_advisory_xact_lock(LOCK)))


async def closed(session: AsyncSession) -> Closed | None:
    """The closing in force, None where nothing was ever closed."""
    value = await session.scalar(select(Setting.value).where(Setting.key == CLOSED))
    if value is None:
        return None
    said = json.loads(value)
    return Closed(date.fromisoformat(said["day"]), datetime.fromisoformat(said["open_from"]))


async def close(session: AsyncSession, day: date, zone: ZoneInfo, taken: Taken) -> Closed:
    """Close the ledger until the end of `day` in the house's `zone`. Raises Refused `day_not_over`, and `closed_already` where
    it is closed until that day or a later one: what was closed is never opened again."""
    await alone(session)
    begins = datetime.combine(day + timedelta(days=1), time(), zone).astimezone(UTC)
    if begins > taken.at:
        raise Refused("day_not_over", day=day.isoformat())
    before = await closed(session)
    if before is not None and before.day >= day:
        raise Refused("closed_already", day=before.day.isoformat())
    await session.merge(Setting(key=CLOSED, value=json.dumps({"day": day.isoformat(), "open_from": begins.isoformat()})))
    await append_event(
        session,
        taken,
        action="close",
        kind="ledger",
        ref=day.isoformat(),
        changes={"closed_until": [None if before is None else before.day.isoformat(), day.isoformat()]},
    )
    await session.flush()
    return Closed(day, begins)
