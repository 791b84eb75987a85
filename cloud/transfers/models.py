"""Tables `transfer`, `transfer_line`, `count_sheet`, `count_line`, `stock_job` and `stock_step`.

What a document asks for stands here; what became of stock by it stands in the ledger alone (cloud.stock).
"""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, Text, UniqueConstraint, false, true
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cloud.db.base import Base
from cloud.db.types import Big, Exact, Key, Micro, UtcTime
from cloud.kernel.models import Kept
from cloud.masters.models import Location, Party, Product, Site
from cloud.stock.models import HandlingUnit, Lot

INTERNAL, PUT_AWAY, SCRAP, OWNERSHIP = "internal", "put_away", "scrap", "ownership"
SUPPLIER_RETURN, CUSTOMER_RETURN = "supplier_return", "customer_return"

SERIES = {
    INTERNAL: "TR",
    PUT_AWAY: "PA",
    SCRAP: "SC",
    OWNERSHIP: "OW",
    SUPPLIER_RETURN: "RT",
    CUSTOMER_RETURN: "CR",
}
"""By kind of transfer, how its numbers begin. Papers that a box made have numbers of the box's own range."""


class Transfer(Kept, Base):
    """A document by which stock goes from place to place, or from owner to owner.

    States (cloud.transfers.machine): draft, moving (at a box, line by line), approved, packed, shipped, received, posted,
    closed, cancelled, reversed. Of a box's job `uid` is the job's id.
    """

    __tablename__ = "transfer"
    __table_args__ = (UniqueConstraint("source", "source_key"), Index("ix_transfer_kind_state", "kind", "state"))

    ref: Mapped[str] = mapped_column(Text, unique=True)
    kind: Mapped[str] = mapped_column(Text, default=INTERNAL)
    """Of SERIES."""
    state: Mapped[str] = mapped_column(Text, default="draft", index=True)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"), index=True)
    party_id: Mapped[int | None] = mapped_column(ForeignKey("party.id"), index=True)
    """To whom goods go back, from whom they come back, or who owns them from now on."""
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("party.id"), index=True)
    """Whose goods they are where a line says nothing else; None: the house's."""
    from_id: Mapped[int | None] = mapped_column(ForeignKey("location.id"))
    to_id: Mapped[int | None] = mapped_column(ForeignKey("location.id"))
    """Where its lines go from and to, those that say nothing else."""
    reason: Mapped[str | None] = mapped_column(Text)
    document_no: Mapped[str | None] = mapped_column(Text)
    """The other side's number: return authorisation, waybill."""
    receipt: Mapped[str | None] = mapped_column(Text, index=True)
    """Uid of the receipt whose goods they are."""
    receipt_ref: Mapped[str | None] = mapped_column(Text)
    """Its number, as people read it."""
    box_id: Mapped[str | None] = mapped_column(ForeignKey("box.id"), index=True)
    station_code: Mapped[str | None] = mapped_column(Text)
    operator: Mapped[str | None] = mapped_column(Text)
    needs_review: Mapped[bool] = mapped_column(default=False, server_default=false(), index=True)
    review_reason: Mapped[str | None] = mapped_column(Text)
    """Code of what a person has to look at."""
    approved_by: Mapped[str | None] = mapped_column(Text)
    approved_at: Mapped[datetime | None] = mapped_column(UtcTime)
    posted_by: Mapped[str | None] = mapped_column(Text)
    posted_at: Mapped[datetime | None] = mapped_column(UtcTime)
    """When its goods moved: posted, shipped or received."""

    site: Mapped[Site] = relationship(lazy="selectin")
    party: Mapped[Party | None] = relationship(lazy="selectin", foreign_keys=[party_id])
    owner: Mapped[Party | None] = relationship(lazy="selectin", foreign_keys=[owner_id])
    from_place: Mapped[Location | None] = relationship(lazy="selectin", foreign_keys=[from_id])
    to_place: Mapped[Location | None] = relationship(lazy="selectin", foreign_keys=[to_id])
    lines: Mapped[list["TransferLine"]] = relationship(
        lazy="selectin", order_by="TransferLine.number", back_populates="transfer"
    )


class TransferLine(Kept, Base):
    """So much of one product, lot and owner, or all that is on a handling unit (`unit` without product).

    States: planned, posted, needs_review (`review_code` says why), discarded, reversed.
    """

    __tablename__ = "transfer_line"
    __table_args__ = (
        UniqueConstraint("source", "source_key"),
        UniqueConstraint("transfer_id", "number"),
        Index("ix_transfer_line_receipt", "receipt", "receipt_line"),
        CheckConstraint("quantity > 0", name="quantity"),
    )

    transfer_id: Mapped[int] = mapped_column(ForeignKey("transfer.id"))
    number: Mapped[int] = mapped_column(Integer)
    """Of a box's job: the number of its step."""
    state: Mapped[str] = mapped_column(Text, default="planned", index=True)
    product_id: Mapped[int | None] = mapped_column(ForeignKey("product.id"), index=True)
    lot_id: Mapped[int | None] = mapped_column(ForeignKey("lot.id"), index=True)
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("handling_unit.id"), index=True)
    to_unit_id: Mapped[int | None] = mapped_column(ForeignKey("handling_unit.id"))
    """The unit that goods are put on; None: they lie there by themselves, but for a whole unit that moves."""
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("party.id"))
    quantity: Mapped[Decimal | None] = mapped_column(Micro)
    """In the product's own unit; None for a whole unit, and where a box said what nobody could make out yet."""
    given_quantity: Mapped[Decimal | None] = mapped_column(Exact)
    given_unit: Mapped[str | None] = mapped_column(Text)
    """As it was said, with its own digits and unit (UCUM)."""
    from_id: Mapped[int | None] = mapped_column(ForeignKey("location.id"))
    to_id: Mapped[int | None] = mapped_column(ForeignKey("location.id"))
    receipt: Mapped[str | None] = mapped_column(Text)
    """Uid of the receipt whose line these goods are."""
    receipt_line: Mapped[int | None] = mapped_column(Integer)
    reason: Mapped[str | None] = mapped_column(Text)
    mode: Mapped[str | None] = mapped_column(Text)
    """What the quantity rests on at the box: device, manual, derived or override."""
    review_code: Mapped[str | None] = mapped_column(Text)
    review_detail: Mapped[str | None] = mapped_column(Text)
    run: Mapped[str | None] = mapped_column(Text)
    seq: Mapped[int | None] = mapped_column(Big)
    """The journal's entry that said so."""
    done_at: Mapped[datetime | None] = mapped_column(UtcTime)
    """When it was done at the box; staff's lines happen when they are posted."""
    posted_at: Mapped[datetime | None] = mapped_column(UtcTime)

    transfer: Mapped[Transfer] = relationship(lazy="selectin", back_populates="lines")
    product: Mapped[Product | None] = relationship(lazy="selectin")
    lot: Mapped[Lot | None] = relationship(lazy="selectin")
    unit: Mapped[HandlingUnit | None] = relationship(lazy="selectin", foreign_keys=[unit_id])
    owner: Mapped[Party | None] = relationship(lazy="selectin")
    from_place: Mapped[Location | None] = relationship(lazy="selectin", foreign_keys=[from_id])
    to_place: Mapped[Location | None] = relationship(lazy="selectin", foreign_keys=[to_id])

    @property
    def ref(self) -> str:
        """What the machine and the log call it by."""
        return self.uid


class CountSheet(Kept, Base):
    """A count of one place. States (cloud.transfers.counting): planned, counting, review, posted, cancelled."""

    __tablename__ = "count_sheet"
    __table_args__ = (
        UniqueConstraint("source", "source_key"),
        CheckConstraint("tolerance_share >= 0 AND tolerance >= 0", name="tolerance"),
    )

    ref: Mapped[str] = mapped_column(Text, unique=True)
    state: Mapped[str] = mapped_column(Text, default="planned", index=True)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"), index=True)
    location_id: Mapped[int] = mapped_column(ForeignKey("location.id"), index=True)
    blind: Mapped[bool] = mapped_column(default=True, server_default=true())
    """What is expected is told to nobody until the count is complete."""
    tolerance_share: Mapped[Decimal] = mapped_column(Micro, default=Decimal(0), server_default="0")
    tolerance: Mapped[Decimal] = mapped_column(Micro, default=Decimal(0), server_default="0")
    """A difference beyond both (a share of what is expected, and an amount) asks for a second count by somebody else."""
    second: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether it is being counted, or was, for the second time."""
    first_by: Mapped[str | None] = mapped_column(Text)
    second_by: Mapped[str | None] = mapped_column(Text)
    begun_at: Mapped[datetime | None] = mapped_column(UtcTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcTime)
    """Of the count that was made last."""
    posted_by: Mapped[str | None] = mapped_column(Text)
    posted_at: Mapped[datetime | None] = mapped_column(UtcTime)
    box_id: Mapped[str | None] = mapped_column(ForeignKey("box.id"), index=True)
    """The box at which an operator began it on their own motion."""
    needs_review: Mapped[bool] = mapped_column(default=False, server_default=false(), index=True)
    review_reason: Mapped[str | None] = mapped_column(Text)

    site: Mapped[Site] = relationship(lazy="selectin")
    location: Mapped[Location] = relationship(lazy="selectin")
    lines: Mapped[list["CountLine"]] = relationship(lazy="selectin", order_by="CountLine.number", back_populates="sheet")


class CountLine(Kept, Base):
    """So much of one product, lot, unit and owner was found in the place; an archived line does not count.

    `expected` and `difference` are worked out when a count is complete, for the moment at which the line was counted.
    """

    __tablename__ = "count_line"
    __table_args__ = (UniqueConstraint("source", "source_key"), UniqueConstraint("sheet_id", "number"))

    sheet_id: Mapped[int] = mapped_column(ForeignKey("count_sheet.id"))
    number: Mapped[int] = mapped_column(Integer)
    product_id: Mapped[int | None] = mapped_column(ForeignKey("product.id"), index=True)
    """None: a box named one that is not known here."""
    lot_id: Mapped[int | None] = mapped_column(ForeignKey("lot.id"))
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("handling_unit.id"))
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("party.id"))
    counted: Mapped[Decimal | None] = mapped_column(Micro)
    counted_by: Mapped[str | None] = mapped_column(Text)
    counted_at: Mapped[datetime | None] = mapped_column(UtcTime)
    recounted: Mapped[Decimal | None] = mapped_column(Micro)
    recounted_by: Mapped[str | None] = mapped_column(Text)
    recounted_at: Mapped[datetime | None] = mapped_column(UtcTime)
    expected: Mapped[Decimal | None] = mapped_column(Micro)
    difference: Mapped[Decimal | None] = mapped_column(Micro)
    """What was counted last, less what is expected."""
    above: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether the difference is above the sheet's tolerance."""
    moved: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether some of it moved here or away while the place was counted."""
    review_code: Mapped[str | None] = mapped_column(Text)
    review_detail: Mapped[str | None] = mapped_column(Text)
    given_quantity: Mapped[Decimal | None] = mapped_column(Exact)
    given_unit: Mapped[str | None] = mapped_column(Text)
    """As a box said it last, with its own digits and unit (UCUM)."""
    run: Mapped[str | None] = mapped_column(Text)
    seq: Mapped[int | None] = mapped_column(Big)
    """The journal's entry that said the last count of it."""

    sheet: Mapped[CountSheet] = relationship(lazy="selectin", back_populates="lines")
    product: Mapped[Product | None] = relationship(lazy="selectin")
    lot: Mapped[Lot | None] = relationship(lazy="selectin")
    unit: Mapped[HandlingUnit | None] = relationship(lazy="selectin")
    owner: Mapped[Party | None] = relationship(lazy="selectin")


class StockJob(Base):
    """A job of a box that moves or counts, and how far it was taken."""

    __tablename__ = "stock_job"

    job: Mapped[str] = mapped_column(Text, primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    """`move`, `put_away` or `count`."""
    box_id: Mapped[str] = mapped_column(ForeignKey("box.id"), index=True)
    document: Mapped[str] = mapped_column(Text, index=True)
    """Uid of the transfer or count sheet."""
    second: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether it is a sheet's second count."""
    next_n: Mapped[int] = mapped_column(Big)
    ended: Mapped[bool] = mapped_column(default=False, server_default=false())


class StockStep(Base):
    """Which entries a job was made from, so that one that is said again is known."""

    __tablename__ = "stock_step"
    __table_args__ = (UniqueConstraint("job", "n"), UniqueConstraint("run", "seq"))

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    job: Mapped[str] = mapped_column(ForeignKey("stock_job.job"))
    n: Mapped[int] = mapped_column(Big)
    run: Mapped[str] = mapped_column(Text)
    seq: Mapped[int] = mapped_column(Big)
    said: Mapped[str] = mapped_column(Text)
    """SHA-256 of what it says: step, person and data (cloud.transfers.jobs)."""
