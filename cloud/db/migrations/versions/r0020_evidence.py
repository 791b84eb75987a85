"""Whether a receipt held when it was verified last."""

import sqlalchemy as sa
from alembic import op

from cloud.db.types import Json, UtcTime

revision = "r0020"
down_revision = "r0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "receipt_verdict",
        sa.Column("receipt", sa.Text(), nullable=False),
        sa.Column("ok", sa.Boolean(), nullable=False),
        sa.Column("problems", Json, nullable=False),
        sa.Column("checked_at", UtcTime(), nullable=False),
        sa.Column("broken_since", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("receipt", name=op.f("pk_receipt_verdict")),
    )
    op.create_index("ix_receipt_verdict_checked_at", "receipt_verdict", ["checked_at"])


def downgrade() -> None:
    op.drop_table("receipt_verdict")
