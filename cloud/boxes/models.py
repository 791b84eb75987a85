"""Tables `box` and `box_key`."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from cloud.db.base import Base
from cloud.db.types import Big, UtcTime


class BoxStatus(StrEnum):
    """Whether a box is let in. Suspended: what it sends is kept aside. Revoked: nothing it sends is kept."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    REVOKED = "revoked"


class Box(Base):
    """One box. Its certificate must carry `id` as common name and the key `spki`."""

    __tablename__ = "box"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    station_code: Mapped[str | None] = mapped_column(Text)
    """Station whose master data the box may read, None while it stands nowhere."""
    spki: Mapped[bytes] = mapped_column(LargeBinary)
    key_id: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    status: Mapped[str] = mapped_column(Text, default=BoxStatus.ACTIVE)
    last_seen: Mapped[datetime | None] = mapped_column(UtcTime)
    registered_at: Mapped[datetime] = mapped_column(UtcTime)
    lease: Mapped[int] = mapped_column(Big, default=0, server_default="0")
    """Of the newest session (`cloud.boxes.leases`)."""
    lease_used: Mapped[int] = mapped_column(Big, default=0, server_default="0")
    """The highest lease that somebody with this identity came back with."""
    lease_at: Mapped[datetime | None] = mapped_column(UtcTime)


class BoxKey(Base):
    """Every key that a box ever had: old batches are verified with the key they were signed with."""

    __tablename__ = "box_key"

    key_id: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    box_id: Mapped[str] = mapped_column(ForeignKey("box.id"), index=True)
    spki: Mapped[bytes] = mapped_column(LargeBinary)
    registered_at: Mapped[datetime] = mapped_column(UtcTime)
