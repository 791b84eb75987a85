"""Tables `job` and `schedule`."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Index, Integer, Text, false, text
from sqlalchemy.orm import Mapped, mapped_column

from cloud.db.base import Base
from cloud.db.types import Big, Json, Key, UtcTime
from cloud.kernel.models import fresh_uid

OPEN = "status IN ('waiting', 'running')"
"""Condition of the index that lets a key be among open jobs once."""


class JobStatus(StrEnum):
    """Where a job is. The last three are ends; `again` opens one anew."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED = frozenset({JobStatus.DONE, JobStatus.FAILED, JobStatus.CANCELLED})


class Job(Base):
    """One piece of background work. A running one belongs to whoever knows its `lease_no`, until `lease_until`."""

    __tablename__ = "job"
    __table_args__ = (
        Index("ix_job_status_run_at", "status", "run_at"),
        Index("ix_job_finished_at", "finished_at"),
        Index("uq_job_kind_key_open", "kind", "key", unique=True, sqlite_where=text(OPEN), postgresql_where=text(OPEN)),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    uid: Mapped[str] = mapped_column(Text, unique=True, default=fresh_uid)
    kind: Mapped[str] = mapped_column(Text)
    key: Mapped[str | None] = mapped_column(Text)
    """Of open jobs of a kind only one has it: asking twice for the same is asking once."""
    args: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    status: Mapped[str] = mapped_column(Text, default=JobStatus.WAITING)
    priority: Mapped[int] = mapped_column(Integer, default=0)
    """Higher goes first among those that are due."""
    run_at: Mapped[datetime] = mapped_column(UtcTime)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    """Times that a worker took it, those that were stopped in good order not counted."""
    max_attempts: Mapped[int] = mapped_column(Integer)
    lease_no: Mapped[int] = mapped_column(Big, default=0)
    """Grows whenever a worker takes the job: who holds an older number must not write any more."""
    lease_until: Mapped[datetime | None] = mapped_column(UtcTime)
    worker: Mapped[str | None] = mapped_column(Text)
    cancel_asked: Mapped[bool] = mapped_column(default=False, server_default=false())
    again: Mapped[bool] = mapped_column(default=False, server_default=false())
    """It was asked for while it ran, so that it runs once more."""
    done: Mapped[int] = mapped_column(Big, default=0)
    total: Mapped[int | None] = mapped_column(Big)
    note: Mapped[str | None] = mapped_column(Text)
    """What it is at, for people."""
    place: Mapped[Any | None] = mapped_column(Json)
    """Where the next step begins, in the handler's own words; written with the step's work."""
    result: Mapped[Any | None] = mapped_column(Json)
    error: Mapped[str | None] = mapped_column(Text)
    """Why the last try failed."""
    chain: Mapped[str] = mapped_column(Text)
    """What led to it; its own `uid` where nothing did. Whatever it does carries it on."""
    created_by: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcTime)
    """Of the last try."""
    finished_at: Mapped[datetime | None] = mapped_column(UtcTime)


class Schedule(Base):
    """Work that comes again by the clock. `next_at` is worked out when the one before is due."""

    __tablename__ = "schedule"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    key: Mapped[str] = mapped_column(Text, unique=True)
    kind: Mapped[str] = mapped_column(Text)
    args: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    cron: Mapped[str] = mapped_column(Text)
    """Five fields: minute, hour, day, month, weekday."""
    zone: Mapped[str] = mapped_column(Text)
    """IANA name of the zone in which the fields are read."""
    enabled: Mapped[bool] = mapped_column(default=True)
    next_at: Mapped[datetime | None] = mapped_column(UtcTime, index=True)
    last_at: Mapped[datetime | None] = mapped_column(UtcTime)
    created_by: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
