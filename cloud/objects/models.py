"""Tables `record`, `link`, `object_def` and `saved_view`."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from cloud.db.base import Base
from cloud.db.types import Big, Json, Key, UtcTime
from cloud.kernel.models import Kept, fresh_uid


class Record(Kept, Base):
    """One record of any kind without a table of its own. `extra` (column `data`) holds its fields by key."""

    __tablename__ = "record"
    __table_args__ = (
        UniqueConstraint("kind", "ref"),
        UniqueConstraint("kind", "source", "source_key"),
        Index("ix_record_kind_id", "kind", "id"),
        Index("ix_record_kind_state_id", "kind", "state", "id"),
        Index("ix_record_kind_title_id", "kind", "title", "id"),
        Index("ix_record_kind_updated_at_id", "kind", "updated_at", "id"),
        Index("ix_record_kind_owner_id", "kind", "owner", "id"),
    )

    kind: Mapped[str] = mapped_column(Text)
    ref: Mapped[str] = mapped_column(Text)
    title: Mapped[str] = mapped_column(Text, default="")
    state: Mapped[str | None] = mapped_column(Text)
    """Assigned by `cloud.kernel.transition` alone; None where the kind has no states."""
    phase: Mapped[str | None] = mapped_column(Text)
    owner: Mapped[str | None] = mapped_column(Text)
    """Login of whoever looks after it."""
    extra: Mapped[dict[str, Any]] = mapped_column("data", Json, default=dict, server_default="{}")


class Link(Base):
    """One of the records that a `refs` field leads to."""

    __tablename__ = "link"
    __table_args__ = (
        UniqueConstraint("from_kind", "from_id", "role", "to_kind", "to_id"),
        Index("ix_link_to_kind_to_id", "to_kind", "to_id"),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    from_kind: Mapped[str] = mapped_column(Text)
    from_id: Mapped[int] = mapped_column(Big)
    role: Mapped[str] = mapped_column(Text)
    """Key of the field."""
    to_kind: Mapped[str] = mapped_column(Text)
    to_id: Mapped[int] = mapped_column(Big)


class StoredDefinition(Base):
    """One version of what a customer said about a kind: a whole object of theirs, or what they added to a shipped one. The
    newest version is in force; older ones are kept."""

    __tablename__ = "object_def"
    __table_args__ = (UniqueConstraint("key", "version"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    key: Mapped[str] = mapped_column(Text)
    version: Mapped[int] = mapped_column(Big)
    text: Mapped[str] = mapped_column(Text)
    """YAML as it was written."""
    carried: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    """Fields and options of earlier versions that the text names no more: they live on, archived."""
    at: Mapped[datetime] = mapped_column(UtcTime)
    by: Mapped[str] = mapped_column(Text)


class SavedView(Base):
    """A list as somebody keeps it: filter, sort and columns, as the list's address has them."""

    __tablename__ = "saved_view"
    __table_args__ = (UniqueConstraint("kind", "owner", "name"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    uid: Mapped[str] = mapped_column(Text, unique=True, default=fresh_uid)
    kind: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    owner: Mapped[str] = mapped_column(Text)
    shared: Mapped[bool] = mapped_column(default=False)
    query: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
