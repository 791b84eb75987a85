"""Tables `purchase_order` and `order_line`."""

from datetime import date
from decimal import Decimal

from sqlalchemy import Date, ForeignKey, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cloud.db.base import Base
from cloud.db.types import Exact, Micro
from cloud.kernel.models import Kept
from cloud.masters.models.parties import Party
from cloud.masters.models.places import Site
from cloud.masters.models.products import Product


class PurchaseOrder(Kept, Base):
    """An order to a supplier. States: draft, confirmed, on_hold, closed, cancelled (cloud.masters.machine)."""

    __tablename__ = "purchase_order"
    __table_args__ = (UniqueConstraint("source", "source_key"),)

    ref: Mapped[str] = mapped_column(Text, unique=True)
    state: Mapped[str] = mapped_column(Text, default="draft", index=True)
    supplier_id: Mapped[int] = mapped_column(ForeignKey("party.id"), index=True)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    currency: Mapped[str | None] = mapped_column(Text)
    ordered_on: Mapped[date | None] = mapped_column(Date)
    expected_on: Mapped[date | None] = mapped_column(Date)

    supplier: Mapped[Party] = relationship(lazy="selectin")
    site: Mapped[Site] = relationship(lazy="selectin")
    lines: Mapped[list["OrderLine"]] = relationship(lazy="selectin", order_by="OrderLine.id", back_populates="order")


class OrderLine(Kept, Base):
    """One product of an order. `received` is what was posted so far, in the line's unit."""

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

    order: Mapped[PurchaseOrder] = relationship(back_populates="lines")
    product: Mapped[Product] = relationship(lazy="selectin")
