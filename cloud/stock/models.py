"""Tables `lot`, `handling_unit`, `move`, `quant`, `reservation`, `line_bucket` and `receipt_verdict`.

A move is the only way stock changes. Quants and buckets are sums of moves that are written in the same transaction; both can be
made again. Amounts are in the product's own unit, whole millionths of it.
"""

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index, Integer, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cloud.db.base import Base
from cloud.db.types import Big, Json, Key, Micro, UtcTime
from cloud.kernel.models import Kept
from cloud.masters.models import Location, Party, Product


class Lot(Kept, Base):
    """What is one and the same of a product: a batch, or with `is_serial` a single piece. A code stands once per product.

    States: pending, released, hold, rejected, recalled (cloud.stock.lots). That it is expired follows from `expires_on` alone.
    """

    __tablename__ = "lot"
    __table_args__ = (
        UniqueConstraint("source", "source_key"),
        UniqueConstraint("product_id", "code"),
        Index("ix_lot_code", "code"),
        Index("ix_lot_expires_on", "expires_on"),
    )

    ref: Mapped[str] = mapped_column(Text, unique=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"))
    code: Mapped[str] = mapped_column(Text)
    is_serial: Mapped[bool] = mapped_column(default=False)
    made_on: Mapped[date | None] = mapped_column(Date)
    expires_on: Mapped[date | None] = mapped_column(Date)
    supplier_id: Mapped[int | None] = mapped_column(ForeignKey("party.id"), index=True)
    state: Mapped[str] = mapped_column(Text, default="released", index=True)
    first_receipt: Mapped[str | None] = mapped_column(Text)
    """Uid of the receipt that made it."""

    product: Mapped[Product] = relationship(lazy="selectin")
    supplier: Mapped[Party | None] = relationship(lazy="selectin")


class HandlingUnit(Kept, Base):
    """A pallet, box or container that goods lie on, by its SSCC (18 digits, GS1 General Specifications, 3.2 and 7.9)."""

    __tablename__ = "handling_unit"
    __table_args__ = (UniqueConstraint("source", "source_key"), CheckConstraint("parent_id <> id", name="not_own_parent"))

    sscc: Mapped[str] = mapped_column(Text, unique=True)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("handling_unit.id"), index=True)
    location_id: Mapped[int | None] = mapped_column(ForeignKey("location.id"), index=True)
    """Where it was last put; its goods say by their quants where they are."""
    packaging: Mapped[str | None] = mapped_column(Text)
    """Code of its packaging."""
    tare: Mapped[Decimal | None] = mapped_column(Micro)
    """Kilograms."""
    first_receipt: Mapped[str | None] = mapped_column(Text)
    """Uid of the receipt that brought it."""


class Move(Base):
    """So much went from one place to another. Rows are added and never changed: triggers refuse it. Order is by `id`.

    What goes from one unit (pallet) to another has both; an ownership transfer is a pair of moves over the place of usage
    `adjustment` whose code is OWNERSHIP.
    """

    __tablename__ = "move"
    __table_args__ = (
        CheckConstraint("quantity > 0", name="quantity"),
        CheckConstraint("source_id <> target_id OR unit_id IS DISTINCT FROM to_unit_id", name="goes_somewhere"),
        Index("ix_move_product_id_effective_at", "product_id", "effective_at"),
        Index("ix_move_owner_id_effective_at", "owner_id", "effective_at"),
        Index("ix_move_effective_at", "effective_at"),
        Index("ix_move_lot_id", "lot_id"),
        Index("ix_move_unit_id", "unit_id"),
        Index("ix_move_to_unit_id", "to_unit_id"),
        Index("ix_move_document", "document_kind", "document"),
        Index("ix_move_receipt", "receipt", "receipt_line"),
        Index("ix_move_source_id_effective_at", "source_id", "effective_at"),
        Index("ix_move_target_id_effective_at", "target_id", "effective_at"),
        Index("uq_move_reverses_id", "reverses_id", unique=True),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    key: Mapped[str] = mapped_column(Text, unique=True)
    """What it is for, in words that stay the same: the same said twice is one move."""
    at: Mapped[datetime] = mapped_column(UtcTime)
    """When it was written down."""
    effective_at: Mapped[datetime] = mapped_column(UtcTime)
    """When it happened; never before the day until which the ledger is closed."""
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"))
    lot_id: Mapped[int | None] = mapped_column(ForeignKey("lot.id"))
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("handling_unit.id"))
    to_unit_id: Mapped[int | None] = mapped_column(ForeignKey("handling_unit.id"))
    owner_id: Mapped[int] = mapped_column(ForeignKey("party.id"))
    quantity: Mapped[Decimal] = mapped_column(Micro)
    source_id: Mapped[int] = mapped_column(ForeignKey("location.id"))
    target_id: Mapped[int] = mapped_column(ForeignKey("location.id"))
    document_kind: Mapped[str] = mapped_column(Text)
    document: Mapped[str] = mapped_column(Text)
    """Uid of the record that asked for it, of kind `document_kind`."""
    document_ref: Mapped[str] = mapped_column(Text)
    line: Mapped[int | None] = mapped_column(Integer)
    receipt: Mapped[str | None] = mapped_column(Text)
    """Uid of the receipt of whose line (`receipt_line`) these goods are, where its buckets change by it."""
    receipt_line: Mapped[int | None] = mapped_column(Integer)
    from_bucket: Mapped[str | None] = mapped_column(Text)
    to_bucket: Mapped[str | None] = mapped_column(Text)
    reverses_id: Mapped[int | None] = mapped_column(ForeignKey("move.id"))
    by: Mapped[str] = mapped_column(Text)
    """Login, or the name of a part of the system."""
    via: Mapped[str | None] = mapped_column(Text)
    """The box, where it was done at one."""
    run: Mapped[str | None] = mapped_column(Text)
    seq: Mapped[int | None] = mapped_column(Big)
    """The journal's entry that said so."""
    reason: Mapped[str | None] = mapped_column(Text)

    product: Mapped[Product] = relationship(lazy="raise")
    lot: Mapped[Lot | None] = relationship(lazy="raise")
    owner: Mapped[Party] = relationship(lazy="raise")
    source: Mapped[Location] = relationship(lazy="raise", foreign_keys=[source_id])
    target: Mapped[Location] = relationship(lazy="raise", foreign_keys=[target_id])
    unit: Mapped[HandlingUnit | None] = relationship(lazy="raise", foreign_keys=[unit_id])
    to_unit: Mapped[HandlingUnit | None] = relationship(lazy="raise", foreign_keys=[to_unit_id])


class Quant(Base):
    """How much of one product, lot, unit and owner lies in one place. Rows of nothing are taken away.

    Places that are nowhere (`internal` false) may hold less than nothing: goods came from there.
    """

    __tablename__ = "quant"
    __table_args__ = (
        CheckConstraint("NOT internal OR quantity >= 0", name="not_negative"),
        CheckConstraint("reserved >= 0 AND (reserved = 0 OR reserved <= quantity)", name="reserved"),
        # What came from and went to each place outside stays for ever: what is here is found past it.
        Index("ix_quant_internal", "internal", "id"),
        Index("ix_quant_product_id_internal", "product_id", "internal"),
        Index("ix_quant_owner_id_internal", "owner_id", "internal"),
        Index("ix_quant_location_id", "location_id"),
        Index("ix_quant_lot_id", "lot_id"),
        Index("ix_quant_unit_id", "unit_id"),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    key: Mapped[str] = mapped_column(Text, unique=True)
    """`product.lot.location.unit.owner` by their ids, empty for none: databases take two NULLs for different."""
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"))
    lot_id: Mapped[int | None] = mapped_column(ForeignKey("lot.id"))
    location_id: Mapped[int] = mapped_column(ForeignKey("location.id"))
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("handling_unit.id"))
    owner_id: Mapped[int] = mapped_column(ForeignKey("party.id"))
    internal: Mapped[bool]
    quantity: Mapped[Decimal] = mapped_column(Micro)
    reserved: Mapped[Decimal] = mapped_column(Micro, default=Decimal(0), server_default="0")
    since: Mapped[datetime] = mapped_column(UtcTime)
    """When goods first came here of what lies here now."""
    moved_at: Mapped[datetime] = mapped_column(UtcTime)
    """When anything of it moved last."""

    product: Mapped[Product] = relationship(lazy="raise")
    lot: Mapped[Lot | None] = relationship(lazy="raise")
    location: Mapped[Location] = relationship(lazy="raise")
    unit: Mapped[HandlingUnit | None] = relationship(lazy="raise")
    owner: Mapped[Party] = relationship(lazy="raise")


class Reservation(Base):
    """So much of one quant is promised to one line of a document. Ends by being used, or released."""

    __tablename__ = "reservation"
    __table_args__ = (
        CheckConstraint("quantity > 0", name="quantity"),
        Index("ix_reservation_document", "document_kind", "document"),
        Index("ix_reservation_quant_key", "quant_key"),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    uid: Mapped[str] = mapped_column(Text, unique=True)
    quant_key: Mapped[str] = mapped_column(Text)
    document_kind: Mapped[str] = mapped_column(Text)
    document: Mapped[str] = mapped_column(Text)
    line: Mapped[int | None] = mapped_column(Integer)
    quantity: Mapped[Decimal] = mapped_column(Micro)
    at: Mapped[datetime] = mapped_column(UtcTime)
    by: Mapped[str] = mapped_column(Text)


class LineBucket(Base):
    """How much of a receipt's line is where in its life: pending_qc, released, rejected, put_away, returned or scrapped; their
    sum is what was posted. Sums of the moves that name the line, as quants are."""

    __tablename__ = "line_bucket"
    __table_args__ = (CheckConstraint("quantity >= 0", name="not_negative"), UniqueConstraint("receipt", "line", "bucket"))

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    receipt: Mapped[str] = mapped_column(Text)
    """The receipt's uid."""
    line: Mapped[int] = mapped_column(Integer)
    bucket: Mapped[str] = mapped_column(Text)
    quantity: Mapped[Decimal] = mapped_column(Micro)


class ReceiptVerdict(Base):
    """Whether a receipt held when it was verified last (cloud.receiving.evidence). One that does not keeps its goods where
    they are. Nothing but a memory: the verification itself trusts no stored word."""

    __tablename__ = "receipt_verdict"
    __table_args__ = (Index("ix_receipt_verdict_checked_at", "checked_at"),)

    receipt: Mapped[str] = mapped_column(Text, primary_key=True)
    """The receipt's uid."""
    ok: Mapped[bool]
    problems: Mapped[list[str]] = mapped_column(Json, default=list)
    """What was wrong, as `code:place`, the first MAX_PROBLEMS of them."""
    checked_at: Mapped[datetime] = mapped_column(UtcTime)
    broken_since: Mapped[datetime | None] = mapped_column(UtcTime)
    """When it was first found not to hold, of all times in a row."""
