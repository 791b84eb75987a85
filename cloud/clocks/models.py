"""Tables that find anchors and boots quickly. What they say is read from the journal entries again where it counts."""

from sqlalchemy import ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from cloud.db.base import Base
from cloud.db.types import Big


class AnchorRow(Base):
    """One entry in which a box wrote down the cloud's time."""

    __tablename__ = "anchor"
    __table_args__ = (Index("ix_anchor_boot", "box_id", "boot_id", "mono_ns"),)

    run: Mapped[str] = mapped_column(Text, primary_key=True)
    seq: Mapped[int] = mapped_column(Big, primary_key=True)
    box_id: Mapped[str] = mapped_column(ForeignKey("box.id"))
    boot_id: Mapped[str] = mapped_column(Text)
    mono_ns: Mapped[int] = mapped_column(Big)
    srv_ns: Mapped[int] = mapped_column(Big)
    """`srv_time` of the entry, nanoseconds since 1970."""
    rtt_ns: Mapped[int] = mapped_column(Big)


class RunClock(Base):
    """Which boot a run began in, and when by that boot's clock: from its entry 0."""

    __tablename__ = "run_clock"

    run: Mapped[str] = mapped_column(Text, primary_key=True)
    box_id: Mapped[str] = mapped_column(ForeignKey("box.id"))
    boot_id: Mapped[str] = mapped_column(Text)
    mono_ns: Mapped[int] = mapped_column(Big)
