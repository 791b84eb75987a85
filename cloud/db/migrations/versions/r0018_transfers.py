"""Movements of stock by people and boxes, returns and counts."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from cloud.db.types import Exact, Json, Key, Micro, UtcTime

revision = "r0018"
down_revision = "r0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _transfer()
    _transfer_line()
    _count_sheet()
    _count_line()
    _jobs()


def downgrade() -> None:
    for table in ("stock_step", "stock_job", "count_line", "count_sheet", "transfer_line", "transfer"):
        op.drop_table(table)


def _kept() -> list[sa.Column[Any]]:
    return [
        sa.Column("id", Key, nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("extra", Json, server_default="{}", nullable=False),
        sa.Column("archived", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("updated_at", UtcTime(), nullable=True),
        sa.Column("updated_by", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("source_key", sa.Text(), nullable=True),
    ]


def _keys(table: str) -> list[sa.Constraint]:
    return [
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
        sa.UniqueConstraint("source", "source_key", name=f"uq_{table}_source_source_key"),
        sa.UniqueConstraint("uid", name=f"uq_{table}_uid"),
    ]


def _transfer() -> None:
    op.create_table(
        "transfer",
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("site_id", Key, nullable=False),
        sa.Column("party_id", Key, nullable=True),
        sa.Column("owner_id", Key, nullable=True),
        sa.Column("from_id", Key, nullable=True),
        sa.Column("to_id", Key, nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("document_no", sa.Text(), nullable=True),
        sa.Column("receipt", sa.Text(), nullable=True),
        sa.Column("receipt_ref", sa.Text(), nullable=True),
        sa.Column("box_id", sa.Text(), nullable=True),
        sa.Column("station_code", sa.Text(), nullable=True),
        sa.Column("operator", sa.Text(), nullable=True),
        sa.Column("needs_review", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("review_reason", sa.Text(), nullable=True),
        sa.Column("approved_by", sa.Text(), nullable=True),
        sa.Column("approved_at", UtcTime(), nullable=True),
        sa.Column("posted_by", sa.Text(), nullable=True),
        sa.Column("posted_at", UtcTime(), nullable=True),
        *_kept(),
        sa.ForeignKeyConstraint(["box_id"], ["box.id"], name="fk_transfer_box_id"),
        sa.ForeignKeyConstraint(["from_id"], ["location.id"], name="fk_transfer_from_id"),
        sa.ForeignKeyConstraint(["owner_id"], ["party.id"], name="fk_transfer_owner_id"),
        sa.ForeignKeyConstraint(["party_id"], ["party.id"], name="fk_transfer_party_id"),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name="fk_transfer_site_id"),
        sa.ForeignKeyConstraint(["to_id"], ["location.id"], name="fk_transfer_to_id"),
        sa.UniqueConstraint("ref", name="uq_transfer_ref"),
        *_keys("transfer"),
    )
    op.create_index("ix_transfer_box_id", "transfer", ["box_id"])
    op.create_index("ix_transfer_kind_state", "transfer", ["kind", "state"])
    op.create_index("ix_transfer_needs_review", "transfer", ["needs_review"])
    op.create_index("ix_transfer_owner_id", "transfer", ["owner_id"])
    op.create_index("ix_transfer_party_id", "transfer", ["party_id"])
    op.create_index("ix_transfer_receipt", "transfer", ["receipt"])
    op.create_index("ix_transfer_site_id", "transfer", ["site_id"])
    op.create_index("ix_transfer_state", "transfer", ["state"])
    op.create_index("ix_transfer_source_key", "transfer", ["source_key"])


def _transfer_line() -> None:
    op.create_table(
        "transfer_line",
        sa.Column("transfer_id", Key, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("product_id", Key, nullable=True),
        sa.Column("lot_id", Key, nullable=True),
        sa.Column("unit_id", Key, nullable=True),
        sa.Column("to_unit_id", Key, nullable=True),
        sa.Column("owner_id", Key, nullable=True),
        sa.Column("quantity", Micro(), nullable=True),
        sa.Column("given_quantity", Exact(), nullable=True),
        sa.Column("given_unit", sa.Text(), nullable=True),
        sa.Column("from_id", Key, nullable=True),
        sa.Column("to_id", Key, nullable=True),
        sa.Column("receipt", sa.Text(), nullable=True),
        sa.Column("receipt_line", sa.Integer(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("mode", sa.Text(), nullable=True),
        sa.Column("review_code", sa.Text(), nullable=True),
        sa.Column("review_detail", sa.Text(), nullable=True),
        sa.Column("run", sa.Text(), nullable=True),
        sa.Column("seq", sa.BigInteger(), nullable=True),
        sa.Column("done_at", UtcTime(), nullable=True),
        sa.Column("posted_at", UtcTime(), nullable=True),
        *_kept(),
        sa.CheckConstraint("quantity > 0", name="ck_transfer_line_quantity"),
        sa.ForeignKeyConstraint(["from_id"], ["location.id"], name="fk_transfer_line_from_id"),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.id"], name="fk_transfer_line_lot_id"),
        sa.ForeignKeyConstraint(["owner_id"], ["party.id"], name="fk_transfer_line_owner_id"),
        sa.ForeignKeyConstraint(["product_id"], ["product.id"], name="fk_transfer_line_product_id"),
        sa.ForeignKeyConstraint(["to_id"], ["location.id"], name="fk_transfer_line_to_id"),
        sa.ForeignKeyConstraint(["to_unit_id"], ["handling_unit.id"], name="fk_transfer_line_to_unit_id"),
        sa.ForeignKeyConstraint(["transfer_id"], ["transfer.id"], name="fk_transfer_line_transfer_id"),
        sa.ForeignKeyConstraint(["unit_id"], ["handling_unit.id"], name="fk_transfer_line_unit_id"),
        sa.UniqueConstraint("transfer_id", "number", name="uq_transfer_line_transfer_id_number"),
        *_keys("transfer_line"),
    )
    op.create_index("ix_transfer_line_lot_id", "transfer_line", ["lot_id"])
    op.create_index("ix_transfer_line_product_id", "transfer_line", ["product_id"])
    op.create_index("ix_transfer_line_receipt", "transfer_line", ["receipt", "receipt_line"])
    op.create_index("ix_transfer_line_state", "transfer_line", ["state"])
    op.create_index("ix_transfer_line_unit_id", "transfer_line", ["unit_id"])
    op.create_index("ix_transfer_line_source_key", "transfer_line", ["source_key"])


def _count_sheet() -> None:
    op.create_table(
        "count_sheet",
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("site_id", Key, nullable=False),
        sa.Column("location_id", Key, nullable=False),
        sa.Column("blind", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("tolerance_share", Micro(), server_default="0", nullable=False),
        sa.Column("tolerance", Micro(), server_default="0", nullable=False),
        sa.Column("second", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("first_by", sa.Text(), nullable=True),
        sa.Column("second_by", sa.Text(), nullable=True),
        sa.Column("begun_at", UtcTime(), nullable=True),
        sa.Column("finished_at", UtcTime(), nullable=True),
        sa.Column("posted_by", sa.Text(), nullable=True),
        sa.Column("posted_at", UtcTime(), nullable=True),
        sa.Column("box_id", sa.Text(), nullable=True),
        sa.Column("needs_review", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("review_reason", sa.Text(), nullable=True),
        *_kept(),
        sa.CheckConstraint("tolerance_share >= 0 AND tolerance >= 0", name="ck_count_sheet_tolerance"),
        sa.ForeignKeyConstraint(["box_id"], ["box.id"], name="fk_count_sheet_box_id"),
        sa.ForeignKeyConstraint(["location_id"], ["location.id"], name="fk_count_sheet_location_id"),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name="fk_count_sheet_site_id"),
        sa.UniqueConstraint("ref", name="uq_count_sheet_ref"),
        *_keys("count_sheet"),
    )
    op.create_index("ix_count_sheet_box_id", "count_sheet", ["box_id"])
    op.create_index("ix_count_sheet_location_id", "count_sheet", ["location_id"])
    op.create_index("ix_count_sheet_needs_review", "count_sheet", ["needs_review"])
    op.create_index("ix_count_sheet_site_id", "count_sheet", ["site_id"])
    op.create_index("ix_count_sheet_state", "count_sheet", ["state"])
    op.create_index("ix_count_sheet_source_key", "count_sheet", ["source_key"])


def _count_line() -> None:
    op.create_table(
        "count_line",
        sa.Column("sheet_id", Key, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("product_id", Key, nullable=True),
        sa.Column("lot_id", Key, nullable=True),
        sa.Column("unit_id", Key, nullable=True),
        sa.Column("owner_id", Key, nullable=True),
        sa.Column("counted", Micro(), nullable=True),
        sa.Column("counted_by", sa.Text(), nullable=True),
        sa.Column("counted_at", UtcTime(), nullable=True),
        sa.Column("recounted", Micro(), nullable=True),
        sa.Column("recounted_by", sa.Text(), nullable=True),
        sa.Column("recounted_at", UtcTime(), nullable=True),
        sa.Column("expected", Micro(), nullable=True),
        sa.Column("difference", Micro(), nullable=True),
        sa.Column("above", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("moved", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("review_code", sa.Text(), nullable=True),
        sa.Column("review_detail", sa.Text(), nullable=True),
        sa.Column("given_quantity", Exact(), nullable=True),
        sa.Column("given_unit", sa.Text(), nullable=True),
        sa.Column("run", sa.Text(), nullable=True),
        sa.Column("seq", sa.BigInteger(), nullable=True),
        *_kept(),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.id"], name="fk_count_line_lot_id"),
        sa.ForeignKeyConstraint(["owner_id"], ["party.id"], name="fk_count_line_owner_id"),
        sa.ForeignKeyConstraint(["product_id"], ["product.id"], name="fk_count_line_product_id"),
        sa.ForeignKeyConstraint(["sheet_id"], ["count_sheet.id"], name="fk_count_line_sheet_id"),
        sa.ForeignKeyConstraint(["unit_id"], ["handling_unit.id"], name="fk_count_line_unit_id"),
        sa.UniqueConstraint("sheet_id", "number", name="uq_count_line_sheet_id_number"),
        *_keys("count_line"),
    )
    op.create_index("ix_count_line_product_id", "count_line", ["product_id"])
    op.create_index("ix_count_line_source_key", "count_line", ["source_key"])


def _jobs() -> None:
    op.create_table(
        "stock_job",
        sa.Column("job", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("box_id", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("second", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("next_n", sa.BigInteger(), nullable=False),
        sa.Column("ended", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.ForeignKeyConstraint(["box_id"], ["box.id"], name="fk_stock_job_box_id"),
        sa.PrimaryKeyConstraint("job", name="pk_stock_job"),
    )
    op.create_index("ix_stock_job_box_id", "stock_job", ["box_id"])
    op.create_index("ix_stock_job_document", "stock_job", ["document"])
    op.create_table(
        "stock_step",
        sa.Column("id", Key, nullable=False),
        sa.Column("job", sa.Text(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("said", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["job"], ["stock_job.job"], name="fk_stock_step_job"),
        sa.PrimaryKeyConstraint("id", name="pk_stock_step"),
        sa.UniqueConstraint("job", "n", name="uq_stock_step_job_n"),
        sa.UniqueConstraint("run", "seq", name="uq_stock_step_run_seq"),
    )
