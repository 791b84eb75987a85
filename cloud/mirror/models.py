"""Tables of the mirror: the rows of each scope as last sent, and the scope's counter."""

from typing import Any

from sqlalchemy import ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from cloud.db.base import Base
from cloud.db.types import Big, Json


class MirrorScope(Base):
    """One station's stream; `seq` is its newest change. Its row is locked while changes are numbered."""

    __tablename__ = "mirror_scope"

    scope: Mapped[str] = mapped_column(Text, primary_key=True)
    seq: Mapped[int] = mapped_column(Big, default=0)


class MirrorRow(Base):
    """One row of master data as a station has it. Deleted rows stay, so that a box that was away hears of them."""

    __tablename__ = "mirror_row"
    __table_args__ = (Index("ix_mirror_row_scope_seq", "scope", "seq"),)

    scope: Mapped[str] = mapped_column(ForeignKey("mirror_scope.scope"), primary_key=True)
    t: Mapped[str] = mapped_column(Text, primary_key=True)
    k: Mapped[str] = mapped_column(Text, primary_key=True)
    rev: Mapped[int] = mapped_column(Big)
    v: Mapped[dict[str, Any]] = mapped_column(Json)
    deleted: Mapped[bool] = mapped_column(default=False)
    seq: Mapped[int] = mapped_column(Big)
