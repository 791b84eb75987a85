"""The program's roles learn of stock and its documents, and of what can be done to a receipt now."""

import sqlalchemy as sa
from alembic import op

from cloud.people.builtin import BUILTIN

revision = "r0021"
down_revision = "r0020"
branch_labels = None
depends_on = None

KINDS = ("quant", "move", "lot", "handling_unit", "transfer", "transfer_line", "count_sheet", "count_line")
STEPS = tuple(f"transition:{name}" for name in ("undecide", "release", "reject", "complete", "reverse"))

ROLE = sa.table("role", sa.column("id"), sa.column("key"), sa.column("builtin"))
GRANT = sa.table("role_grant", *(sa.column(name) for name in ("role_id", "kind", "action", "scope", "mask")))


def upgrade() -> None:
    connection = op.get_bind()
    ids = {key: row for row, key in connection.execute(sa.select(ROLE.c.id, ROLE.c.key).where(ROLE.c.builtin))}
    there = {tuple(row) for row in connection.execute(sa.select(GRANT.c.role_id, GRANT.c.kind, GRANT.c.action))}
    rows = [
        {"role_id": ids[one.key], "kind": each.kind, "action": each.action, "scope": each.scope, "mask": each.mask}
        for one in BUILTIN
        for each in one.grants
        if one.key in ids
        and (each.kind in KINDS or (each.kind == "receipt" and each.action in STEPS))
        and (ids[one.key], each.kind, each.action) not in there
    ]
    if rows:
        op.bulk_insert(GRANT, rows)


def downgrade() -> None:
    of_receipts = (GRANT.c.kind == "receipt") & GRANT.c.action.in_(STEPS)
    op.execute(sa.delete(GRANT).where(GRANT.c.kind.in_(KINDS) | of_receipts))
