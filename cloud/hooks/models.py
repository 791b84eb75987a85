"""Tables `endpoint` and `delivery`."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, Integer, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from cloud.db.base import Base
from cloud.db.types import Big, Json, Key, UtcTime
from cloud.kernel.models import fresh_uid


class Standing(StrEnum):
    """How an endpoint is. A failing one is tried on, one delivery at a time; a paused one is left alone until it is resumed."""

    ACTIVE = "active"
    FAILING = "failing"
    PAUSED = "paused"


class Outcome(StrEnum):
    """Where a delivery is."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    GIVEN_UP = "given_up"


class Endpoint(Base):
    """A program that is told what happens, as far as `owner` may read it."""

    __tablename__ = "endpoint"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    uid: Mapped[str] = mapped_column(Text, unique=True, default=fresh_uid)
    name: Mapped[str] = mapped_column(Text)
    url: Mapped[str] = mapped_column(Text)
    patterns: Mapped[list[str]] = mapped_column(Json)
    """`kind.action`, each a name or `*`."""
    owner: Mapped[str] = mapped_column(Text)
    """Login of the person whose rights decide what is told."""
    secret: Mapped[str] = mapped_column(Text)
    """Kept as it is, since it has to sign: who reads the database can sign in our name."""
    secret_before: Mapped[str | None] = mapped_column(Text)
    secret_before_until: Mapped[datetime | None] = mapped_column(UtcTime)
    """So long deliveries are signed with both."""
    status: Mapped[str] = mapped_column(Text, default=Standing.ACTIVE)
    failures: Mapped[int] = mapped_column(Integer, default=0)
    """Tries that failed since the last one that did not."""
    cursor: Mapped[int] = mapped_column(Big)
    """The last event that was looked at."""
    last_ok_at: Mapped[datetime | None] = mapped_column(UtcTime)
    created_by: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcTime)


class Delivery(Base):
    """One event for one endpoint. What is sent is made of the event when it is sent."""

    __tablename__ = "delivery"
    __table_args__ = (
        UniqueConstraint("endpoint_id", "event_id"),
        Index("ix_delivery_endpoint_id_status_next_at", "endpoint_id", "status", "next_at"),
        Index("ix_delivery_endpoint_id_kind_ref_event_id", "endpoint_id", "kind", "ref", "event_id"),
        Index("ix_delivery_ended_at", "ended_at"),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    endpoint_id: Mapped[int] = mapped_column(ForeignKey("endpoint.id", ondelete="CASCADE"))
    event_id: Mapped[int] = mapped_column(Big)
    """Its number in the audit log, where rows are never deleted."""
    type: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    ref: Mapped[str] = mapped_column(Text)
    """The record: what happened to one is told in its order."""
    status: Mapped[str] = mapped_column(Text, default=Outcome.WAITING)
    tries: Mapped[int] = mapped_column(Integer, default=0)
    next_at: Mapped[datetime] = mapped_column(UtcTime)
    sent_at: Mapped[datetime | None] = mapped_column(UtcTime)
    """The last try."""
    code: Mapped[int | None] = mapped_column(Integer)
    """Status of the last answer; None where none came."""
    answer: Mapped[str | None] = mapped_column(Text)
    """Its first characters, or why there was none."""
    ms: Mapped[int | None] = mapped_column(Integer)
    ended_at: Mapped[datetime | None] = mapped_column(UtcTime)
