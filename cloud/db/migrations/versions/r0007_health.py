"""How boxes say they are."""

import sqlalchemy as sa
from alembic import op

from cloud.db.types import Json, UtcTime

revision = "r0007"
down_revision = "r0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "box_health",
        sa.Column("box_id", sa.Text(), sa.ForeignKey("box.id"), primary_key=True),
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("content", Json, nullable=False),
        sa.Column("clk", sa.Text(), nullable=False),
        sa.Column("clk_err_ms", sa.BigInteger(), nullable=True),
        sa.Column("boot_id", sa.Text(), nullable=False),
        sa.Column("mono_ns", sa.BigInteger(), nullable=False),
        sa.Column("received_at", UtcTime(), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("box_health")
