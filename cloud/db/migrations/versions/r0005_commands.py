"""Leases of boxes and commands to them."""

import sqlalchemy as sa
from alembic import op

from cloud.db.types import Json, UtcTime

revision = "r0005"
down_revision = "r0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("box", sa.Column("lease", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("box", sa.Column("lease_used", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("box", sa.Column("lease_at", UtcTime(), nullable=True))
    op.create_table(
        "box_command",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("box_id", sa.Text(), nullable=False),
        sa.Column("op", sa.Text(), nullable=False),
        sa.Column("args", Json, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("not_after", UtcTime(), nullable=False),
        sa.Column("lease", sa.BigInteger(), nullable=True),
        sa.Column("sent_at", UtcTime(), nullable=True),
        sa.Column("ended_at", UtcTime(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("result", Json, nullable=True),
        sa.Column("run", sa.Text(), nullable=True),
        sa.Column("seq", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["box_id"], ["box.id"], name=op.f("fk_box_command_box_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_box_command")),
    )
    op.create_index("ix_box_command_box_id_state", "box_command", ["box_id", "state"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_box_command_box_id_state", table_name="box_command")
    op.drop_table("box_command")
    for column in ("lease_at", "lease_used", "lease"):
        op.drop_column("box", column)
