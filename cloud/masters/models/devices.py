"""Tables `device`, `calibration` and `label_layout`."""

from datetime import date
from typing import Any

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index, Integer, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from cloud.db.base import Base
from cloud.db.types import Json
from cloud.kernel.models import Kept


class Device(Kept, Base):
    """One instrument. `box_id` and `box_device` are what readings say about where they come from."""

    __tablename__ = "device"
    __table_args__ = (UniqueConstraint("source", "source_key"), UniqueConstraint("box_id", "box_device"))

    code: Mapped[str] = mapped_column(Text, unique=True)
    box_id: Mapped[str | None] = mapped_column(ForeignKey("box.id"))
    box_device: Mapped[str | None] = mapped_column(Text)
    """What the box calls it, `scale-1`."""
    name: Mapped[str] = mapped_column(Text)
    name_he: Mapped[str | None] = mapped_column(Text)
    driver: Mapped[str | None] = mapped_column(Text)
    address: Mapped[str | None] = mapped_column(Text)
    """Port or network address at the box."""
    kind: Mapped[str] = mapped_column(Text, default="scale")
    """`scale`, `scanner`, `gauge`, `camera`, `sensor`, `analyser` or `other`."""
    maker: Mapped[str | None] = mapped_column(Text)
    model: Mapped[str | None] = mapped_column(Text)
    serial: Mapped[str | None] = mapped_column(Text, index=True)
    station_id: Mapped[int | None] = mapped_column(ForeignKey("station.id"), index=True)
    calibrates: Mapped[bool] = mapped_column(default=True)
    """Whether its readings ask for a calibration that is in force."""
    calibrated_on: Mapped[date | None] = mapped_column(Date)
    calibration_due: Mapped[date | None] = mapped_column(Date, index=True)
    """Of the newest calibration, copied from there; both None while there is none or it failed."""


class Calibration(Kept, Base):
    """One calibration. It is in force from its day to the day it is due, both included, or until the next one."""

    __tablename__ = "calibration"
    __table_args__ = (
        UniqueConstraint("source", "source_key"),
        Index("ix_calibration_device_id_day", "device_id", "day"),
        CheckConstraint("due >= day", name="due"),
    )

    ref: Mapped[str] = mapped_column(Text, unique=True)
    device_id: Mapped[int] = mapped_column(ForeignKey("device.id"))
    day: Mapped[date] = mapped_column(Date)
    due: Mapped[date] = mapped_column(Date)
    by: Mapped[str] = mapped_column(Text)
    """Laboratory or person."""
    certificate_no: Mapped[str | None] = mapped_column(Text)
    certificate: Mapped[str | None] = mapped_column(Text)
    """SHA-256 of the file."""
    result: Mapped[str] = mapped_column(Text, default="passed")
    """`passed`, `adjusted` (passed after adjustment) or `failed`."""
    weights: Mapped[list[dict[str, Any]]] = mapped_column(Json, default=list)
    """Reference weights and what was shown: rows of `nominal`, `unit`, `shown`, `allowed` (error), `serial`."""


class LabelLayout(Kept, Base):
    """How to read a supplier's own label (cloud.masters.labels). Editions of one name replace each other; one is in use."""

    __tablename__ = "label_layout"
    __table_args__ = (UniqueConstraint("source", "source_key"), UniqueConstraint("party_id", "name", "edition"))

    ref: Mapped[str] = mapped_column(Text, unique=True)
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"))
    name: Mapped[str] = mapped_column(Text)
    edition: Mapped[int] = mapped_column(Integer, default=1)
    in_use: Mapped[bool] = mapped_column(default=True)
    rules: Mapped[list[dict[str, Any]]] = mapped_column(Json, default=list)
    example: Mapped[str] = mapped_column(Text)
