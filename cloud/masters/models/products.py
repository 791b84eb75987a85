"""Tables `unit`, `product`, `product_code` and `bom_line`."""

from decimal import Decimal

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, Text, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cloud.db.base import Base
from cloud.db.types import Big, Exact, Micro
from cloud.kernel.models import Kept


class Unit(Kept, Base):
    """A unit of measure by its UCUM code. One of it is `numerator/denominator` of its dimension's base."""

    __tablename__ = "unit"
    __table_args__ = (
        UniqueConstraint("source", "source_key"),
        CheckConstraint("numerator > 0 AND denominator > 0", name="factor"),
    )

    code: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text)
    name_he: Mapped[str | None] = mapped_column(Text)
    dimension: Mapped[str] = mapped_column(Text)
    numerator: Mapped[int] = mapped_column(Big, default=1)
    denominator: Mapped[int] = mapped_column(Big, default=1)


class Product(Kept, Base):
    """Something that is received, stored, sold or done. `unit` (UCUM) is what stock is counted in; by its dimension it is
    weighed or counted."""

    __tablename__ = "product"
    __table_args__ = (UniqueConstraint("source", "source_key"),)

    sku: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text)
    name_he: Mapped[str | None] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text, default="stocked", server_default="stocked")
    """`stocked`, `service` or `kit`."""
    category: Mapped[str | None] = mapped_column(Text, index=True)
    unit: Mapped[str] = mapped_column(Text)
    tracking: Mapped[str] = mapped_column(Text, default="none")
    """`none`, `lot` or `serial`."""
    expiry: Mapped[str] = mapped_column(Text, default="none")
    """`none` or `required`."""
    min_life_days: Mapped[int | None] = mapped_column(Integer)
    """Days that must be left until expiry when goods arrive."""
    unit_weight: Mapped[Decimal | None] = mapped_column(Micro)
    """Kilograms of one `unit`, net."""
    tare: Mapped[Decimal | None] = mapped_column(Micro)
    """Kilograms of its packaging."""
    identity_policy: Mapped[str] = mapped_column(Text, default="optional")
    weight_policy: Mapped[str] = mapped_column(Text, default="optional")
    """Evidence policies: `none`, `optional` or `required` (then a typed value needs a decision)."""
    over_tolerance: Mapped[Decimal] = mapped_column(Exact, default=Decimal(0))
    """Share of the ordered quantity that may come on top, e.g. 0.05."""
    under_tolerance: Mapped[Decimal] = mapped_column(Micro, default=Decimal(0), server_default="0")
    """Share of the ordered quantity that may be missing."""
    weight_tolerance: Mapped[Decimal | None] = mapped_column(Micro)
    """Share by which a weight may differ from count times `unit_weight`, or from the notice."""
    temp_min: Mapped[Decimal | None] = mapped_column(Micro)
    temp_max: Mapped[Decimal | None] = mapped_column(Micro)
    """Degrees Celsius within which the goods are kept."""
    quarantine: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Goods wait in quarantine until they are released."""
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("party.id"), index=True)
    """Whose product it is where it is not ours."""
    image: Mapped[str | None] = mapped_column(Text)
    """SHA-256 of the picture."""


class ProductCode(Kept, Base):
    """A code that names a product, or a pack of it.

    Schemes: `gtin` (14 digits) and `udi`, the world's; `own`, the house's; `supplier`, of one supplier. A code stands once in
    its scheme for each party, and once for no party.
    """

    __tablename__ = "product_code"
    __table_args__ = (
        UniqueConstraint("source", "source_key"),
        UniqueConstraint("scheme", "code", "party_id"),
        # A unique constraint takes any two NULLs for different.
        Index(
            "uq_product_code_of_nobody",
            "scheme",
            "code",
            unique=True,
            sqlite_where=text("party_id IS NULL"),
            postgresql_where=text("party_id IS NULL"),
        ),
        Index("ix_product_code_code", "code"),
        CheckConstraint("pack_qty > 0", name="pack_qty"),
    )

    scheme: Mapped[str] = mapped_column(Text)
    code: Mapped[str] = mapped_column(Text)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"), index=True)
    party_id: Mapped[int | None] = mapped_column(ForeignKey("party.id"), index=True)
    pack_qty: Mapped[Decimal] = mapped_column(Micro, default=Decimal(1), server_default="1000000")
    """How much is in what carries the code, in `unit`."""
    unit: Mapped[str | None] = mapped_column(Text)
    """UCUM code; None: the product's."""

    product: Mapped[Product] = relationship(lazy="selectin")


class BomLine(Kept, Base):
    """One component of a kit: for one of the kit, `quantity` of the component, and a share of `scrap` more."""

    __tablename__ = "bom_line"
    __table_args__ = (
        UniqueConstraint("source", "source_key"),
        UniqueConstraint("parent_id", "child_id"),
        CheckConstraint("parent_id <> child_id", name="not_itself"),
        CheckConstraint("quantity > 0", name="quantity"),
        CheckConstraint("scrap >= 0", name="scrap"),
    )

    parent_id: Mapped[int] = mapped_column(ForeignKey("product.id"))
    child_id: Mapped[int] = mapped_column(ForeignKey("product.id"), index=True)
    quantity: Mapped[Decimal] = mapped_column(Micro)
    unit: Mapped[str] = mapped_column(Text)
    scrap: Mapped[Decimal] = mapped_column(Micro, default=Decimal(0), server_default="0")
