"""When things truly happened: anchors of box clocks, and the boots of runs; both found in what is stored already."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "r0003"
down_revision = "r0002"
branch_labels = None
depends_on = None

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
BIGGEST = (1 << 63) - 1
MAX_BOOT_ID = 64

Row = dict[str, Any] | None


def upgrade() -> None:
    anchor = op.create_table(
        "anchor",
        sa.Column("run", sa.Text(), primary_key=True),
        sa.Column("seq", sa.BigInteger(), primary_key=True),
        sa.Column("box_id", sa.Text(), sa.ForeignKey("box.id"), nullable=False),
        sa.Column("boot_id", sa.Text(), nullable=False),
        sa.Column("mono_ns", sa.BigInteger(), nullable=False),
        sa.Column("srv_ns", sa.BigInteger(), nullable=False),
        sa.Column("rtt_ns", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_anchor_boot", "anchor", ["box_id", "boot_id", "mono_ns"])
    run_clock = op.create_table(
        "run_clock",
        sa.Column("run", sa.Text(), primary_key=True),
        sa.Column("box_id", sa.Text(), sa.ForeignKey("box.id"), nullable=False),
        sa.Column("boot_id", sa.Text(), nullable=False),
        sa.Column("mono_ns", sa.BigInteger(), nullable=False),
    )
    _fill(anchor, "kind = 'anchor'", _anchor)
    _fill(run_clock, "seq = 0 AND kind = 'run'", _boot)


def downgrade() -> None:
    op.drop_table("run_clock")
    op.drop_table("anchor")


def _fill(table: sa.Table, which: str, row_of: Callable[..., Row]) -> None:
    connection = op.get_bind()
    found = connection.execute(sa.text(f"SELECT run, seq, box_id, content FROM entry WHERE {which}"))
    for part in found.partitions(500):
        rows = [row for one in part if (row := row_of(*one)) is not None]
        if rows:
            connection.execute(table.insert(), rows)


def _boot(run: str, seq: int, box_id: str, content: bytes) -> Row:
    entry = json.loads(bytes(content))
    boot_id, mono_ns = entry.get("boot_id"), entry.get("mono_ns")
    if type(mono_ns) is not int or not 0 <= mono_ns <= BIGGEST or len(boot_id) > MAX_BOOT_ID or "\x00" in boot_id:
        return None
    return {"run": run, "box_id": box_id, "boot_id": boot_id, "mono_ns": mono_ns}


def _anchor(run: str, seq: int, box_id: str, content: bytes) -> Row:
    boot, entry = _boot(run, seq, box_id, content), json.loads(bytes(content))
    rtt_ns = entry.get("rtt_ns")
    try:
        at = datetime.fromisoformat(entry["srv_time"])
    except ValueError:
        return None
    if boot is None or at.tzinfo is None or type(rtt_ns) is not int or not 0 <= rtt_ns <= boot["mono_ns"]:
        return None
    srv_ns = (at - EPOCH) // timedelta(microseconds=1) * 1000
    return boot | {"seq": seq, "srv_ns": srv_ns, "rtt_ns": rtt_ns} if abs(srv_ns) <= BIGGEST else None
