"""Table `event`, the audit log, and what a table with states carries."""

import secrets
from datetime import datetime
from typing import Any

from sqlalchemy import Index, Text, false
from sqlalchemy.orm import Mapped, mapped_column

from cloud.clock import system_clock
from cloud.db.base import Base
from cloud.db.types import Big, Json, Key, UtcTime
from sync_protocol.ids import uuid7


class Event(Base):
    """One thing that somebody did or that happened. Rows are added and never changed: triggers refuse it. `id` has no gaps."""

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
    chain: Mapped[str | None] = mapped_column(Text)
    """What led to what: the same for everything that one act set off (a rule, a job, an import)."""
    hash: Mapped[str] = mapped_column(Text)
    """SHA-256 over the hash before it and this row (cloud.kernel.chain), hex."""


class EventHead(Base):
    """The last link of the chain, in one row: whoever adds an event locks it first."""

    __tablename__ = "event_head"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    last: Mapped[int] = mapped_column(Big)
    hash: Mapped[str] = mapped_column(Text)


def fresh_uid() -> str:
    """A UUIDv7 of now."""
    return str(uuid7(int(system_clock().timestamp() * 1000), secrets.token_bytes(10)))


class Kept:
    """Columns of every table whose rows people make and change: masters, and records of customers' own objects."""

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    uid: Mapped[str] = mapped_column(Text, unique=True, default=fresh_uid)
    """UUIDv7 drawn by whoever makes the row, so that saying it again makes nothing twice."""
    version: Mapped[int] = mapped_column(Big, default=1, server_default="1")
    """Grows with every change; a page sends back the one it showed."""
    extra: Mapped[dict[str, Any]] = mapped_column(Json, default=dict, server_default="{}")
    """Values of the fields that a customer added (cloud.objects), by key."""
    archived: Mapped[bool] = mapped_column(default=False, server_default=false())
    """No longer offered or listed; never deleted, since records lead here."""
    created_at: Mapped[datetime | None] = mapped_column(UtcTime)
    created_by: Mapped[str | None] = mapped_column(Text)
    updated_at: Mapped[datetime | None] = mapped_column(UtcTime)
    updated_by: Mapped[str | None] = mapped_column(Text)
    """Logins; None where nobody said."""
    source: Mapped[str | None] = mapped_column(Text)
    """Whose number `source_key` is: an import or another system."""
    source_key: Mapped[str | None] = mapped_column(Text, index=True)
    """What the other system calls this row; unique within the kind and source."""


class Stateful:
    """Columns of a table whose rows have states. `state` is assigned by `cloud.kernel.transition` and nowhere else."""

    state: Mapped[str] = mapped_column(Text)
    version: Mapped[int] = mapped_column(Big, default=1)
    """Grows with every change; a page sends back the one it showed."""
