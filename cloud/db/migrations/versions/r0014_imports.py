"""Imports, their rows and remembered mappings."""

import sqlalchemy as sa
from alembic import op

from cloud.db.types import Json, Key, UtcTime

revision = "r0014"
down_revision = "r0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "import_job",
        sa.Column("id", Key, nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("kind", "name", "sha256")),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("reading", Json, nullable=False),
        sa.Column("head", Json, nullable=False),
        sa.Column("signature", sa.Text(), nullable=False),
        sa.Column("plan", Json, nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("counts", Json, nullable=False),
        *(sa.Column(name, sa.Text(), nullable=True) for name in ("trouble", "work")),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        *(sa.Column(name, UtcTime(), nullable=True) for name in ("checked_at", "applied_at", "undone_at")),
        *(sa.Column(name, sa.Text(), nullable=True) for name in ("applied_by", "undone_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_job")),
        sa.UniqueConstraint("uid", name=op.f("uq_import_job_uid")),
    )
    op.create_index("ix_import_job_created_at", "import_job", ["created_at"])
    _rows()
    op.create_table(
        "import_mapping",
        sa.Column("id", Key, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("signature", sa.Text(), nullable=False),
        sa.Column("plan", Json, nullable=False),
        sa.Column("used_at", UtcTime(), nullable=False),
        sa.Column("used_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_mapping")),
        sa.UniqueConstraint("kind", "signature", name=op.f("uq_import_mapping_kind_signature")),
    )


def _rows() -> None:
    op.create_table(
        "import_row",
        sa.Column("id", Key, nullable=False),
        sa.Column("import_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("raw", Json, nullable=False),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("given", Json, nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        *(sa.Column(name, Json, nullable=False) for name in ("faults", "notes", "changes")),
        sa.Column("ref", sa.Text(), nullable=True),
        *(sa.Column(name, sa.BigInteger(), nullable=True) for name in ("record_id", "version")),
        sa.Column("restored", sa.Boolean(), nullable=True),
        sa.Column("done", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["import_id"], ["import_job.id"], name=op.f("fk_import_row_import_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_row")),
        sa.UniqueConstraint("import_id", "number", name=op.f("uq_import_row_import_id_number")),
    )
    op.create_index("ix_import_row_import_id_key", "import_row", ["import_id", "key"])
    op.create_index("ix_import_row_import_id_outcome_number", "import_row", ["import_id", "outcome", "number"])
    op.create_index("ix_import_row_import_id_done_number", "import_row", ["import_id", "done", "number"])


def downgrade() -> None:
    for table in ("import_mapping", "import_row", "import_job"):
        op.drop_table(table)
