"""Tables of files: uploads under way, files that are here, and the entries that name them."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from cloud.db.base import Base
from cloud.db.types import Big, Json, UtcTime


class Upload(Base):
    """One file on its way from one box; kept when it is here, so that the box hears so whenever it asks again."""

    __tablename__ = "upload"
    __table_args__ = (UniqueConstraint("box_id", "sha256"), Index("ix_upload_stored_touched_at", "stored", "touched_at"))

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    """Random; the last part of the upload's address."""
    box_id: Mapped[str] = mapped_column(ForeignKey("box.id"))
    sha256: Mapped[str] = mapped_column(Text)
    size: Mapped[int] = mapped_column(Big)
    received: Mapped[int] = mapped_column(Big, default=0)
    """Bytes from the beginning that are on the disk: the offset of the protocol."""
    stored: Mapped[bool] = mapped_column(default=False)
    """The whole file is here and its hash was computed here."""
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    touched_at: Mapped[datetime] = mapped_column(UtcTime)


class Blob(Base):
    """A file that is here under its own hash, whoever sent it."""

    __tablename__ = "blob"

    sha256: Mapped[str] = mapped_column(Text, primary_key=True)
    size: Mapped[int] = mapped_column(Big)
    stored_at: Mapped[datetime] = mapped_column(UtcTime)


class BlobRef(Base):
    """An entry that names a file, which may not be here yet."""

    __tablename__ = "blob_ref"

    run: Mapped[str] = mapped_column(Text, primary_key=True)
    seq: Mapped[int] = mapped_column(Big, primary_key=True)
    box_id: Mapped[str] = mapped_column(ForeignKey("box.id"))
    sha256: Mapped[str] = mapped_column(Text, index=True)
    size: Mapped[int] = mapped_column(Big)
    media: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    about: Mapped[dict[str, Any]] = mapped_column(Json)
    job: Mapped[str | None] = mapped_column(Text, index=True)
    """Of `about`: what pages look for."""
    received_at: Mapped[datetime] = mapped_column(UtcTime)
