"""Tables of goods receipts. All but `receipt_number` are made from journal entries and decisions, and can be made again."""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import Date, ForeignKey, ForeignKeyConstraint, Index, Integer, Text, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cloud.db.base import Base
from cloud.db.types import Big, Exact, Key, Micro, UtcTime
from cloud.kernel.models import Stateful
from cloud.masters.models import Location, OrderLine, Party, Product, PurchaseOrder, Site, Station
from cloud.stock.models import HandlingUnit, Lot


class LineStanding(StrEnum):
    """Whether a line counts: only confirmed ones do."""

    COUNTING = "counting"
    CONFIRMED = "confirmed"
    DISCARDED = "discarded"


class ReceiptNumber(Base):
    """The number once given to a job stays with it, also when records are made anew."""

    __tablename__ = "receipt_number"

    uid: Mapped[str] = mapped_column(Text, primary_key=True)
    ref: Mapped[str] = mapped_column(Text, unique=True)


class Receipt(Stateful, Base):
    """One goods receipt. States: open, counting, check, posted, done, cancelled, reversed (cloud.receiving.machine)."""

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
    notice_ref: Mapped[str | None] = mapped_column(Text)
    """As the box said."""
    notice_uid: Mapped[str | None] = mapped_column(Text, index=True)
    """Of the notice of that ref where there is one."""
    owner_ref: Mapped[str | None] = mapped_column(Text)
    """As the box said; `owner` is the party of that ref where there is one."""
    number: Mapped[str | None] = mapped_column(Text)
    """Of the paper that the box gave out, from its own range."""
    station_id: Mapped[int | None] = mapped_column(ForeignKey("station.id"))
    site_id: Mapped[int | None] = mapped_column(ForeignKey("site.id"))
    order_id: Mapped[int | None] = mapped_column(ForeignKey("purchase_order.id"), index=True)
    supplier_id: Mapped[int | None] = mapped_column(ForeignKey("party.id"), index=True)
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("party.id"))
    document_no: Mapped[str | None] = mapped_column(Text)
    no_document_reason: Mapped[str | None] = mapped_column(Text)
    operator: Mapped[str] = mapped_column(Text)
    """Login of the person who opened it."""
    needs_review: Mapped[bool] = mapped_column(default=False, index=True)
    review_reason: Mapped[str | None] = mapped_column(Text)
    """Why a person is asked to look: a code, a translation key."""
    container: Mapped[str | None] = mapped_column(Text)
    seal: Mapped[str | None] = mapped_column(Text)
    vehicle: Mapped[str | None] = mapped_column(Text)
    temperature: Mapped[Decimal | None] = mapped_column(Exact)
    temperature_unit: Mapped[str | None] = mapped_column(Text)
    weighbridge: Mapped[Decimal | None] = mapped_column(Exact)
    """Gross, in `weighbridge_unit`."""
    weighbridge_unit: Mapped[str | None] = mapped_column(Text)
    arrived_at: Mapped[datetime | None] = mapped_column(UtcTime)
    """As somebody said; None: when the box opened it."""
    shipped_at: Mapped[datetime | None] = mapped_column(UtcTime)
    """A day alone is its begin at the site."""
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
    done_at: Mapped[datetime | None] = mapped_column(UtcTime)
    reversed_at: Mapped[datetime | None] = mapped_column(UtcTime)
    reversed_by: Mapped[str | None] = mapped_column(Text)

    station: Mapped[Station | None] = relationship(lazy="joined")
    site: Mapped[Site | None] = relationship(lazy="joined")
    order: Mapped[PurchaseOrder | None] = relationship(lazy="joined")
    supplier: Mapped[Party | None] = relationship(lazy="joined", foreign_keys=[supplier_id])
    owner: Mapped[Party | None] = relationship(lazy="joined", foreign_keys=[owner_id])
    lines: Mapped[list["ReceiptLine"]] = relationship(
        lazy="selectin", order_by="ReceiptLine.number", back_populates="receipt", cascade="all, delete-orphan"
    )
    evidence: Mapped[list["Evidence"]] = relationship(lazy="selectin", order_by="Evidence.id", cascade="all, delete-orphan")
    exceptions: Mapped[list["ReceiptException"]] = relationship(
        lazy="selectin", order_by="ReceiptException.id", cascade="all, delete-orphan"
    )
    photos: Mapped[list["ReceiptPhoto"]] = relationship(
        lazy="selectin", order_by="ReceiptPhoto.id", cascade="all, delete-orphan"
    )
    learned: Mapped[list["LearnedCode"]] = relationship(
        lazy="selectin", order_by="LearnedCode.id", cascade="all, delete-orphan"
    )
    remainders: Mapped[list["ReceiptRemainder"]] = relationship(
        lazy="selectin", order_by="ReceiptRemainder.id", cascade="all, delete-orphan"
    )


class ReceiptLine(Base):
    """One line. Amounts have the digits of the device or person, in their units (UCUM)."""

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
    gross: Mapped[Decimal | None] = mapped_column(Exact)
    gross_unit: Mapped[str | None] = mapped_column(Text)
    tare: Mapped[Decimal | None] = mapped_column(Exact)
    tare_unit: Mapped[str | None] = mapped_column(Text)
    packaging: Mapped[str | None] = mapped_column(Text)
    """Code of the packaging whose known tare was taken."""
    pieces: Mapped[Decimal | None] = mapped_column(Exact)
    pieces_unit: Mapped[str | None] = mapped_column(Text)
    unit_weight: Mapped[Decimal | None] = mapped_column(Exact)
    unit_weight_unit: Mapped[str | None] = mapped_column(Text)
    pack: Mapped[str | None] = mapped_column(Text)
    """How much of the product's unit the scanned code stood for, as the box said."""
    notice_line: Mapped[str | None] = mapped_column(Text)
    """As the box said: a line of the receipt's notice."""
    sscc: Mapped[str | None] = mapped_column(Text, index=True)
    """The handling unit that it lies on, 18 digits."""
    condition: Mapped[str] = mapped_column(Text, default="good", server_default="good")
    """`good` or `damaged`."""
    condition_reason: Mapped[str | None] = mapped_column(Text)
    discard_reason: Mapped[str | None] = mapped_column(Text)
    kept_reason: Mapped[str | None] = mapped_column(Text)
    """Why the operator kept the line although the box showed a failed check."""
    location_id: Mapped[int | None] = mapped_column(ForeignKey("location.id"))
    """Where its goods were posted to."""
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("party.id"))
    """Whose goods they were posted as."""
    lot_id: Mapped[int | None] = mapped_column(ForeignKey("lot.id"))
    handling_unit_id: Mapped[int | None] = mapped_column(ForeignKey("handling_unit.id"))
    stock_quantity: Mapped[Decimal | None] = mapped_column(Micro)
    """What was posted, in the product's unit."""
    stock_rounded: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether `quantity` has no finite form of six places in that unit."""

    receipt: Mapped[Receipt] = relationship(back_populates="lines")
    product: Mapped[Product | None] = relationship(lazy="joined")
    order_line: Mapped[OrderLine | None] = relationship(lazy="joined")
    location: Mapped[Location | None] = relationship(lazy="selectin")
    owner: Mapped[Party | None] = relationship(lazy="selectin")
    stock_lot: Mapped[Lot | None] = relationship(lazy="selectin")
    handling_unit: Mapped[HandlingUnit | None] = relationship(lazy="selectin")
    serials: Mapped[list["ReceiptSerial"]] = relationship(
        lazy="selectin", order_by="ReceiptSerial.n", cascade="all, delete-orphan"
    )


class ReceiptSerial(Base):
    """One serial number of a line that still counts. Field of its evidence: `serial:<n>`."""

    __tablename__ = "receipt_serial"
    __table_args__ = (UniqueConstraint("line_id", "n"), Index("ix_receipt_serial_serial", "serial"))

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    line_id: Mapped[int] = mapped_column(ForeignKey("receipt_line.id"))
    n: Mapped[int] = mapped_column(Integer)
    """Its place among all that were scanned for the line, from 1; one that was taken back leaves its place empty."""
    serial: Mapped[str] = mapped_column(Text)
    lot_id: Mapped[int | None] = mapped_column(ForeignKey("lot.id"))
    """The lot of one that it became when the receipt was posted."""


class ReceiptPhoto(Base):
    """A picture of a line (None: of the delivery) by its SHA-256; the bytes are a blob."""

    __tablename__ = "receipt_photo"
    __table_args__ = (ForeignKeyConstraint(["step_run", "step_seq"], ["entry.run", "entry.seq"]),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    receipt_id: Mapped[int] = mapped_column(ForeignKey("receipt.id"), index=True)
    line_number: Mapped[int | None] = mapped_column(Integer)
    subject: Mapped[str] = mapped_column(Text)
    """damage, delivery_note, seal, goods or other."""
    sha256: Mapped[str] = mapped_column(Text, index=True)
    by: Mapped[str] = mapped_column(Text)
    run: Mapped[str | None] = mapped_column(Text)
    seq: Mapped[int | None] = mapped_column(Big)
    step_run: Mapped[str] = mapped_column(Text)
    step_seq: Mapped[int] = mapped_column(Big)


class LearnedCode(Base):
    """A code that nobody knew, and which product the operator said it names."""

    __tablename__ = "learned_code"
    __table_args__ = (ForeignKeyConstraint(["step_run", "step_seq"], ["entry.run", "entry.seq"]),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    receipt_id: Mapped[int] = mapped_column(ForeignKey("receipt.id"), index=True)
    scheme: Mapped[str] = mapped_column(Text)
    """gtin, supplier or own."""
    code: Mapped[str] = mapped_column(Text)
    sku: Mapped[str] = mapped_column(Text)
    """As the box said; `product` is the row of that sku where there is one."""
    product_id: Mapped[int | None] = mapped_column(ForeignKey("product.id"))
    pack: Mapped[str | None] = mapped_column(Text)
    standing: Mapped[str] = mapped_column(Text, default="proposed", index=True)
    """`proposed`, `accepted` (then there is a product_code) or `refused`."""
    by: Mapped[str] = mapped_column(Text)
    decided_by: Mapped[str | None] = mapped_column(Text)
    decided_at: Mapped[datetime | None] = mapped_column(UtcTime)
    run: Mapped[str | None] = mapped_column(Text)
    seq: Mapped[int | None] = mapped_column(Big)
    step_run: Mapped[str] = mapped_column(Text)
    step_seq: Mapped[int] = mapped_column(Big)

    product: Mapped[Product | None] = relationship(lazy="joined")


class ReceiptRemainder(Base):
    """What becomes of the rest of an order's line when the receipt is done."""

    __tablename__ = "receipt_remainder"
    __table_args__ = (UniqueConstraint("receipt_id", "order_line"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    receipt_id: Mapped[int] = mapped_column(ForeignKey("receipt.id"))
    order_line: Mapped[str] = mapped_column(Text)
    policy: Mapped[str] = mapped_column(Text)
    """`back_order` or `close_short`."""
    reason: Mapped[str | None] = mapped_column(Text)


class Evidence(Base):
    """What one field of a receipt (`line_id` None) or of a line rests on.

    `field`: order, document, arrival.<field> of the head; identity, lot, expiry, unit, quantity, gross, tare, pieces,
    unit_weight, serial:<n> of a line. Mode `device`: entry (run, seq) is the reading. Mode `manual`: typed by `by`, who gave
    `reason`. Mode `derived`: follows by `formula` from other fields of the line. Mode `override`: typed against the reading.
    (step_run, step_seq) is the signed entry in which the box said so.
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
    formula: Mapped[str | None] = mapped_column(Text)
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
    """Code of the check, a translation key (sync_protocol.receiving.settings)."""
    severity: Mapped[str] = mapped_column(Text)
    expected: Mapped[str | None] = mapped_column(Text)
    found: Mapped[str | None] = mapped_column(Text)
    decision: Mapped[str | None] = mapped_column(Text)
    """`accept`, `refuse`, or None while undecided."""
    by: Mapped[str | None] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)
    decided_at: Mapped[datetime | None] = mapped_column(UtcTime)
    role: Mapped[str | None] = mapped_column(Text)
    """Of who decided, as it was then."""
    via: Mapped[str | None] = mapped_column(Text)
    """The box where it was decided, None at the staff pages."""
    method: Mapped[str | None] = mapped_column(Text)
    """How who decided showed who they are there: `pin` or `badge_and_pin`."""


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
