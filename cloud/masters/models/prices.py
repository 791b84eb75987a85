"""Tables `price_list` and `price`."""

from datetime import date
from decimal import Decimal

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from cloud.db.base import Base
from cloud.db.types import Micro
from cloud.kernel.models import Kept


class PriceList(Kept, Base):
    """Prices for one party, for a segment, or for everybody. Both ends of a validity are days that count; None is open."""

    __tablename__ = "price_list"
    __table_args__ = (UniqueConstraint("source", "source_key"),)

    ref: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text)
    name_he: Mapped[str | None] = mapped_column(Text)
    party_id: Mapped[int | None] = mapped_column(ForeignKey("party.id"), index=True)
    segment: Mapped[str | None] = mapped_column(Text)
    currency: Mapped[str] = mapped_column(Text, default="ILS")
    """ISO 4217."""
    valid_from: Mapped[date | None] = mapped_column(Date)
    valid_to: Mapped[date | None] = mapped_column(Date)


class Price(Kept, Base):
    """What one of `unit` (None: the product's) costs from a quantity on, in the list's currency and without tax."""

    __tablename__ = "price"
    __table_args__ = (
        UniqueConstraint("source", "source_key"),
        Index("ix_price_list_id_product_id", "list_id", "product_id"),
        CheckConstraint("from_qty >= 0", name="from_qty"),
        CheckConstraint("price >= 0", name="price"),
    )

    list_id: Mapped[int] = mapped_column(ForeignKey("price_list.id"))
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"), index=True)
    from_qty: Mapped[Decimal] = mapped_column(Micro, default=Decimal(0), server_default="0")
    unit: Mapped[str | None] = mapped_column(Text)
    price: Mapped[Decimal] = mapped_column(Micro)
    valid_from: Mapped[date | None] = mapped_column(Date)
    valid_to: Mapped[date | None] = mapped_column(Date)
