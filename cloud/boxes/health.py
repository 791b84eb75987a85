"""How each box last said it was."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from cloud.boxes.received import Received
from cloud.db.base import Base
from cloud.db.types import Big, Json, UtcTime
from sync_protocol.entries import HealthEntry


class BoxHealth(Base):
    """The newest health entry of a box, by receipt."""

    __tablename__ = "box_health"

    box_id: Mapped[str] = mapped_column(ForeignKey("box.id"), primary_key=True)
    run: Mapped[str] = mapped_column(Text)
    seq: Mapped[int] = mapped_column(Big)
    content: Mapped[dict[str, Any]] = mapped_column(Json)
    """The entry's own fields, as `sync_protocol.entries.HealthEntry` has them."""
    clk: Mapped[str] = mapped_column(Text)
    clk_err_ms: Mapped[int | None] = mapped_column(Big)
    boot_id: Mapped[str] = mapped_column(Text)
    mono_ns: Mapped[int] = mapped_column(Big)
    received_at: Mapped[datetime] = mapped_column(UtcTime)


async def note_health(session: AsyncSession, received: Received) -> None:
    """Keep it unless a newer one of the same boot is here: a backlog's old entries arrive after the newest."""
    entry = received.entry
    if not isinstance(entry, HealthEntry):
        return
    row = await session.get(BoxHealth, received.box, with_for_update=True)
    if row is None:
        row = BoxHealth(box_id=received.box)
        session.add(row)
    elif row.boot_id == entry.boot_id and row.mono_ns > entry.mono_ns:
        return
    row.run, row.seq, row.received_at = received.run, received.seq, received.received_at
    row.boot_id, row.mono_ns = entry.boot_id[:64], entry.mono_ns
    row.clk, row.clk_err_ms = entry.clk.s, entry.clk.err_ms
    row.content = entry.model_dump(mode="json", include=FIGURES)
    await session.flush()


FIGURES = set(HealthEntry.model_fields) - {"t", "boot_id", "mono_ns", "wall_ns", "clk", "was"}
