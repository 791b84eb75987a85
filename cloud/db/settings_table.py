"""Table `setting`: single values that belong to the database itself, such as its generation. `sequence`: counters."""

from datetime import datetime

from sqlalchemy import Text, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from cloud.db.base import Base
from cloud.db.engine import is_sqlite
from cloud.db.types import Big


class Setting(Base):
    """One value by name."""

    __tablename__ = "setting"

    key: Mapped[str] = mapped_column(Text, primary_key=True)
    value: Mapped[str] = mapped_column(Text)


class Sequence(Base):
    """The last number given under a name. Rows are locked while counting, so numbers have no holes and no doubles."""

    __tablename__ = "sequence"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    value: Mapped[int] = mapped_column(Big)


GENERATION = "generation"
EPOCH = "mirror_epoch"


async def generation(session: AsyncSession) -> int:
    """Grows whenever the database was put back to an earlier state; boxes that see it grow compare positions again."""
    value = await session.scalar(select(Setting.value).where(Setting.key == GENERATION))
    return int(value or 0)


async def start_generation(session: AsyncSession, epoch: str, *, now: datetime) -> int:
    """Call after the database was restored: a new generation, and all mirrors are pulled anew. `epoch`: random text.

    The number comes from the clock: a backup that is restored a second time counts on from the same number as the first time,
    and a box that knows the first one's generation would not notice.
    """
    row = await session.get(Setting, GENERATION, with_for_update=True)
    number = max(int(row.value) + 1 if row else 1, int(now.timestamp()))
    await session.merge(Setting(key=GENERATION, value=str(number)))
    await session.merge(Setting(key=EPOCH, value=epoch))
    return number


async def next_number(session: AsyncSession, name: str) -> int:
    """The next number under a name, from 1. Holds the counter's row until the transaction ends."""
    row = await session.get(Sequence, name, with_for_update=True, populate_existing=True)
    if row is None:
        # Of two who draw the first number at once, the second waits here for the first and finds its row.
        upsert = sqlite.insert(Sequence) if is_sqlite(session) else postgresql.insert(Sequence)
        await session.execute(upsert.values(name=name, value=0).on_conflict_do_nothing(index_elements=["name"]))
        row = await session.get_one(Sequence, name, with_for_update=True, populate_existing=True)
    row.value += 1
    await session.flush()
    return row.value
