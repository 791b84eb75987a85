"""Tables `container` and `container_event`."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cloud.db.base import Base
from cloud.db.types import Big, Json, Micro, UtcTime
from cloud.kernel.models import Kept
from cloud.masters.models import Location, Party, Site
from cloud.stock.models import HandlingUnit


class Container(Kept, Base):
    """A freight container. States follow from its last actual event: announced, gate_in, stored, stripped, stuffed, ready,
    gate_out, empty_returned (cloud.trade.container_machine). One that comes again is the same row with the next `visit`."""

    __tablename__ = "container"
    __table_args__ = (
        UniqueConstraint("source", "source_key"),
        CheckConstraint("tare >= 0", name="tare"),
        Index("ix_container_site_id_state", "site_id", "state"),
    )

    number: Mapped[str] = mapped_column(Text, unique=True)
    """ISO 6346, without separators."""
    number_reason: Mapped[str | None] = mapped_column(Text)
    """Why a number is taken whose check digit is wrong."""
    state: Mapped[str] = mapped_column(Text, default="announced", index=True)
    visit: Mapped[int] = mapped_column(Integer, default=1, server_default="1")
    iso_type: Mapped[str | None] = mapped_column(Text)
    """Size and type, four characters (ISO 6346, 4): `22G1`."""
    direction: Mapped[str] = mapped_column(Text, default="import")
    """`import` or `export`."""
    line: Mapped[str | None] = mapped_column(Text)
    """The shipping line."""
    client_id: Mapped[int | None] = mapped_column(ForeignKey("party.id"), index=True)
    booking: Mapped[str | None] = mapped_column(Text)
    bill: Mapped[str | None] = mapped_column(Text)
    """Bill of lading."""
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    location_id: Mapped[int | None] = mapped_column(ForeignKey("location.id"))
    handling_unit_id: Mapped[int | None] = mapped_column(ForeignKey("handling_unit.id"))
    """What carries its contents in the ledger."""
    seals: Mapped[list[dict[str, str]]] = mapped_column(Json, default=list, server_default="[]")
    """Rows of `number`: those that are on it now."""
    holds: Mapped[list[str]] = mapped_column(Json, default=list, server_default="[]")
    """Of `customs`, `damage`, `quality`."""
    laden: Mapped[bool | None]
    condition: Mapped[str] = mapped_column(Text, default="good", server_default="good")
    gross: Mapped[Decimal | None] = mapped_column(Micro)
    """Kilograms, as last weighed."""
    tare: Mapped[Decimal | None] = mapped_column(Micro)
    """Kilograms, as painted on it."""
    vehicle: Mapped[str | None] = mapped_column(Text)
    driver: Mapped[str | None] = mapped_column(Text)
    """Of the last gate passage."""
    expected_at: Mapped[datetime | None] = mapped_column(UtcTime)
    free_until: Mapped[datetime | None] = mapped_column(UtcTime)
    """End of the time for which the line asks nothing."""

    @property
    def ref(self) -> str:
        """What people call it by."""
        return self.number

    site: Mapped[Site] = relationship(lazy="selectin")
    location: Mapped[Location | None] = relationship(lazy="selectin")
    client: Mapped[Party | None] = relationship(lazy="selectin")
    unit: Mapped[HandlingUnit | None] = relationship(lazy="selectin")


class ContainerEvent(Kept, Base):
    """Something that happened to a container, or is expected to. What is said of it never changes: triggers refuse it.

    States: recorded, needs_review, dismissed. One that needs review changed nothing yet.
    """

    __tablename__ = "container_event"
    __table_args__ = (
        UniqueConstraint("source", "source_key"),
        Index("ix_container_event_container_id_at", "container_id", "at"),
    )

    container_id: Mapped[int | None] = mapped_column(ForeignKey("container.id"))
    """None where nobody knew a container of that number."""
    number: Mapped[str] = mapped_column(Text, index=True)
    visit: Mapped[int] = mapped_column(Integer, default=1, server_default="1")
    state: Mapped[str] = mapped_column(Text, default="recorded", index=True)
    code: Mapped[str] = mapped_column(Text)
    """`cloud.trade.milestones.CODES`."""
    certainty: Mapped[str] = mapped_column(Text, default="actual")
    """`planned`, `estimated` or `actual`."""
    at: Mapped[datetime] = mapped_column(UtcTime)
    location_id: Mapped[int | None] = mapped_column(ForeignKey("location.id"))
    place: Mapped[str | None] = mapped_column(Text)
    """Where no location of ours is meant."""
    vehicle: Mapped[str | None] = mapped_column(Text)
    driver: Mapped[str | None] = mapped_column(Text)
    seal: Mapped[str | None] = mapped_column(Text)
    weight: Mapped[Decimal | None] = mapped_column(Micro)
    """Kilograms, gross."""
    laden: Mapped[bool | None]
    condition: Mapped[str] = mapped_column(Text, default="good", server_default="good")
    photos: Mapped[list[dict[str, str]]] = mapped_column(Json, default=list, server_default="[]")
    """Rows of `sha256`."""
    note: Mapped[str | None] = mapped_column(Text)
    said_by: Mapped[str] = mapped_column(Text, default="user", server_default="user")
    """`user`, `box` or `system`."""
    by: Mapped[str | None] = mapped_column(Text)
    """Login."""
    box_id: Mapped[str | None] = mapped_column(ForeignKey("box.id"))
    paper_no: Mapped[str | None] = mapped_column(Text)
    """Of the paper that the box gave out."""
    run: Mapped[str | None] = mapped_column(Text)
    seq: Mapped[int | None] = mapped_column(Big)
    """The journal's entry that said so."""
    review_reason: Mapped[str | None] = mapped_column(Text)
    """Code of what stood against it, a translation key."""
    review_detail: Mapped[str | None] = mapped_column(Text)

    @property
    def ref(self) -> str:
        """What the log calls it by."""
        return self.uid

    container: Mapped[Container | None] = relationship(lazy="selectin")
