"""Tables `purchase_order` and `order_line`."""

from datetime import date
from decimal import Decimal

from sqlalchemy import Date, ForeignKey, Text, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cloud.db.base import Base
from cloud.db.types import Exact, Micro
from cloud.kernel.models import Kept
from cloud.masters.models.parties import Party
from cloud.masters.models.places import Site
from cloud.masters.models.products import Product


class PurchaseOrder(Kept, Base):
    """An order to a supplier. States: draft, confirmed, on_hold, closed, cancelled (cloud.masters.machine).

    `progress` (open, partly_received, received, over_received) follows from the lines alone, and is written in the transaction
    in which they change (cloud.masters.order_progress).
    """

    __tablename__ = "purchase_order"
    __table_args__ = (UniqueConstraint("source", "source_key"),)

    ref: Mapped[str] = mapped_column(Text, unique=True)
    state: Mapped[str] = mapped_column(Text, default="draft", index=True)
    supplier_id: Mapped[int] = mapped_column(ForeignKey("party.id"), index=True)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    currency: Mapped[str | None] = mapped_column(Text)
    ordered_on: Mapped[date | None] = mapped_column(Date)
    expected_on: Mapped[date | None] = mapped_column(Date)
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("party.id"))
    """Whose goods are ordered where they are not the house's."""
    progress: Mapped[str] = mapped_column(Text, default="open", server_default="open", index=True)

    supplier: Mapped[Party] = relationship(lazy="selectin", foreign_keys=[supplier_id])
    owner: Mapped[Party | None] = relationship(lazy="selectin", foreign_keys=[owner_id])
    site: Mapped[Site] = relationship(lazy="selectin")
    lines: Mapped[list["OrderLine"]] = relationship(lazy="selectin", order_by="OrderLine.id", back_populates="order")


class OrderLine(Kept, Base):
    """One product of an order. `received` is what was posted so far, in the line's unit; what is still open of a line that is
    not closed is the back-order."""

    __tablename__ = "order_line"
    __table_args__ = (UniqueConstraint("source", "source_key"), UniqueConstraint("order_id", "line"))

    order_id: Mapped[int] = mapped_column(ForeignKey("purchase_order.id"))
    line: Mapped[str] = mapped_column(Text)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"), index=True)
    quantity: Mapped[Decimal] = mapped_column(Exact)
    unit: Mapped[str] = mapped_column(Text)
    price: Mapped[Decimal | None] = mapped_column(Micro)
    planned_on: Mapped[date | None] = mapped_column(Date)
    received: Mapped[Decimal] = mapped_column(Exact, default=Decimal(0))
    over_tolerance: Mapped[Decimal | None] = mapped_column(Micro)
    under_tolerance: Mapped[Decimal | None] = mapped_column(Micro)
    """Shares that were agreed for this line; None: the product's."""
    closed: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Nothing more is awaited, whatever came."""
    closed_reason: Mapped[str | None] = mapped_column(Text)

    order: Mapped[PurchaseOrder] = relationship(back_populates="lines")
    product: Mapped[Product] = relationship(lazy="selectin")
