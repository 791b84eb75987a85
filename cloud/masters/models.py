"""Tables of master data: site, station, party, product, product_code, purchase_order, order_line."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import ForeignKey, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cloud.db.base import Base
from cloud.db.types import Exact, Key, UtcTime
from cloud.kernel.models import Stateful


class Site(Base):
    """A place of work."""

    __tablename__ = "site"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    code: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text)
    name_he: Mapped[str | None] = mapped_column(Text)
    tz: Mapped[str] = mapped_column(Text, default="Asia/Jerusalem")


class Station(Base):
    """A work place with its devices and screen; a box stands at one."""

    __tablename__ = "station"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    code: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text)
    name_he: Mapped[str | None] = mapped_column(Text)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))

    site: Mapped[Site] = relationship(lazy="joined")


class Party(Base):
    """Somebody we deal with; in this first form suppliers."""

    __tablename__ = "party"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    ref: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text)
    name_he: Mapped[str | None] = mapped_column(Text)
    is_supplier: Mapped[bool] = mapped_column(default=True)
    active: Mapped[bool] = mapped_column(default=True)


class Product(Base):
    """Something that is received. `unit` (UCUM) is what stock is counted in; by its dimension it is weighed or counted."""

    __tablename__ = "product"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    sku: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text)
    name_he: Mapped[str | None] = mapped_column(Text)
    unit: Mapped[str] = mapped_column(Text)
    tracking: Mapped[str] = mapped_column(Text, default="none")
    """`none`, `lot` or `serial`."""
    expiry: Mapped[str] = mapped_column(Text, default="none")
    """`none` or `required`."""
    identity_policy: Mapped[str] = mapped_column(Text, default="optional")
    weight_policy: Mapped[str] = mapped_column(Text, default="optional")
    """Evidence policies: `none`, `optional` or `required` (then a typed value needs a decision)."""
    over_tolerance: Mapped[Decimal] = mapped_column(Exact, default=Decimal(0))
    """Share of the ordered quantity that may come on top, e.g. 0.05."""
    active: Mapped[bool] = mapped_column(default=True)


class ProductCode(Base):
    """A code that names a product. Schemes: `gtin` (14 digits), `supplier` (with the supplier), `own`."""

    __tablename__ = "product_code"
    __table_args__ = (UniqueConstraint("scheme", "code"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    scheme: Mapped[str] = mapped_column(Text)
    code: Mapped[str] = mapped_column(Text)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"))
    party_id: Mapped[int | None] = mapped_column(ForeignKey("party.id"))

    product: Mapped[Product] = relationship(lazy="joined")


class PurchaseOrder(Stateful, Base):
    """An order to a supplier. States: draft, confirmed, on_hold, closed, cancelled (cloud.masters.machine)."""

    __tablename__ = "purchase_order"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    ref: Mapped[str] = mapped_column(Text, unique=True)
    state: Mapped[str] = mapped_column(Text, default="draft", index=True)
    supplier_id: Mapped[int] = mapped_column(ForeignKey("party.id"))
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    created_at: Mapped[datetime] = mapped_column(UtcTime)

    supplier: Mapped[Party] = relationship(lazy="joined")
    site: Mapped[Site] = relationship(lazy="joined")
    lines: Mapped[list["OrderLine"]] = relationship(lazy="selectin", order_by="OrderLine.id", back_populates="order")


class OrderLine(Base):
    """One product of an order. `received` is what was posted so far, in the line's unit."""

    __tablename__ = "order_line"
    __table_args__ = (UniqueConstraint("order_id", "line"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("purchase_order.id"))
    line: Mapped[str] = mapped_column(Text)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"))
    quantity: Mapped[Decimal] = mapped_column(Exact)
    unit: Mapped[str] = mapped_column(Text)
    received: Mapped[Decimal] = mapped_column(Exact, default=Decimal(0))

    order: Mapped[PurchaseOrder] = relationship(back_populates="lines")
    product: Mapped[Product] = relationship(lazy="joined")
