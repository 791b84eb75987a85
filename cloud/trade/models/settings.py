"""Tables `packaging`, `check_setting` and `box_range`."""

from decimal import Decimal

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cloud.db.base import Base
from cloud.db.types import Json, Micro
from cloud.kernel.models import Kept
from cloud.masters.models import Product


class Packaging(Kept, Base):
    """A kind of pallet, tub or crate whose tare is known, so that a gross weight gives a net one."""

    __tablename__ = "packaging"
    __table_args__ = (UniqueConstraint("source", "source_key"), CheckConstraint("tare >= 0", name="tare"))

    code: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text)
    name_he: Mapped[str | None] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text, default="pallet")
    """`pallet`, `tub`, `crate`, `carton`, `drum`, `bag` or `other`."""
    tare: Mapped[Decimal] = mapped_column(Micro)
    """Kilograms."""


class CheckSetting(Kept, Base):
    """How grave a check of receipts is in this house, for all products or for one, and who decides about it."""

    __tablename__ = "check_setting"
    __table_args__ = (
        UniqueConstraint("source", "source_key"),
        UniqueConstraint("check", "product_id"),
        # A unique constraint takes any two NULLs for different.
        Index(
            "uq_check_setting_of_all",
            "check",
            unique=True,
            sqlite_where=text("product_id IS NULL"),
            postgresql_where=text("product_id IS NULL"),
        ),
    )

    check: Mapped[str] = mapped_column(Text)
    """One of `sync_protocol.receiving.settings.CHECKS`."""
    product_id: Mapped[int | None] = mapped_column(ForeignKey("product.id"), index=True)
    """None: of every product, and of receipts as a whole."""
    severity: Mapped[str] = mapped_column(Text)
    """`sync_protocol.receiving.settings.Severity`."""
    decide_roles: Mapped[list[str]] = mapped_column(Json, default=list, server_default="[]")
    """Keys of the roles that may decide; empty: whoever may decide about receipts."""
    needs_other_person: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether somebody else than the counter has to decide."""

    product: Mapped[Product | None] = relationship(lazy="selectin")


class BoxRange(Base):
    """The prefix of the papers that a box numbers by itself, given once and never to another box."""

    __tablename__ = "box_range"

    box_id: Mapped[str] = mapped_column(ForeignKey("box.id"), primary_key=True)
    prefix: Mapped[str] = mapped_column(Text, unique=True)
