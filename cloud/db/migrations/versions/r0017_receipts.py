"""What a whole goods receipt keeps."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from cloud.db.types import Exact, Key, Micro, UtcTime

revision = "r0017"
down_revision = "r0016"
branch_labels = None
depends_on = None

COLUMNS: tuple[tuple[str, str, Any], ...] = (
    ("evidence", "formula", sa.Text()),
    ("receipt", "notice_ref", sa.Text()),
    ("receipt", "notice_uid", sa.Text()),
    ("receipt", "owner_ref", sa.Text()),
    ("receipt", "number", sa.Text()),
    ("receipt", "review_reason", sa.Text()),
    ("receipt", "container", sa.Text()),
    ("receipt", "seal", sa.Text()),
    ("receipt", "vehicle", sa.Text()),
    ("receipt", "temperature", Exact()),
    ("receipt", "temperature_unit", sa.Text()),
    ("receipt", "weighbridge", Exact()),
    ("receipt", "weighbridge_unit", sa.Text()),
    ("receipt", "arrived_at", UtcTime()),
    ("receipt", "shipped_at", UtcTime()),
    ("receipt", "done_at", UtcTime()),
    ("receipt", "reversed_at", UtcTime()),
    ("receipt", "reversed_by", sa.Text()),
    ("receipt_exception", "role", sa.Text()),
    ("receipt_exception", "via", sa.Text()),
    ("receipt_exception", "method", sa.Text()),
    ("receipt_line", "gross", Exact()),
    ("receipt_line", "gross_unit", sa.Text()),
    ("receipt_line", "tare", Exact()),
    ("receipt_line", "tare_unit", sa.Text()),
    ("receipt_line", "packaging", sa.Text()),
    ("receipt_line", "pieces", Exact()),
    ("receipt_line", "pieces_unit", sa.Text()),
    ("receipt_line", "unit_weight", Exact()),
    ("receipt_line", "unit_weight_unit", sa.Text()),
    ("receipt_line", "pack", sa.Text()),
    ("receipt_line", "notice_line", sa.Text()),
    ("receipt_line", "sscc", sa.Text()),
    ("receipt_line", "condition_reason", sa.Text()),
    ("receipt_line", "stock_quantity", Micro()),
)
"""Columns of old tables that may be empty."""

KEYS = (
    ("receipt", "owner_id", "party"),
    ("receipt_line", "location_id", "location"),
    ("receipt_line", "owner_id", "party"),
    ("receipt_line", "lot_id", "lot"),
    ("receipt_line", "handling_unit_id", "handling_unit"),
)
"""Columns of old tables that lead to others."""


def upgrade() -> None:
    for table, column, kind in COLUMNS:
        op.add_column(table, sa.Column(column, kind, nullable=True))
    op.add_column("receipt_line", sa.Column("condition", sa.Text(), nullable=False, server_default="good"))
    op.add_column("receipt_line", sa.Column("stock_rounded", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("product", sa.Column("quarantine", sa.Boolean(), nullable=False, server_default=sa.false()))
    # Said in SQL that both know: alembic adds a key to an old table of SQLite only by making the table anew.
    kind = "INTEGER" if op.get_bind().dialect.name == "sqlite" else "BIGINT"
    for table, column, target in KEYS:
        name = f"fk_{table}_{column}"
        op.execute(f"ALTER TABLE {table} ADD COLUMN {column} {kind} CONSTRAINT {name} REFERENCES {target} (id)")
    op.create_index("ix_receipt_notice_uid", "receipt", ["notice_uid"])
    op.create_index("ix_receipt_line_sscc", "receipt_line", ["sscc"])
    _serials()
    _photos()
    _learned()
    _remainders()


def downgrade() -> None:
    for table in ("receipt_remainder", "learned_code", "receipt_photo", "receipt_serial"):
        op.drop_table(table)
    op.drop_index("ix_receipt_line_sscc", "receipt_line")
    op.drop_index("ix_receipt_notice_uid", "receipt")
    for table, column, _ in KEYS:
        op.drop_column(table, column)
    op.drop_column("product", "quarantine")
    op.drop_column("receipt_line", "stock_rounded")
    op.drop_column("receipt_line", "condition")
    for table, column, _ in COLUMNS:
        op.drop_column(table, column)


def _serials() -> None:
    op.create_table(
        "receipt_serial",
        sa.Column("id", Key, primary_key=True),
        sa.Column("line_id", Key, nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("serial", sa.Text(), nullable=False),
        sa.Column("lot_id", Key, nullable=True),
        sa.ForeignKeyConstraint(["line_id"], ["receipt_line.id"], name="fk_receipt_serial_line_id"),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.id"], name="fk_receipt_serial_lot_id"),
        sa.UniqueConstraint("line_id", "n", name="uq_receipt_serial_line_id_n"),
    )
    op.create_index("ix_receipt_serial_serial", "receipt_serial", ["serial"])


def _said(table: str) -> list[sa.Column[Any] | sa.Constraint]:
    """The entry that said so, and the reading that it names."""
    return [
        sa.Column("run", sa.Text(), nullable=True),
        sa.Column("seq", sa.BigInteger(), nullable=True),
        sa.Column("step_run", sa.Text(), nullable=False),
        sa.Column("step_seq", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["step_run", "step_seq"], ["entry.run", "entry.seq"], name=f"fk_{table}_step_run_step_seq"),
    ]


def _photos() -> None:
    op.create_table(
        "receipt_photo",
        sa.Column("id", Key, primary_key=True),
        sa.Column("receipt_id", Key, nullable=False),
        sa.Column("line_number", sa.Integer(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        *_said("receipt_photo"),
        sa.ForeignKeyConstraint(["receipt_id"], ["receipt.id"], name="fk_receipt_photo_receipt_id"),
    )
    op.create_index("ix_receipt_photo_receipt_id", "receipt_photo", ["receipt_id"])
    op.create_index("ix_receipt_photo_sha256", "receipt_photo", ["sha256"])


def _learned() -> None:
    op.create_table(
        "learned_code",
        sa.Column("id", Key, primary_key=True),
        sa.Column("receipt_id", Key, nullable=False),
        sa.Column("scheme", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("product_id", Key, nullable=True),
        sa.Column("pack", sa.Text(), nullable=True),
        sa.Column("standing", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", UtcTime(), nullable=True),
        *_said("learned_code"),
        sa.ForeignKeyConstraint(["receipt_id"], ["receipt.id"], name="fk_learned_code_receipt_id"),
        sa.ForeignKeyConstraint(["product_id"], ["product.id"], name="fk_learned_code_product_id"),
    )
    op.create_index("ix_learned_code_receipt_id", "learned_code", ["receipt_id"])
    op.create_index("ix_learned_code_standing", "learned_code", ["standing"])


def _remainders() -> None:
    op.create_table(
        "receipt_remainder",
        sa.Column("id", Key, primary_key=True),
        sa.Column("receipt_id", Key, nullable=False),
        sa.Column("order_line", sa.Text(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["receipt_id"], ["receipt.id"], name="fk_receipt_remainder_receipt_id"),
        sa.UniqueConstraint("receipt_id", "order_line", name="uq_receipt_remainder_receipt_id_order_line"),
    )
