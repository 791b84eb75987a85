"""Tables of the journals: positions, entries as sent, the batches that prove them, and frames kept aside."""

from datetime import datetime
from typing import cast

from sqlalchemy import ForeignKey, Index, LargeBinary, Table, Text, UniqueConstraint, text
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
    joins_at: Mapped[int | None] = mapped_column(Big)
    """Up to which entry of the parent this run shares its journal: `parent_seq`, or less where it says entries again because
    the parent here went another way (a fork)."""
    box_gen: Mapped[int] = mapped_column(Big, default=0)
    """The cloud's generation as the box knew it when it sent last."""
    opened_at: Mapped[datetime] = mapped_column(UtcTime)
    updated_at: Mapped[datetime] = mapped_column(UtcTime)


OTHER_KINDS = "kind <> 'reading'"
"""Entries that something is made of: all but the many. SQLite uses the partial index only where a query says the same words
(its manual, "Partial Indexes", 3)."""


class JournalEntry(Base):
    """One entry of a journal, its bytes as the box wrote them. Never changed: triggers refuse it."""

    __tablename__ = "entry"
    __table_args__ = (
        Index("ix_entry_other_kinds", "run", "seq", sqlite_where=text(OTHER_KINDS), postgresql_where=text(OTHER_KINDS)),
    )

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


class Reissued(Base):
    """An entry that says another one again: both are stored, and only one of them counts."""

    __tablename__ = "reissued"
    __table_args__ = (Index("ix_reissued_was", "was_run", "was_seq"),)

    run: Mapped[str] = mapped_column(Text, primary_key=True)
    seq: Mapped[int] = mapped_column(Big, primary_key=True)
    was_run: Mapped[str] = mapped_column(Text)
    was_seq: Mapped[int] = mapped_column(Big)
    box_id: Mapped[str] = mapped_column(ForeignKey("box.id"))


class Branch(Base):
    """Two continuations of one point of a box's journal (sync_protocol.lineage.Parting).

    Behind entry (at_run, at_seq) `older_run` begins one side and `newer_run` the other; at_run itself where that went on.
    `restored`: the older side is silent since the newer one appeared. `overlap`: it is not, so both sides are held until
    somebody decides about each: `release` or `discard`.
    """

    __tablename__ = "branch"
    __table_args__ = (UniqueConstraint("box_id", "at_run", "at_seq", "older_run", "newer_run"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    box_id: Mapped[str] = mapped_column(ForeignKey("box.id"), index=True)
    at_run: Mapped[str] = mapped_column(Text)
    at_seq: Mapped[int] = mapped_column(Big)
    older_run: Mapped[str] = mapped_column(Text)
    newer_run: Mapped[str] = mapped_column(Text)
    read_as: Mapped[str] = mapped_column(Text)
    seen_at: Mapped[datetime] = mapped_column(UtcTime)
    overlap_at: Mapped[datetime | None] = mapped_column(UtcTime)
    older_decision: Mapped[str | None] = mapped_column(Text)
    newer_decision: Mapped[str | None] = mapped_column(Text)
    looked_at: Mapped[bool] = mapped_column(default=True)
    """Whether the records that were made of the sides before were looked at since the last change."""


class HeldRun(Base):
    """A run of which something is not made into records: from entry `held_from` on until a person has decided, from
    `dropped_from` on for good. Worked out from the branches of its box, under a lock on the box's row."""

    __tablename__ = "held_run"

    run: Mapped[str] = mapped_column(Text, primary_key=True)
    box_id: Mapped[str] = mapped_column(ForeignKey("box.id"), index=True)
    held_from: Mapped[int | None] = mapped_column(Big)
    dropped_from: Mapped[int | None] = mapped_column(Big)


class BoxDoubt(Base):
    """A box of which something else than its journal says that there are two."""

    __tablename__ = "box_doubt"

    box_id: Mapped[str] = mapped_column(ForeignKey("box.id"), primary_key=True)
    reason: Mapped[str] = mapped_column(Text)
    since: Mapped[datetime] = mapped_column(UtcTime)


class Lost(Base):
    """Entries first..until-1 of a run that will not come, as far as anybody can say; `until` None where nobody knows how many.

    `cause`: `restored_image` or `journal_lost`. They were written after `after` and before `before`, by the cloud's clock.
    """

    __tablename__ = "lost"
    __table_args__ = (UniqueConstraint("run", "first", "cause"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    box_id: Mapped[str] = mapped_column(ForeignKey("box.id"), index=True)
    run: Mapped[str] = mapped_column(Text)
    first: Mapped[int] = mapped_column(Big)
    until: Mapped[int | None] = mapped_column(Big)
    cause: Mapped[str] = mapped_column(Text)
    after: Mapped[datetime | None] = mapped_column(UtcTime)
    before: Mapped[datetime] = mapped_column(UtcTime)


class ParkedStep(Base):
    """A step that came before what it rests on: an earlier step of its job, or a reading. Taken once that is here."""

    __tablename__ = "parked_step"
    __table_args__ = (Index("ix_parked_step_job", "box_id", "job", "n"),)

    run: Mapped[str] = mapped_column(Text, primary_key=True)
    seq: Mapped[int] = mapped_column(Big, primary_key=True)
    box_id: Mapped[str] = mapped_column(ForeignKey("box.id"))
    job: Mapped[str] = mapped_column(Text)
    n: Mapped[int] = mapped_column(Big)
    received_at: Mapped[datetime] = mapped_column(UtcTime)


RUN_STATE = cast("Table", RunState.__table__)
BATCH = cast("Table", StoredBatch.__table__)
"""For statements that are made for every frame: going by the mapped classes would take longer than the database does."""
