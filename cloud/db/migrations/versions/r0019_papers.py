"""Documents that were made, and what their codes lead to."""

import sqlalchemy as sa
from alembic import op

from cloud.db.types import Key, UtcTime

revision = "r0019"
down_revision = "r0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "paper",
        sa.Column("id", Key, nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("uid", "kind", "record_kind", "record", "record_ref")),
        sa.Column("version", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("language", "snapshot", "sha256", "content_sha256")),
        sa.Column("made_at", UtcTime(), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_paper")),
        sa.UniqueConstraint("uid", name=op.f("uq_paper_uid")),
    )
    op.create_index("ix_paper_record", "paper", ["record_kind", "record"])
    op.create_table(
        "paper_copy",
        sa.Column("id", Key, nullable=False),
        sa.Column("paper_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("pdf_sha256", sa.Text(), nullable=False),
        sa.Column("copies", sa.Integer(), nullable=False),
        sa.Column("first_at", UtcTime(), nullable=False),
        sa.Column("first_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["paper_id"], ["paper.id"], name=op.f("fk_paper_copy_paper_id_paper")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_paper_copy")),
        sa.UniqueConstraint("paper_id", "pdf_sha256", name=op.f("uq_paper_copy_paper_id_pdf_sha256")),
    )


def downgrade() -> None:
    op.drop_table("paper_copy")
    op.drop_table("paper")
