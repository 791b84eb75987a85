"""Stock: lots, handling units, moves, quants, reservations and the buckets of receipts' lines."""

import sqlalchemy as sa
from alembic import op

from cloud.db.types import Json, Key, Micro, UtcTime

revision = "r0015"
down_revision = "r0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _line_bucket()
    _reservation()
    _handling_unit()
    _lot()
    _move()
    _quant()
    _triggers()


def _line_bucket() -> None:
    op.create_table(
        "line_bucket",
        sa.Column("id", Key, nullable=False),
        sa.Column("receipt", sa.Text(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("bucket", sa.Text(), nullable=False),
        sa.Column("quantity", Micro(), nullable=False),
        sa.CheckConstraint("quantity >= 0", name="ck_line_bucket_not_negative"),
        sa.PrimaryKeyConstraint("id", name="pk_line_bucket"),
        sa.UniqueConstraint("receipt", "line", "bucket", name="uq_line_bucket_receipt_line_bucket"),
    )


def _reservation() -> None:
    op.create_table(
        "reservation",
        sa.Column("id", Key, nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("quant_key", sa.Text(), nullable=False),
        sa.Column("document_kind", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=True),
        sa.Column("quantity", Micro(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.CheckConstraint("quantity > 0", name="ck_reservation_quantity"),
        sa.PrimaryKeyConstraint("id", name="pk_reservation"),
        sa.UniqueConstraint("uid", name="uq_reservation_uid"),
    )
    op.create_index("ix_reservation_document", "reservation", ["document_kind", "document"], unique=False)
    op.create_index("ix_reservation_quant_key", "reservation", ["quant_key"], unique=False)


def _handling_unit() -> None:
    op.create_table(
        "handling_unit",
        sa.Column("sscc", sa.Text(), nullable=False),
        sa.Column("parent_id", Key, nullable=True),
        sa.Column("location_id", Key, nullable=True),
        sa.Column("packaging", sa.Text(), nullable=True),
        sa.Column("tare", Micro(), nullable=True),
        sa.Column("first_receipt", sa.Text(), nullable=True),
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
        sa.CheckConstraint("parent_id <> id", name="ck_handling_unit_not_own_parent"),
        sa.ForeignKeyConstraint(["location_id"], ["location.id"], name="fk_handling_unit_location_id"),
        sa.ForeignKeyConstraint(["parent_id"], ["handling_unit.id"], name="fk_handling_unit_parent_id"),
        sa.PrimaryKeyConstraint("id", name="pk_handling_unit"),
        sa.UniqueConstraint("source", "source_key", name="uq_handling_unit_source_source_key"),
        sa.UniqueConstraint("sscc", name="uq_handling_unit_sscc"),
        sa.UniqueConstraint("uid", name="uq_handling_unit_uid"),
    )
    op.create_index("ix_handling_unit_location_id", "handling_unit", ["location_id"], unique=False)
    op.create_index("ix_handling_unit_parent_id", "handling_unit", ["parent_id"], unique=False)
    op.create_index("ix_handling_unit_source_key", "handling_unit", ["source_key"], unique=False)


def _lot() -> None:
    op.create_table(
        "lot",
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("product_id", Key, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("is_serial", sa.Boolean(), nullable=False),
        sa.Column("made_on", sa.Date(), nullable=True),
        sa.Column("expires_on", sa.Date(), nullable=True),
        sa.Column("supplier_id", Key, nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("first_receipt", sa.Text(), nullable=True),
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
        sa.ForeignKeyConstraint(["product_id"], ["product.id"], name="fk_lot_product_id"),
        sa.ForeignKeyConstraint(["supplier_id"], ["party.id"], name="fk_lot_supplier_id"),
        sa.PrimaryKeyConstraint("id", name="pk_lot"),
        sa.UniqueConstraint("product_id", "code", name="uq_lot_product_id_code"),
        sa.UniqueConstraint("ref", name="uq_lot_ref"),
        sa.UniqueConstraint("source", "source_key", name="uq_lot_source_source_key"),
        sa.UniqueConstraint("uid", name="uq_lot_uid"),
    )
    op.create_index("ix_lot_code", "lot", ["code"], unique=False)
    op.create_index("ix_lot_expires_on", "lot", ["expires_on"], unique=False)
    op.create_index("ix_lot_source_key", "lot", ["source_key"], unique=False)
    op.create_index("ix_lot_state", "lot", ["state"], unique=False)
    op.create_index("ix_lot_supplier_id", "lot", ["supplier_id"], unique=False)


def _move() -> None:
    op.create_table(
        "move",
        sa.Column("id", Key, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("effective_at", UtcTime(), nullable=False),
        sa.Column("product_id", Key, nullable=False),
        sa.Column("lot_id", Key, nullable=True),
        sa.Column("unit_id", Key, nullable=True),
        sa.Column("to_unit_id", Key, nullable=True),
        sa.Column("owner_id", Key, nullable=False),
        sa.Column("quantity", Micro(), nullable=False),
        sa.Column("source_id", Key, nullable=False),
        sa.Column("target_id", Key, nullable=False),
        sa.Column("document_kind", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("document_ref", sa.Text(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=True),
        sa.Column("receipt", sa.Text(), nullable=True),
        sa.Column("receipt_line", sa.Integer(), nullable=True),
        sa.Column("from_bucket", sa.Text(), nullable=True),
        sa.Column("to_bucket", sa.Text(), nullable=True),
        sa.Column("reverses_id", Key, nullable=True),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("via", sa.Text(), nullable=True),
        sa.Column("run", sa.Text(), nullable=True),
        sa.Column("seq", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.CheckConstraint("quantity > 0", name="ck_move_quantity"),
        sa.CheckConstraint("source_id <> target_id OR unit_id IS DISTINCT FROM to_unit_id", name="ck_move_goes_somewhere"),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.id"], name="fk_move_lot_id"),
        sa.ForeignKeyConstraint(["owner_id"], ["party.id"], name="fk_move_owner_id"),
        sa.ForeignKeyConstraint(["product_id"], ["product.id"], name="fk_move_product_id"),
        sa.ForeignKeyConstraint(["reverses_id"], ["move.id"], name="fk_move_reverses_id"),
        sa.ForeignKeyConstraint(["source_id"], ["location.id"], name="fk_move_source_id"),
        sa.ForeignKeyConstraint(["target_id"], ["location.id"], name="fk_move_target_id"),
        sa.ForeignKeyConstraint(["to_unit_id"], ["handling_unit.id"], name="fk_move_to_unit_id"),
        sa.ForeignKeyConstraint(["unit_id"], ["handling_unit.id"], name="fk_move_unit_id"),
        sa.PrimaryKeyConstraint("id", name="pk_move"),
        sa.UniqueConstraint("key", name="uq_move_key"),
    )
    op.create_index("ix_move_document", "move", ["document_kind", "document"], unique=False)
    op.create_index("ix_move_effective_at", "move", ["effective_at"], unique=False)
    op.create_index("ix_move_lot_id", "move", ["lot_id"], unique=False)
    op.create_index("ix_move_owner_id_effective_at", "move", ["owner_id", "effective_at"], unique=False)
    op.create_index("ix_move_product_id_effective_at", "move", ["product_id", "effective_at"], unique=False)
    op.create_index("ix_move_receipt", "move", ["receipt", "receipt_line"], unique=False)
    op.create_index("ix_move_source_id_effective_at", "move", ["source_id", "effective_at"], unique=False)
    op.create_index("ix_move_target_id_effective_at", "move", ["target_id", "effective_at"], unique=False)
    op.create_index("ix_move_to_unit_id", "move", ["to_unit_id"], unique=False)
    op.create_index("ix_move_unit_id", "move", ["unit_id"], unique=False)
    op.create_index("uq_move_reverses_id", "move", ["reverses_id"], unique=True)


def _quant() -> None:
    op.create_table(
        "quant",
        sa.Column("id", Key, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("product_id", Key, nullable=False),
        sa.Column("lot_id", Key, nullable=True),
        sa.Column("location_id", Key, nullable=False),
        sa.Column("unit_id", Key, nullable=True),
        sa.Column("owner_id", Key, nullable=False),
        sa.Column("internal", sa.Boolean(), nullable=False),
        sa.Column("quantity", Micro(), nullable=False),
        sa.Column("reserved", Micro(), server_default="0", nullable=False),
        sa.Column("since", UtcTime(), nullable=False),
        sa.Column("moved_at", UtcTime(), nullable=False),
        sa.CheckConstraint("NOT internal OR quantity >= 0", name="ck_quant_not_negative"),
        sa.CheckConstraint("reserved >= 0 AND (reserved = 0 OR reserved <= quantity)", name="ck_quant_reserved"),
        sa.ForeignKeyConstraint(["location_id"], ["location.id"], name="fk_quant_location_id"),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.id"], name="fk_quant_lot_id"),
        sa.ForeignKeyConstraint(["owner_id"], ["party.id"], name="fk_quant_owner_id"),
        sa.ForeignKeyConstraint(["product_id"], ["product.id"], name="fk_quant_product_id"),
        sa.ForeignKeyConstraint(["unit_id"], ["handling_unit.id"], name="fk_quant_unit_id"),
        sa.PrimaryKeyConstraint("id", name="pk_quant"),
        sa.UniqueConstraint("key", name="uq_quant_key"),
    )
    op.create_index("ix_quant_internal", "quant", ["internal", "id"], unique=False)
    op.create_index("ix_quant_location_id", "quant", ["location_id"], unique=False)
    op.create_index("ix_quant_lot_id", "quant", ["lot_id"], unique=False)
    op.create_index("ix_quant_owner_id_internal", "quant", ["owner_id", "internal"], unique=False)
    op.create_index("ix_quant_product_id_internal", "quant", ["product_id", "internal"], unique=False)
    op.create_index("ix_quant_unit_id", "quant", ["unit_id"], unique=False)


def _triggers() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("update", "delete"):
            op.execute(
                f"CREATE TRIGGER move_no_{verb} BEFORE {verb.upper()} ON move "
                "BEGIN SELECT RAISE(ABORT, 'move rows are never changed'); END"
            )
    else:
        op.execute(
            "CREATE TRIGGER move_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON move "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("update", "delete"):
            op.execute(f"DROP TRIGGER move_no_{verb}")
    else:
        op.execute("DROP TRIGGER move_no_change ON move")
    for table in ("line_bucket", "reservation", "quant", "move", "lot", "handling_unit"):
        op.drop_table(table)
