"""Roles with their grants, who holds them where, keys of programs, passkeys, and further ways of knowing a person."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from cloud.db.types import Json, UtcTime
from cloud.people.builtin import BUILTIN

revision = "r0010"
down_revision = "r0009"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
USER = sa.table("user", sa.column("id", sa.BigInteger), sa.column("role", sa.Text))


def upgrade() -> None:
    _widen()
    role, grant, held = _roles()
    _keys()
    op.create_table(
        "passkey",
        sa.Column("id", KEY, primary_key=True),
        _of("user"),
        sa.Column("credential", sa.LargeBinary(), nullable=False, unique=True),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("transports", Json, nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("last_used_at", UtcTime()),
        sa.Column("doubted_at", UtcTime()),
    )
    op.create_index("ix_passkey_user_id", "passkey", ["user_id"])
    op.create_table(
        "ticket",
        sa.Column("secret_hash", sa.Text(), primary_key=True),
        sa.Column("purpose", sa.Text(), nullable=False),
        _of("user", nullable=True),
        sa.Column("data", Json, nullable=False),
        sa.Column("expires_at", UtcTime(), nullable=False),
    )
    op.create_index("ix_ticket_user_id", "ticket", ["user_id"])
    op.create_index("ix_ticket_expires_at", "ticket", ["expires_at"])
    _fill(role, grant, held)


def downgrade() -> None:
    for name in ("ticket", "passkey", "api_key_role", "api_key", "user_role", "role_grant", "role"):
        op.drop_table(name)
    with op.batch_alter_table("web_session") as table:
        for name in ("device", "method", "proved_at"):
            table.drop_column(name)
    with op.batch_alter_table("user") as table:
        for name in ("uq_user_badge_hash", "uq_user_mail", "uq_user_oidc_issuer_oidc_subject"):
            table.drop_constraint(name, type_="unique")
        for name in ("badge_hash", "must_change_password", "mail", "phone", "oidc_issuer", "oidc_subject"):
            table.drop_column(name)


def _widen() -> None:
    with op.batch_alter_table("user") as table:
        for name in ("badge_hash", "mail", "phone", "oidc_issuer", "oidc_subject"):
            table.add_column(sa.Column(name, sa.Text()))
        table.add_column(sa.Column("must_change_password", sa.Boolean(), nullable=False, server_default=sa.false()))
        table.create_unique_constraint("uq_user_badge_hash", ["badge_hash"])
        table.create_unique_constraint("uq_user_mail", ["mail"])
        table.create_unique_constraint("uq_user_oidc_issuer_oidc_subject", ["oidc_issuer", "oidc_subject"])
    op.add_column("web_session", sa.Column("device", sa.Text(), nullable=False, server_default=""))
    op.add_column("web_session", sa.Column("method", sa.Text(), nullable=False, server_default="password"))
    op.add_column("web_session", sa.Column("proved_at", UtcTime()))


def _of(table: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(f"{table}_id", KEY, sa.ForeignKey(f"{table}.id", ondelete="CASCADE"), nullable=nullable)


def _roles() -> tuple[sa.Table, sa.Table, sa.Table]:
    role = op.create_table(
        "role",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("key", sa.Text(), nullable=False, unique=True),
        sa.Column("label_en", sa.Text(), nullable=False),
        sa.Column("label_he", sa.Text(), nullable=False),
        sa.Column("builtin", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("version", sa.BigInteger(), nullable=False, server_default="1"),
    )
    grant = op.create_table(
        "role_grant",
        sa.Column("id", KEY, primary_key=True),
        _of("role"),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("kind", "action")),
        *(sa.Column(name, sa.Text(), nullable=False, server_default="") for name in ("scope", "mask")),
        sa.UniqueConstraint("role_id", "kind", "action", "scope"),
    )
    held = op.create_table(
        "user_role",
        sa.Column("id", KEY, primary_key=True),
        _of("user"),
        _of("role"),
        sa.Column("site", sa.Text(), nullable=False, server_default=""),
        sa.UniqueConstraint("user_id", "role_id", "site"),
    )
    op.create_index("ix_user_role_role_id", "user_role", ["role_id"])
    return role, grant, held


def _keys() -> None:
    op.create_table(
        "api_key",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("prefix", sa.Text(), nullable=False, unique=True),
        sa.Column("secret_hash", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        _of("user", nullable=True),
        sa.Column("rate", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        *(sa.Column(name, UtcTime()) for name in ("expires_at", "revoked_at", "last_used_at")),
    )
    op.create_index("ix_api_key_user_id", "api_key", ["user_id"])
    op.create_table(
        "api_key_role",
        sa.Column("id", KEY, primary_key=True),
        _of("api_key"),
        _of("role"),
        sa.Column("site", sa.Text(), nullable=False, server_default=""),
        sa.UniqueConstraint("api_key_id", "role_id", "site"),
    )
    op.create_index("ix_api_key_role_role_id", "api_key_role", ["role_id"])


def _fill(role: sa.Table, grant: sa.Table, held: sa.Table) -> None:
    """The roles of the program, and for everybody who is there the one that they had."""
    connection = op.get_bind()
    ids: dict[str, int] = {}
    for one in BUILTIN:
        values = {"key": one.key, "label_en": one.label_en, "label_he": one.label_he, "builtin": True}
        ids[one.key] = connection.execute(sa.insert(role).values(**values).returning(role.c.id)).scalar_one()
        rows = [
            {"role_id": ids[one.key], "kind": each.kind, "action": each.action, "scope": each.scope, "mask": each.mask}
            for each in one.grants
        ]
        op.bulk_insert(grant, rows)
    people = connection.execute(sa.select(USER.c.id, USER.c.role)).all()
    op.bulk_insert(held, [{"user_id": user, "role_id": ids[key], "site": ""} for user, key in people])
