"""Tables of goods receipts. All but `receipt_number` are made from journal entries and decisions, and can be made again."""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import Date, ForeignKey, ForeignKeyConstraint, Index, Integer, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cloud.db.base import Base
from cloud.db.types import Big, Exact, Key, UtcTime
from cloud.kernel.models import Stateful
from cloud.masters.models import OrderLine, Party, Product, PurchaseOrder, Site, Station


class LineStanding(StrEnum):
    """Whether a line counts: only confirmed ones do."""

    COUNTING = "counting"
    CONFIRMED = "confirmed"
    DISCARDED = "discarded"


class Severity(StrEnum):
    """What an exception asks: nothing, a supervisor's decision, or that the receipt is never posted as it is."""

    INFO = "info"
    DECISION = "decision"
    STOP = "stop"


class ReceiptNumber(Base):
    """The number once given to a job stays with it, also when records are made anew."""

    __tablename__ = "receipt_number"

    uid: Mapped[str] = mapped_column(Text, primary_key=True)
    ref: Mapped[str] = mapped_column(Text, unique=True)


class Receipt(Stateful, Base):
    """One goods receipt. States: open, counting, check, posted, cancelled (cloud.receiving.machine)."""

    __tablename__ = "receipt"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    uid: Mapped[str] = mapped_column(Text, unique=True)
    """The box's job id."""
    ref: Mapped[str] = mapped_column(Text, unique=True)
    state: Mapped[str] = mapped_column(Text, default="open", index=True)
    box_id: Mapped[str] = mapped_column(ForeignKey("box.id"))
    station_code: Mapped[str] = mapped_column(Text)
    """As the box said; `station` is the row of that code where there is one."""
    order_ref: Mapped[str | None] = mapped_column(Text)
    """As the box said; `order` is the row of that ref where there is one."""
    station_id: Mapped[int | None] = mapped_column(ForeignKey("station.id"))
    site_id: Mapped[int | None] = mapped_column(ForeignKey("site.id"))
    order_id: Mapped[int | None] = mapped_column(ForeignKey("purchase_order.id"), index=True)
    supplier_id: Mapped[int | None] = mapped_column(ForeignKey("party.id"), index=True)
    document_no: Mapped[str | None] = mapped_column(Text)
    no_document_reason: Mapped[str | None] = mapped_column(Text)
    operator: Mapped[str] = mapped_column(Text)
    """Login of the person who opened it."""
    needs_review: Mapped[bool] = mapped_column(default=False, index=True)
    opened_at: Mapped[datetime | None] = mapped_column(UtcTime)
    """By the box's clock, a hint; None where that clock said no possible time."""
    clock_set: Mapped[bool]
    """Whether anything had set the box's clock by then."""
    opened_received_at: Mapped[datetime] = mapped_column(UtcTime, index=True)
    """When the cloud stored the entry."""
    finished_at: Mapped[datetime | None] = mapped_column(UtcTime)
    finished_received_at: Mapped[datetime | None] = mapped_column(UtcTime)
    posted_at: Mapped[datetime | None] = mapped_column(UtcTime)
    posted_by: Mapped[str | None] = mapped_column(Text)

    station: Mapped[Station | None] = relationship(lazy="joined")
    site: Mapped[Site | None] = relationship(lazy="joined")
    order: Mapped[PurchaseOrder | None] = relationship(lazy="joined")
    supplier: Mapped[Party | None] = relationship(lazy="joined")
    lines: Mapped[list["ReceiptLine"]] = relationship(
        lazy="selectin", order_by="ReceiptLine.number", back_populates="receipt", cascade="all, delete-orphan"
    )
    evidence: Mapped[list["Evidence"]] = relationship(lazy="selectin", order_by="Evidence.id", cascade="all, delete-orphan")
    exceptions: Mapped[list["ReceiptException"]] = relationship(
        lazy="selectin", order_by="ReceiptException.id", cascade="all, delete-orphan"
    )


class ReceiptLine(Base):
    """One line. `quantity` has the digits of the device or person, in `unit` (UCUM)."""

    __tablename__ = "receipt_line"
    __table_args__ = (UniqueConstraint("receipt_id", "number"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    receipt_id: Mapped[int] = mapped_column(ForeignKey("receipt.id"))
    number: Mapped[int] = mapped_column(Integer)
    standing: Mapped[str] = mapped_column(Text)
    """LineStanding."""
    sku: Mapped[str] = mapped_column(Text)
    """As the box said; `product` is the row of that sku where there is one."""
    product_rev: Mapped[int] = mapped_column(Big)
    product_id: Mapped[int | None] = mapped_column(ForeignKey("product.id"))
    order_line_id: Mapped[int | None] = mapped_column(ForeignKey("order_line.id"), index=True)
    lot: Mapped[str | None] = mapped_column(Text)
    expiry: Mapped[date | None] = mapped_column(Date)
    quantity: Mapped[Decimal | None] = mapped_column(Exact)
    unit: Mapped[str | None] = mapped_column(Text)
    discard_reason: Mapped[str | None] = mapped_column(Text)
    kept_reason: Mapped[str | None] = mapped_column(Text)
    """Why the operator kept the line although the box showed a failed check."""

    receipt: Mapped[Receipt] = relationship(back_populates="lines")
    product: Mapped[Product | None] = relationship(lazy="joined")
    order_line: Mapped[OrderLine | None] = relationship(lazy="joined")


class Evidence(Base):
    """What one field of a receipt (`line_id` None) or of a line rests on.

    `field`: order, document, identity, lot, expiry, quantity. Mode `device`: entry (run, seq) is the reading. Mode `manual`:
    typed by `by`, who gave `reason`. (step_run, step_seq) is the signed entry in which the box said so.
    """

    __tablename__ = "evidence"
    __table_args__ = (
        ForeignKeyConstraint(["step_run", "step_seq"], ["entry.run", "entry.seq"]),
        UniqueConstraint("receipt_id", "line_id", "field"),
        Index("ix_evidence_run_seq", "run", "seq"),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    receipt_id: Mapped[int] = mapped_column(ForeignKey("receipt.id"))
    line_id: Mapped[int | None] = mapped_column(ForeignKey("receipt_line.id"), index=True)
    field: Mapped[str] = mapped_column(Text)
    mode: Mapped[str] = mapped_column(Text)
    run: Mapped[str | None] = mapped_column(Text)
    seq: Mapped[int | None] = mapped_column(Big)
    value: Mapped[str] = mapped_column(Text)
    unit: Mapped[str | None] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)
    by: Mapped[str] = mapped_column(Text)
    step_run: Mapped[str] = mapped_column(Text)
    step_seq: Mapped[int] = mapped_column(Big)

    line: Mapped[ReceiptLine | None] = relationship(lazy="joined")


class ReceiptStep(Base):
    """Which journal entries the receipt was made from, in their order."""

    __tablename__ = "receipt_step"
    __table_args__ = (
        ForeignKeyConstraint(["run", "seq"], ["entry.run", "entry.seq"]),
        UniqueConstraint("run", "seq"),
        UniqueConstraint("receipt_id", "n"),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    receipt_id: Mapped[int] = mapped_column(ForeignKey("receipt.id"), index=True)
    n: Mapped[int] = mapped_column(Big)
    step: Mapped[str] = mapped_column(Text)
    run: Mapped[str] = mapped_column(Text)
    seq: Mapped[int] = mapped_column(Big)


class ReceiptException(Base):
    """A check that did not come out clean, and what was decided about it. `expected` and `found` are texts for a person."""

    __tablename__ = "receipt_exception"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    receipt_id: Mapped[int] = mapped_column(ForeignKey("receipt.id"), index=True)
    line_number: Mapped[int | None] = mapped_column(Integer)
    check: Mapped[str] = mapped_column(Text)
    """Code of the check, a translation key (cloud.receiving.checks)."""
    severity: Mapped[str] = mapped_column(Text)
    expected: Mapped[str | None] = mapped_column(Text)
    found: Mapped[str | None] = mapped_column(Text)
    decision: Mapped[str | None] = mapped_column(Text)
    """`accept`, `refuse`, or None while undecided."""
    by: Mapped[str | None] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)
    decided_at: Mapped[datetime | None] = mapped_column(UtcTime)


class ProjectionCursor(Base):
    """How far a run was made into records; advanced in the transaction of its effects."""

    __tablename__ = "projection_cursor"

    run: Mapped[str] = mapped_column(ForeignKey("run_state.run"), primary_key=True)
    next_seq: Mapped[int] = mapped_column(Big, default=0)


class ProjectionFault(Base):
    """An entry of which nothing could be made. It holds up nothing; its receipt, where one is known, is marked for review."""

    __tablename__ = "projection_fault"
    __table_args__ = (ForeignKeyConstraint(["run", "seq"], ["entry.run", "entry.seq"]),)

    run: Mapped[str] = mapped_column(Text, primary_key=True)
    seq: Mapped[int] = mapped_column(Big, primary_key=True)
    box_id: Mapped[str] = mapped_column(ForeignKey("box.id"))
    code: Mapped[str] = mapped_column(Text)
    detail: Mapped[str] = mapped_column(Text)
    job: Mapped[str | None] = mapped_column(Text, index=True)
    n: Mapped[int | None] = mapped_column(Big)
    """The step's number within its job."""
    at: Mapped[datetime] = mapped_column(UtcTime)
