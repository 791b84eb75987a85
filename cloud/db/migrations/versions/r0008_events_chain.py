"""The audit log becomes a chain: rows that are there get their hashes in the order they were written."""

import hashlib
import json
from datetime import UTC

import sqlalchemy as sa
from alembic import op

from cloud.db.types import Json, UtcTime

revision = "r0008"
down_revision = "r0007"
branch_labels = None
depends_on = None

EVENT = sa.table(
    "event",
    sa.column("id", sa.BigInteger),
    sa.column("at", UtcTime()),
    *(sa.column(name, sa.Text) for name in ("actor_kind", "actor", "via", "action", "kind", "ref", "reason", "request_id", "chain", "hash")),
    sa.column("changes", Json),
)
SAID = ("id", "actor_kind", "actor", "via", "action", "kind", "ref", "changes", "reason", "request_id", "chain")


def upgrade() -> None:
    _free()
    op.add_column("event", sa.Column("chain", sa.Text(), nullable=True))
    op.add_column("event", sa.Column("hash", sa.Text(), nullable=True))
    head = op.create_table(
        "event_head",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
    )
    last, found = _link_all()
    op.bulk_insert(head, [{"id": 1, "last": last, "hash": found}])
    with op.batch_alter_table("event") as table:
        table.alter_column("hash", existing_type=sa.Text(), nullable=False)
    _guard()


def _link_all() -> tuple[int, str]:
    """Numbers without gaps, as later rows have them, and the hashes."""
    connection = op.get_bind()
    before, last = hashlib.sha256(b"tallybox audit log 1").hexdigest(), 0
    for (old,) in connection.execute(sa.select(EVENT.c.id).order_by(EVENT.c.id)).all():
        last += 1
        row = connection.execute(sa.select(EVENT).where(EVENT.c.id == old)).mappings().one()
        content = {name: row[name] for name in SAID} | {"id": last, "at": row["at"].astimezone(UTC).isoformat(timespec="microseconds")}
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        before = hashlib.sha256(f"{before}\n{text}".encode()).hexdigest()
        connection.execute(sa.update(EVENT).where(EVENT.c.id == old).values(id=last, hash=before))
    return last, before


def downgrade() -> None:
    _free()
    op.drop_table("event_head")
    with op.batch_alter_table("event") as table:
        table.drop_column("hash")
        table.drop_column("chain")
    _guard()


def _free() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("update", "delete"):
            op.execute(f"DROP TRIGGER event_no_{verb}")
    else:
        op.execute("DROP TRIGGER event_no_change ON event")


def _guard() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("update", "delete"):
            op.execute(
                f"CREATE TRIGGER event_no_{verb} BEFORE {verb.upper()} ON event "
                "BEGIN SELECT RAISE(ABORT, 'event rows are never changed'); END"
            )
    else:
        op.execute(
            "CREATE TRIGGER event_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON event "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
