"""Branches of a box's journal and what is set aside of them, entries said again, what is lost, steps that wait."""

import sqlalchemy as sa
from alembic import op

from cloud.db.types import Key, UtcTime

revision = "r0004"
down_revision = "r0003"
branch_labels = None
depends_on = None

OTHER_KINDS = sa.text("kind <> 'reading'")


def upgrade() -> None:
    op.add_column("run_state", sa.Column("joins_at", sa.BigInteger(), nullable=True))
    op.execute("UPDATE run_state SET joins_at = parent_seq")
    op.create_index("ix_entry_other_kinds", "entry", ["run", "seq"], sqlite_where=OTHER_KINDS, postgresql_where=OTHER_KINDS)
    op.create_table(
        "reissued",
        sa.Column("run", sa.Text(), primary_key=True),
        sa.Column("seq", sa.BigInteger(), primary_key=True),
        sa.Column("was_run", sa.Text(), nullable=False),
        sa.Column("was_seq", sa.BigInteger(), nullable=False),
        sa.Column("box_id", sa.Text(), sa.ForeignKey("box.id"), nullable=False),
    )
    op.create_index("ix_reissued_was", "reissued", ["was_run", "was_seq"])
    _branches()


def _branches() -> None:
    op.create_table(
        "branch",
        sa.Column("id", Key, primary_key=True),
        sa.Column("box_id", sa.Text(), sa.ForeignKey("box.id"), nullable=False),
        sa.Column("at_run", sa.Text(), nullable=False),
        sa.Column("at_seq", sa.BigInteger(), nullable=False),
        sa.Column("older_run", sa.Text(), nullable=False),
        sa.Column("newer_run", sa.Text(), nullable=False),
        sa.Column("read_as", sa.Text(), nullable=False),
        sa.Column("seen_at", UtcTime(), nullable=False),
        sa.Column("overlap_at", UtcTime(), nullable=True),
        sa.Column("older_decision", sa.Text(), nullable=True),
        sa.Column("newer_decision", sa.Text(), nullable=True),
        sa.Column("looked_at", sa.Boolean(), nullable=False),
        sa.UniqueConstraint("box_id", "at_run", "at_seq", "older_run", "newer_run"),
    )
    op.create_index("ix_branch_box_id", "branch", ["box_id"])
    op.create_table(
        "held_run",
        sa.Column("run", sa.Text(), primary_key=True),
        sa.Column("box_id", sa.Text(), sa.ForeignKey("box.id"), nullable=False),
        sa.Column("held_from", sa.BigInteger(), nullable=True),
        sa.Column("dropped_from", sa.BigInteger(), nullable=True),
    )
    op.create_index("ix_held_run_box_id", "held_run", ["box_id"])
    op.create_table(
        "box_doubt",
        sa.Column("box_id", sa.Text(), sa.ForeignKey("box.id"), primary_key=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since", UtcTime(), nullable=False),
    )
    _losses()


def _losses() -> None:
    op.create_table(
        "lost",
        sa.Column("id", Key, primary_key=True),
        sa.Column("box_id", sa.Text(), sa.ForeignKey("box.id"), nullable=False),
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("after", UtcTime(), nullable=True),
        sa.Column("before", UtcTime(), nullable=False),
        sa.UniqueConstraint("run", "first", "cause"),
    )
    op.create_index("ix_lost_box_id", "lost", ["box_id"])
    op.create_table(
        "parked_step",
        sa.Column("run", sa.Text(), primary_key=True),
        sa.Column("seq", sa.BigInteger(), primary_key=True),
        sa.Column("box_id", sa.Text(), sa.ForeignKey("box.id"), nullable=False),
        sa.Column("job", sa.Text(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("received_at", UtcTime(), nullable=False),
    )
    op.create_index("ix_parked_step_job", "parked_step", ["box_id", "job", "n"])


def downgrade() -> None:
    for table in ("parked_step", "lost", "box_doubt", "held_run", "branch", "reissued"):
        op.drop_table(table)
    op.drop_index("ix_entry_other_kinds", "entry")
    op.drop_column("run_state", "joins_at")
