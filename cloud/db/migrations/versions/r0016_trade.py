"""Notices, packaging, containers, how grave checks are here, and how far orders have come."""

import sqlalchemy as sa
from alembic import op

from cloud.db.types import Json, Key, Micro, UtcTime
from cloud.people.builtin import BUILTIN

revision = "r0016"
down_revision = "r0015"
branch_labels = None
depends_on = None

NEW = ("container_event", "container", "shipping_notice_line", "shipping_notice", "check_setting", "packaging", "box_range")
"""In an order that foreign keys allow."""

KINDS = ("notice", "notice_line", "packaging", "check_setting", "container", "container_event")

SAID = (
    "uid", "number", "code", "certainty", "at", "location_id", "place", "vehicle", "driver", "seal", "weight", "laden",
    "condition", "photos", "note", "said_by", "by", "box_id", "paper_no", "run", "seq",
)
"""Columns of an event that never change."""


def upgrade() -> None:
    _orders()
    _packaging()
    _box_range()
    _check_setting()
    _shipping_notice()
    _shipping_notice_line()
    _container()
    _container_event()
    _append_only()
    _grants()


def downgrade() -> None:
    grant = sa.table("role_grant", sa.column("kind"))
    op.execute(sa.delete(grant).where(grant.c.kind.in_(KINDS)))
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("update", "delete"):
            op.execute(f"DROP TRIGGER container_event_no_{verb}")
    else:
        for verb in ("update", "delete"):
            op.execute(f"DROP TRIGGER container_event_no_{verb} ON container_event")
    for table in NEW:
        op.drop_table(table)
    for name in ("over_tolerance", "under_tolerance", "closed", "closed_reason"):
        op.drop_column("order_line", name)
    op.drop_index("ix_purchase_order_progress", "purchase_order")
    for name in ("progress", "owner_id"):
        op.drop_column("purchase_order", name)


# --- orders ------------------------------------------------------------------------------------------------------------------


def _orders() -> None:
    # Said in SQL that both know: alembic adds a key to an old table of SQLite only by making the table anew.
    kind = "INTEGER" if op.get_bind().dialect.name == "sqlite" else "BIGINT"
    constraint = "CONSTRAINT fk_purchase_order_owner_id REFERENCES party (id)"
    op.execute(f"ALTER TABLE purchase_order ADD COLUMN owner_id {kind} {constraint}")
    op.add_column("purchase_order", sa.Column("progress", sa.Text(), nullable=False, server_default="open"))
    op.create_index("ix_purchase_order_progress", "purchase_order", ["progress"])
    for name in ("over_tolerance", "under_tolerance"):
        op.add_column("order_line", sa.Column(name, Micro(), nullable=True))
    op.add_column("order_line", sa.Column("closed", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("order_line", sa.Column("closed_reason", sa.Text(), nullable=True))
    # What was received before is somewhere between nothing and all: the exact word is written with the next posting.
    op.execute(
        "UPDATE purchase_order SET progress = 'partly_received' "
        "WHERE id IN (SELECT order_id FROM order_line WHERE CAST(received AS NUMERIC) > 0)"
    )
    op.execute(
        "UPDATE purchase_order SET progress = 'received' WHERE progress = 'partly_received' AND id NOT IN "
        "(SELECT order_id FROM order_line WHERE CAST(received AS NUMERIC) < CAST(quantity AS NUMERIC))"
    )


# --- new tables --------------------------------------------------------------------------------------------------------------


def _create(name: str, *columns: sa.Column[object] | sa.Constraint) -> None:
    """A table with what every table has whose rows people make."""
    op.create_table(
        name,
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
        *columns,
        sa.PrimaryKeyConstraint("id", name=f"pk_{name}"),
        sa.UniqueConstraint("uid", name=f"uq_{name}_uid"),
        sa.UniqueConstraint("source", "source_key", name=f"uq_{name}_source_source_key"),
    )
    op.create_index(f"ix_{name}_source_key", name, ["source_key"])


def _packaging() -> None:
    _create(
        "packaging",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_he", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("tare", Micro(), nullable=False),
        sa.CheckConstraint("tare >= 0", name=op.f("ck_packaging_tare")),
        sa.UniqueConstraint("code", name="uq_packaging_code"),
    )


def _box_range() -> None:
    op.create_table(
        "box_range",
        sa.Column("box_id", sa.Text(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["box_id"], ["box.id"], name="fk_box_range_box_id"),
        sa.PrimaryKeyConstraint("box_id", name="pk_box_range"),
        sa.UniqueConstraint("prefix", name="uq_box_range_prefix"),
    )


def _check_setting() -> None:
    _create(
        "check_setting",
        sa.Column("check", sa.Text(), nullable=False),
        sa.Column("product_id", Key, nullable=True),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("decide_roles", Json, server_default="[]", nullable=False),
        sa.Column("needs_other_person", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.ForeignKeyConstraint(["product_id"], ["product.id"], name="fk_check_setting_product_id"),
        sa.UniqueConstraint("check", "product_id", name="uq_check_setting_check_product_id"),
    )
    op.create_index("ix_check_setting_product_id", "check_setting", ["product_id"])
    of_all = sa.text("product_id IS NULL")
    op.create_index(
        "uq_check_setting_of_all", "check_setting", ["check"], unique=True, sqlite_where=of_all, postgresql_where=of_all
    )


def _shipping_notice() -> None:
    _create(
        "shipping_notice",
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("supplier_id", Key, nullable=False),
        sa.Column("owner_id", Key, nullable=True),
        sa.Column("order_id", Key, nullable=True),
        sa.Column("site_id", Key, nullable=False),
        sa.Column("document_no", sa.Text(), nullable=True),
        sa.Column("carrier_id", Key, nullable=True),
        sa.Column("vehicle", sa.Text(), nullable=True),
        sa.Column("container_no", sa.Text(), nullable=True),
        sa.Column("seals", Json, server_default="[]", nullable=False),
        sa.Column("shipped_at", UtcTime(), nullable=True),
        sa.Column("expected_at", UtcTime(), nullable=True),
        sa.Column("arrived_at", UtcTime(), nullable=True),
        sa.Column("weight", Micro(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["carrier_id"], ["party.id"], name="fk_shipping_notice_carrier_id"),
        sa.ForeignKeyConstraint(["order_id"], ["purchase_order.id"], name="fk_shipping_notice_order_id"),
        sa.ForeignKeyConstraint(["owner_id"], ["party.id"], name="fk_shipping_notice_owner_id"),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name="fk_shipping_notice_site_id"),
        sa.ForeignKeyConstraint(["supplier_id"], ["party.id"], name="fk_shipping_notice_supplier_id"),
        sa.UniqueConstraint("ref", name="uq_shipping_notice_ref"),
    )
    op.create_index("ix_shipping_notice_container_no", "shipping_notice", ["container_no"])
    op.create_index("ix_shipping_notice_expected_at", "shipping_notice", ["expected_at"])
    op.create_index("ix_shipping_notice_order_id", "shipping_notice", ["order_id"])
    op.create_index("ix_shipping_notice_site_id_state", "shipping_notice", ["site_id", "state"])
    op.create_index("ix_shipping_notice_state", "shipping_notice", ["state"])
    op.create_index("ix_shipping_notice_supplier_id", "shipping_notice", ["supplier_id"])


def _shipping_notice_line() -> None:
    _create(
        "shipping_notice_line",
        sa.Column("notice_id", Key, nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.Column("order_line_id", Key, nullable=True),
        sa.Column("product_id", Key, nullable=False),
        sa.Column("quantity", Micro(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("lot", sa.Text(), nullable=True),
        sa.Column("expires_on", sa.Date(), nullable=True),
        sa.Column("serials", Json, server_default="[]", nullable=False),
        sa.Column("sscc", sa.Text(), nullable=True),
        sa.Column("weight", Micro(), nullable=True),
        sa.Column("received", Micro(), server_default="0", nullable=False),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_shipping_notice_line_quantity")),
        sa.CheckConstraint("received >= 0", name=op.f("ck_shipping_notice_line_received")),
        sa.ForeignKeyConstraint(["notice_id"], ["shipping_notice.id"], name="fk_shipping_notice_line_notice_id"),
        sa.ForeignKeyConstraint(["order_line_id"], ["order_line.id"], name="fk_shipping_notice_line_order_line_id"),
        sa.ForeignKeyConstraint(["product_id"], ["product.id"], name="fk_shipping_notice_line_product_id"),
        sa.UniqueConstraint("notice_id", "line", name="uq_shipping_notice_line_notice_id_line"),
    )
    op.create_index("ix_shipping_notice_line_order_line_id", "shipping_notice_line", ["order_line_id"])
    op.create_index("ix_shipping_notice_line_product_id", "shipping_notice_line", ["product_id"])
    op.create_index("ix_shipping_notice_line_sscc", "shipping_notice_line", ["sscc"])


def _container() -> None:
    _create(
        "container",
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("number_reason", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("visit", sa.Integer(), server_default="1", nullable=False),
        sa.Column("iso_type", sa.Text(), nullable=True),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("line", sa.Text(), nullable=True),
        sa.Column("client_id", Key, nullable=True),
        sa.Column("booking", sa.Text(), nullable=True),
        sa.Column("bill", sa.Text(), nullable=True),
        sa.Column("site_id", Key, nullable=False),
        sa.Column("location_id", Key, nullable=True),
        sa.Column("handling_unit_id", Key, nullable=True),
        sa.Column("seals", Json, server_default="[]", nullable=False),
        sa.Column("holds", Json, server_default="[]", nullable=False),
        sa.Column("laden", sa.Boolean(), nullable=True),
        sa.Column("condition", sa.Text(), server_default="good", nullable=False),
        sa.Column("gross", Micro(), nullable=True),
        sa.Column("tare", Micro(), nullable=True),
        sa.Column("vehicle", sa.Text(), nullable=True),
        sa.Column("driver", sa.Text(), nullable=True),
        sa.Column("expected_at", UtcTime(), nullable=True),
        sa.Column("free_until", UtcTime(), nullable=True),
        sa.CheckConstraint("tare >= 0", name=op.f("ck_container_tare")),
        sa.ForeignKeyConstraint(["client_id"], ["party.id"], name="fk_container_client_id"),
        sa.ForeignKeyConstraint(["handling_unit_id"], ["handling_unit.id"], name="fk_container_handling_unit_id"),
        sa.ForeignKeyConstraint(["location_id"], ["location.id"], name="fk_container_location_id"),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name="fk_container_site_id"),
        sa.UniqueConstraint("number", name="uq_container_number"),
    )
    op.create_index("ix_container_client_id", "container", ["client_id"])
    op.create_index("ix_container_site_id_state", "container", ["site_id", "state"])
    op.create_index("ix_container_state", "container", ["state"])


def _container_event() -> None:
    _create(
        "container_event",
        sa.Column("container_id", Key, nullable=True),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("visit", sa.Integer(), server_default="1", nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("certainty", sa.Text(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("location_id", Key, nullable=True),
        sa.Column("place", sa.Text(), nullable=True),
        sa.Column("vehicle", sa.Text(), nullable=True),
        sa.Column("driver", sa.Text(), nullable=True),
        sa.Column("seal", sa.Text(), nullable=True),
        sa.Column("weight", Micro(), nullable=True),
        sa.Column("laden", sa.Boolean(), nullable=True),
        sa.Column("condition", sa.Text(), server_default="good", nullable=False),
        sa.Column("photos", Json, server_default="[]", nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("said_by", sa.Text(), server_default="user", nullable=False),
        sa.Column("by", sa.Text(), nullable=True),
        sa.Column("box_id", sa.Text(), nullable=True),
        sa.Column("paper_no", sa.Text(), nullable=True),
        sa.Column("run", sa.Text(), nullable=True),
        sa.Column("seq", sa.BigInteger(), nullable=True),
        sa.Column("review_reason", sa.Text(), nullable=True),
        sa.Column("review_detail", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["box_id"], ["box.id"], name="fk_container_event_box_id"),
        sa.ForeignKeyConstraint(["container_id"], ["container.id"], name="fk_container_event_container_id"),
        sa.ForeignKeyConstraint(["location_id"], ["location.id"], name="fk_container_event_location_id"),
    )
    op.create_index("ix_container_event_container_id_at", "container_event", ["container_id", "at"])
    op.create_index("ix_container_event_number", "container_event", ["number"])
    op.create_index("ix_container_event_state", "container_event", ["state"])


def _append_only() -> None:
    """What was said of an event stays; that somebody looked at it may be added."""
    if op.get_bind().dialect.name == "sqlite":
        refuse = "BEGIN SELECT RAISE(ABORT, 'container_event rows are never changed'); END"
        columns = ", ".join(f'"{name}"' for name in SAID)
        op.execute(f"CREATE TRIGGER container_event_no_update BEFORE UPDATE OF {columns} ON container_event {refuse}")
        op.execute(f"CREATE TRIGGER container_event_no_delete BEFORE DELETE ON container_event {refuse}")
        return
    columns = ", ".join(f'"{name}"' for name in SAID)
    run = "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    op.execute(f"CREATE TRIGGER container_event_no_update BEFORE UPDATE OF {columns} ON container_event {run}")
    op.execute(f"CREATE TRIGGER container_event_no_delete BEFORE DELETE OR TRUNCATE ON container_event {run}")


def _grants() -> None:
    """The program's roles learn of the new kinds; what an admin changed since is left as it is."""
    role = sa.table("role", sa.column("id"), sa.column("key"), sa.column("builtin"))
    grant = sa.table("role_grant", *(sa.column(name) for name in ("role_id", "kind", "action", "scope", "mask")))
    connection = op.get_bind()
    ids = {key: row for row, key in connection.execute(sa.select(role.c.id, role.c.key).where(role.c.builtin))}
    there = {tuple(row) for row in connection.execute(sa.select(grant.c.role_id, grant.c.kind, grant.c.action))}
    rows = [
        {"role_id": ids[one.key], "kind": each.kind, "action": each.action, "scope": each.scope, "mask": each.mask}
        for one in BUILTIN
        for each in one.grants
        if each.kind in KINDS and one.key in ids and (ids[one.key], each.kind, each.action) not in there
    ]
    op.bulk_insert(grant, rows)
