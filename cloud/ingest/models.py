"""Tables of the journals: positions, entries as sent, the batches that prove them, and frames kept aside."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, LargeBinary, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from cloud.db.base import Base
from cloud.db.types import Big, Key, UtcTime


class RunState(Base):
    """How far the cloud has a run: entries 0..acked-1 are stored and their chain ends at `hash`."""

    __tablename__ = "run_state"

    run: Mapped[str] = mapped_column(Text, primary_key=True)
    box_id: Mapped[str] = mapped_column(ForeignKey("box.id"), index=True)
    acked: Mapped[int] = mapped_column(Big)
    hash: Mapped[bytes] = mapped_column(LargeBinary)
    parent_run: Mapped[str | None] = mapped_column(Text, index=True)
    parent_seq: Mapped[int | None] = mapped_column(Big)
    box_gen: Mapped[int] = mapped_column(Big, default=0)
    """The cloud's generation as the box knew it when it sent last."""
    opened_at: Mapped[datetime] = mapped_column(UtcTime)
    updated_at: Mapped[datetime] = mapped_column(UtcTime)


class JournalEntry(Base):
    """One entry of a journal, its bytes as the box wrote them. Never changed: triggers refuse it."""

    __tablename__ = "entry"

    run: Mapped[str] = mapped_column(Text, primary_key=True)
    seq: Mapped[int] = mapped_column(Big, primary_key=True)
    box_id: Mapped[str] = mapped_column(ForeignKey("box.id"))
    content: Mapped[bytes] = mapped_column(LargeBinary)
    hash: Mapped[bytes] = mapped_column(LargeBinary)
    kind: Mapped[str] = mapped_column(Text)
    """`t` of the entry where this program knows it, else `unknown`; `unreadable` for bytes that are no entry."""
    received_at: Mapped[datetime] = mapped_column(UtcTime)


class StoredBatch(Base):
    """What it takes to verify entries first..until-1 again: the header as sent, the signature, and whose key. Never changed."""

    __tablename__ = "batch"
    __table_args__ = (UniqueConstraint("run", "until"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    """Counts up in the order of receipt."""
    run: Mapped[str] = mapped_column(Text)
    first: Mapped[int] = mapped_column(Big)
    until: Mapped[int] = mapped_column(Big)
    """One behind the last entry."""
    header_line: Mapped[bytes] = mapped_column(LargeBinary)
    signature: Mapped[bytes] = mapped_column(LargeBinary)
    key_id: Mapped[bytes] = mapped_column(ForeignKey("box_key.key_id"))
    received_at: Mapped[datetime] = mapped_column(UtcTime, index=True)


class QuarantinedFrame(Base):
    """A frame that was kept aside, whole, for a person to look at."""

    __tablename__ = "quarantine"
    __table_args__ = (UniqueConstraint("box_id", "digest"), Index("ix_quarantine_run", "run"))

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    box_id: Mapped[str] = mapped_column(ForeignKey("box.id"))
    run: Mapped[str] = mapped_column(Text)
    digest: Mapped[str] = mapped_column(Text)
    """SHA-256 of the frame's body, hex: the same entries are kept once, however often they are signed anew."""
    frame: Mapped[bytes] = mapped_column(LargeBinary)
    reason: Mapped[str] = mapped_column(Text)
    """`fork`, `suspended` or `foreign_run`."""
    at: Mapped[datetime] = mapped_column(UtcTime)
