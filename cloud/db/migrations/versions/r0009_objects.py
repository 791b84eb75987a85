"""Definitions, records of customers' own objects, links, saved views."""

import sqlalchemy as sa
from alembic import op

from cloud.db.types import Json, UtcTime

revision = "r0009"
down_revision = "r0008"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _record()
    _link()
    _definitions()


def _record() -> None:
    op.create_table(
        "record",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=True),
        sa.Column("phase", sa.Text(), nullable=True),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("data", Json, server_default="{}", nullable=False),
        sa.Column("id", KEY, primary_key=True),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("archived", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("updated_at", UtcTime(), nullable=True),
        sa.Column("updated_by", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("source_key", sa.Text(), nullable=True),
        sa.UniqueConstraint("uid", name="uq_record_uid"),
        sa.UniqueConstraint("kind", "ref", name="uq_record_kind_ref"),
        sa.UniqueConstraint("kind", "source", "source_key", name="uq_record_kind_source_source_key"),
    )
    op.create_index("ix_record_kind_id", "record", ["kind", "id"])
    for column in ("state", "title", "updated_at", "owner"):
        op.create_index(f"ix_record_kind_{column}_id", "record", ["kind", column, "id"])
    op.create_index("ix_record_source_key", "record", ["source_key"])


def _link() -> None:
    op.create_table(
        "link",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("from_kind", sa.Text(), nullable=False),
        sa.Column("from_id", sa.BigInteger(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("to_kind", sa.Text(), nullable=False),
        sa.Column("to_id", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint(
            "from_kind", "from_id", "role", "to_kind", "to_id", name="uq_link_from_kind_from_id_role_to_kind_to_id"
        ),
    )
    op.create_index("ix_link_to_kind_to_id", "link", ["to_kind", "to_id"])


def _definitions() -> None:
    op.create_table(
        "object_def",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("carried", Json, nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.UniqueConstraint("key", "version", name="uq_object_def_key_version"),
    )
    op.create_table(
        "saved_view",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.Column("query", Json, nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.UniqueConstraint("uid", name="uq_saved_view_uid"),
        sa.UniqueConstraint("kind", "owner", "name", name="uq_saved_view_kind_owner_name"),
    )


def downgrade() -> None:
    for table in ("saved_view", "object_def", "link", "record"):
        op.drop_table(table)
