"""Tables `paper` and `paper_copy`: documents that were made of records, frozen as they were said then."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cloud.db.base import Base
from cloud.db.types import Big, Key, UtcTime


class Paper(Base):
    """One document that was made. `snapshot` is canonical JSON (cloud.papers.snapshot) of all that it says; never changed."""

    __tablename__ = "paper"
    __table_args__ = (Index("ix_paper_record", "record_kind", "record"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    uid: Mapped[str] = mapped_column(Text, unique=True)
    """Random: who does not hold the paper cannot name it."""
    kind: Mapped[str] = mapped_column(Text)
    """Which document: a key of `cloud.papers.kinds.PAPERS`."""
    record_kind: Mapped[str] = mapped_column(Text)
    record: Mapped[str] = mapped_column(Text)
    """The record's uid: records that are made again keep it."""
    record_ref: Mapped[str] = mapped_column(Text)
    version: Mapped[int] = mapped_column(Big)
    """Of the record when the paper was made."""
    language: Mapped[str] = mapped_column(Text)
    snapshot: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(Text)
    """Of `snapshot`; what the paper's code says."""
    content_sha256: Mapped[str] = mapped_column(Text)
    """Of what it says of the record alone: papers of the same content do not replace each other."""
    made_at: Mapped[datetime] = mapped_column(UtcTime)
    made_by: Mapped[str] = mapped_column(Text)

    copies: Mapped[list["PaperCopy"]] = relationship(lazy="selectin", order_by="PaperCopy.id")


class PaperCopy(Base):
    """How often a paper was given out in these very bytes. Another typesetter makes other bytes of the same snapshot."""

    __tablename__ = "paper_copy"
    __table_args__ = (UniqueConstraint("paper_id", "pdf_sha256"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    paper_id: Mapped[int] = mapped_column(ForeignKey("paper.id"))
    pdf_sha256: Mapped[str] = mapped_column(Text)
    copies: Mapped[int] = mapped_column(Integer, default=0)
    first_at: Mapped[datetime] = mapped_column(UtcTime)
    first_by: Mapped[str] = mapped_column(Text)
