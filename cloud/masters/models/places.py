"""Tables `site`, `station` and `location`."""

from decimal import Decimal

from sqlalchemy import CheckConstraint, ForeignKey, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cloud.db.base import Base
from cloud.db.types import Json, Micro
from cloud.kernel.models import Kept


class Site(Kept, Base):
    """A place of work."""

    __tablename__ = "site"
    __table_args__ = (UniqueConstraint("source", "source_key"),)

    code: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text)
    name_he: Mapped[str | None] = mapped_column(Text)
    tz: Mapped[str] = mapped_column(Text, default="Asia/Jerusalem")
    """IANA name."""
    address: Mapped[str | None] = mapped_column(Text)


class Station(Kept, Base):
    """A work place with its devices and screen; a box stands at one."""

    __tablename__ = "station"
    __table_args__ = (UniqueConstraint("source", "source_key"),)

    code: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text)
    name_he: Mapped[str | None] = mapped_column(Text)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    location_id: Mapped[int | None] = mapped_column(ForeignKey("location.id"))
    """Where goods lie that were received here."""
    flows: Mapped[list[str]] = mapped_column(Json, default=lambda: ["receive"], server_default='["receive"]')
    """Jobs that are done here."""

    site: Mapped[Site] = relationship(lazy="selectin")


class Location(Kept, Base):
    """Somewhere goods can be. Its code is on its label, and alone has to say which place is meant: it is unique in the house.

    Beside rooms and shelves there are places that are nowhere: where goods come from and go to (`supplier`, `customer`,
    `production`, `adjustment`), so that nothing appears or goes without a move. A `view` only groups others.
    """

    __tablename__ = "location"
    __table_args__ = (UniqueConstraint("source", "source_key"), CheckConstraint("parent_id <> id", name="not_own_parent"))

    code: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text)
    name_he: Mapped[str | None] = mapped_column(Text)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"), index=True)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("location.id"), index=True)
    usage: Mapped[str] = mapped_column(Text, default="stock")
    """`view`, `stock`, `receiving`, `quarantine`, `rejected`, `transit`, `supplier`, `customer`, `production`, `adjustment`."""
    hold: Mapped[bool] = mapped_column(default=False)
    """Nothing that lies here is free."""
    temperature_class: Mapped[str | None] = mapped_column(Text)
    """`ambient`, `chilled` or `frozen`."""
    temp_min: Mapped[Decimal | None] = mapped_column(Micro)
    temp_max: Mapped[Decimal | None] = mapped_column(Micro)
    """Degrees Celsius that are kept here."""
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("party.id"))
    """Only this party's goods may lie here."""
