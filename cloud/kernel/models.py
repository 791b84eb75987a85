"""Table `event`, the audit log, and what a table with states carries."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from cloud.db.base import Base
from cloud.db.types import Big, Json, Key, UtcTime


class Event(Base):
    """One thing that somebody did or that happened. Rows are added and never changed: triggers refuse it."""

    __tablename__ = "event"
    __table_args__ = (Index("ix_event_kind_ref", "kind", "ref"), Index("ix_event_actor_action_at", "actor", "action", "at"))

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcTime, index=True)
    actor_kind: Mapped[str] = mapped_column(Text)
    """`user`, `box` or `system`."""
    actor: Mapped[str] = mapped_column(Text)
    """A user's login, a box's id, or the name of a part of the system."""
    via: Mapped[str | None] = mapped_column(Text)
    """The box on which a user acted, None at the staff pages."""
    action: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    ref: Mapped[str] = mapped_column(Text)
    changes: Mapped[dict[str, Any]] = mapped_column(Json)
    """Field to `[old, new]`; for refusals, what was found."""
    reason: Mapped[str | None] = mapped_column(Text)
    request_id: Mapped[str | None] = mapped_column(Text)


class Stateful:
    """Columns of a table whose rows have states. `state` is assigned by `cloud.kernel.transition` and nowhere else."""

    state: Mapped[str] = mapped_column(Text)
    version: Mapped[int] = mapped_column(Big, default=1)
    """Grows with every change; a page sends back the one it showed."""
