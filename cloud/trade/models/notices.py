"""Tables `shipping_notice` and `shipping_notice_line`."""

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cloud.db.base import Base
from cloud.db.types import Json, Micro, UtcTime
from cloud.kernel.models import Kept
from cloud.masters.models import OrderLine, Party, Product, PurchaseOrder, Site


class Notice(Kept, Base):
    """What a supplier says is on its way. States: draft, announced, arrived, receiving, received, closed, cancelled
    (cloud.trade.notices)."""

    __tablename__ = "shipping_notice"
    __table_args__ = (
        UniqueConstraint("source", "source_key"),
        Index("ix_shipping_notice_site_id_state", "site_id", "state"),
    )

    ref: Mapped[str] = mapped_column(Text, unique=True)
    state: Mapped[str] = mapped_column(Text, default="draft", index=True)
    supplier_id: Mapped[int] = mapped_column(ForeignKey("party.id"), index=True)
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("party.id"))
    """Whose goods come where they are not the house's."""
    order_id: Mapped[int | None] = mapped_column(ForeignKey("purchase_order.id"), index=True)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    document_no: Mapped[str | None] = mapped_column(Text)
    """Number of the delivery note."""
    carrier_id: Mapped[int | None] = mapped_column(ForeignKey("party.id"))
    vehicle: Mapped[str | None] = mapped_column(Text)
    container_no: Mapped[str | None] = mapped_column(Text, index=True)
    """As `sync_protocol.identifiers.normal_container` writes it."""
    seals: Mapped[list[dict[str, str]]] = mapped_column(Json, default=list, server_default="[]")
    """Rows of `number`."""
    shipped_at: Mapped[datetime | None] = mapped_column(UtcTime)
    expected_at: Mapped[datetime | None] = mapped_column(UtcTime, index=True)
    arrived_at: Mapped[datetime | None] = mapped_column(UtcTime)
    weight: Mapped[Decimal | None] = mapped_column(Micro)
    """Kilograms, gross."""
    currency: Mapped[str | None] = mapped_column(Text)

    supplier: Mapped[Party] = relationship(lazy="selectin", foreign_keys=[supplier_id])
    owner: Mapped[Party | None] = relationship(lazy="selectin", foreign_keys=[owner_id])
    carrier: Mapped[Party | None] = relationship(lazy="selectin", foreign_keys=[carrier_id])
    order: Mapped[PurchaseOrder | None] = relationship(lazy="selectin")
    site: Mapped[Site] = relationship(lazy="selectin")
    lines: Mapped[list["NoticeLine"]] = relationship(lazy="selectin", order_by="NoticeLine.id", back_populates="notice")


class NoticeLine(Kept, Base):
    """So much of one product, perhaps on one handling unit. A mixed pallet is several lines with the same SSCC."""

    __tablename__ = "shipping_notice_line"
    __table_args__ = (
        UniqueConstraint("source", "source_key"),
        UniqueConstraint("notice_id", "line"),
        CheckConstraint("quantity > 0", name="quantity"),
        CheckConstraint("received >= 0", name="received"),
    )

    notice_id: Mapped[int] = mapped_column(ForeignKey("shipping_notice.id"))
    line: Mapped[str] = mapped_column(Text)
    order_line_id: Mapped[int | None] = mapped_column(ForeignKey("order_line.id"), index=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"), index=True)
    quantity: Mapped[Decimal] = mapped_column(Micro)
    unit: Mapped[str] = mapped_column(Text)
    lot: Mapped[str | None] = mapped_column(Text)
    expires_on: Mapped[date | None] = mapped_column(Date)
    serials: Mapped[list[dict[str, str]]] = mapped_column(Json, default=list, server_default="[]")
    """Rows of `number`."""
    sscc: Mapped[str | None] = mapped_column(Text, index=True)
    weight: Mapped[Decimal | None] = mapped_column(Micro)
    """Kilograms, net."""
    received: Mapped[Decimal] = mapped_column(Micro, default=Decimal(0), server_default="0")
    """What was posted of it, in `unit`."""

    notice: Mapped[Notice] = relationship(back_populates="lines")
    product: Mapped[Product] = relationship(lazy="selectin")
    order_line: Mapped[OrderLine | None] = relationship(lazy="selectin")
