"""Tables `import_job`, `import_row` and `import_mapping`."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from cloud.db.base import Base
from cloud.db.types import Big, Json, Key, UtcTime
from cloud.kernel.models import fresh_uid


class ImportStatus(StrEnum):
    """Where an import is. Rows are complete from `staged` on; records are written while it is `applying`."""

    STAGING = "staging"
    STAGED = "staged"
    CHECKING = "checking"
    CHECKED = "checked"
    APPLYING = "applying"
    STOPPED = "stopped"
    """A row could not be written and the import was to stop at the first such."""
    APPLIED = "applied"
    UNDOING = "undoing"
    UNDONE = "undone"


WORKING = frozenset({ImportStatus.STAGING, ImportStatus.CHECKING, ImportStatus.APPLYING, ImportStatus.UNDOING})


class Outcome(StrEnum):
    """What a row means: found by the check, and true of the records once it is applied."""

    NEW = "new"
    CHANGED = "changed"
    SAME = "same"
    FAULTY = "faulty"


class Done(StrEnum):
    """What became of a row. Written in the transaction that writes its record."""

    MADE = "made"
    CHANGED = "changed"
    SAME = "same"
    FAULTY = "faulty"
    UNDONE = "undone"
    KEPT = "kept"
    """It was to be undone, and the record has moved on since: the faults say why."""


class ImportJob(Base):
    """One file on its way into records of one kind. Its `uid` is the cause chain of every event that it makes."""

    __tablename__ = "import_job"
    __table_args__ = (Index("ix_import_job_created_at", "created_at"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    uid: Mapped[str] = mapped_column(Text, unique=True, default=fresh_uid)
    kind: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    """Of the file, as its sender calls it."""
    sha256: Mapped[str] = mapped_column(Text)
    size: Mapped[int] = mapped_column(Big)
    format: Mapped[str] = mapped_column(Text)
    """`csv`, `xlsx` or `jsonl`."""
    reading: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    """How it was read: encoding and delimiter, or the sheet and the others there are."""
    head: Mapped[list[str]] = mapped_column(Json, default=list)
    """The columns' names, in the file's order."""
    signature: Mapped[str] = mapped_column(Text, default="")
    """Hash of the head: files with the same one are mapped alike."""
    plan: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    """How rows become records (cloud.imports.mapping.Plan)."""
    status: Mapped[str] = mapped_column(Text, default=ImportStatus.STAGING)
    counts: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    """Rows in all and of each outcome; then of each thing that was done."""
    trouble: Mapped[str | None] = mapped_column(Text)
    """Code of what stopped it."""
    work: Mapped[str | None] = mapped_column(Text)
    """Uid of the background job that works on it, or did last."""
    created_by: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    checked_at: Mapped[datetime | None] = mapped_column(UtcTime)
    applied_at: Mapped[datetime | None] = mapped_column(UtcTime)
    applied_by: Mapped[str | None] = mapped_column(Text)
    undone_at: Mapped[datetime | None] = mapped_column(UtcTime)
    undone_by: Mapped[str | None] = mapped_column(Text)


class ImportRow(Base):
    """One row of the file: as it came, what it is taken for, and what became of it."""

    __tablename__ = "import_row"
    __table_args__ = (
        UniqueConstraint("import_id", "number"),
        Index("ix_import_row_import_id_key", "import_id", "key"),
        Index("ix_import_row_import_id_outcome_number", "import_id", "outcome", "number"),
        Index("ix_import_row_import_id_done_number", "import_id", "done", "number"),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    import_id: Mapped[int] = mapped_column(ForeignKey("import_job.id", ondelete="CASCADE"))
    number: Mapped[int] = mapped_column(Big)
    """Of the row as the sender's program shows it: the head of a table is row 1."""
    raw: Mapped[list[Any]] = mapped_column(Json)
    """Cells as they stand in the file."""
    key: Mapped[str | None] = mapped_column(Text)
    """By which the record is found again, as the plan says."""
    given: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    """Values by field, as the service takes them."""
    outcome: Mapped[str | None] = mapped_column(Text)
    faults: Mapped[list[Any]] = mapped_column(Json, default=list)
    """Each `{column, field, code, values, message}`."""
    notes: Mapped[list[Any]] = mapped_column(Json, default=list)
    """What was taken otherwise than it stands in the file: `{column, field, code, values}`."""
    changes: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    """Field to `[old, new]`: what the check found, then what was done."""
    ref: Mapped[str | None] = mapped_column(Text)
    record_id: Mapped[int | None] = mapped_column(Big)
    version: Mapped[int | None] = mapped_column(Big)
    """The record's after the import wrote it: while it is the same, nobody else did."""
    restored: Mapped[bool | None] = mapped_column()
    """Whether the record was archived before and was put back."""
    done: Mapped[str | None] = mapped_column(Text)


class ImportMapping(Base):
    """How files with this head were mapped the last time."""

    __tablename__ = "import_mapping"
    __table_args__ = (UniqueConstraint("kind", "signature"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    signature: Mapped[str] = mapped_column(Text)
    plan: Mapped[dict[str, Any]] = mapped_column(Json)
    used_at: Mapped[datetime] = mapped_column(UtcTime)
    used_by: Mapped[str] = mapped_column(Text)
