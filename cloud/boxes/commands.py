"""Commands to boxes: issued once, handed over in every session until a result comes, ended by the box's own record of it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, Text, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from cloud.boxes.models import Box
from cloud.boxes.received import Received
from cloud.db.base import Base
from cloud.db.types import BIGGEST, Big, Json, UtcTime
from cloud.errors import Forbidden, NotFound, Refused
from cloud.kernel.actor import SYSTEM, Actor, Taken
from cloud.kernel.events import append_event, record_refusal
from cloud.kernel.models import Stateful
from cloud.kernel.transition import Machine, Transition, transition
from cloud.people.models import Role
from sync_protocol import commands as contract
from sync_protocol.commands import MAX_COMMAND_BYTES
from sync_protocol.entries import CommandEntry
from sync_protocol.errors import TextFault
from sync_protocol.ops import arguments
from sync_protocol.wiretext import clean

KIND = "command"

MAX_OPEN = 32
"""Commands of one box without a result. A person gives one at a time; a box that is away must not find hundreds."""

OPEN = frozenset({"waiting", "sent"})

_BY_ITSELF = frozenset({SYSTEM})
_TECHNICIANS = frozenset({Role.ADMIN.value, SYSTEM})
_STAFF = _TECHNICIANS | {Role.SUPERVISOR.value}
WHO_MAY: Mapping[str, frozenset[str]] = {"configure": _TECHNICIANS}
"""Operations that not everybody of `_STAFF` may ask for."""


class BoxCommand(Stateful, Base):
    """One command. States: waiting, sent, then what the box's record says (`COMMAND`)."""

    __tablename__ = "box_command"
    __table_args__ = (Index("ix_box_command_box_id_state", "box_id", "state"),)

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    """A ULID: the `cmd_id` of the wire."""
    box_id: Mapped[str] = mapped_column(ForeignKey("box.id"))
    op: Mapped[str] = mapped_column(Text)
    args: Mapped[dict[str, Any]] = mapped_column(Json)
    created_by: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    not_after: Mapped[datetime] = mapped_column(UtcTime)
    lease: Mapped[int | None] = mapped_column(Big)
    """Under which it was handed over last."""
    sent_at: Mapped[datetime | None] = mapped_column(UtcTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcTime)
    detail: Mapped[str | None] = mapped_column(Text)
    result: Mapped[dict[str, Any] | None] = mapped_column(Json)
    run: Mapped[str | None] = mapped_column(Text)
    """Run and number of the entry that tells the result."""
    seq: Mapped[int | None] = mapped_column(Big)

    @property
    def ref(self) -> str:
        return self.id


COMMAND: Machine[BoxCommand] = Machine(
    kind=KIND,
    initial="waiting",
    transitions=(
        Transition("send", frozenset({"waiting"}), "sent", _BY_ITSELF),
        Transition("lapse", frozenset({"waiting"}), "expired", _BY_ITSELF),
        *(
            Transition(outcome, OPEN, outcome, _BY_ITSELF)
            for outcome in ("done", "refused", "failed", "fenced", "expired", "interrupted")
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be done by whom, and until when."""

    id: str
    box: str
    op: str
    args: Mapping[str, Any]
    not_after: datetime


async def issue_command(session: AsyncSession, taken: Taken, order: Order) -> BoxCommand:
    """Put a command down for a box; it is handed over in its next session, or at once where one is open.

    Raises Forbidden, NotFound, or Refused: `command_unfit` (operation or arguments), `command_late`, `command_too_large`,
    `commands_full`.
    """
    if taken.actor.role not in WHO_MAY.get(order.op, _STAFF):
        raise Forbidden("forbidden", action=f"command {order.op}", role=taken.actor.role)
    box = await session.get(Box, order.box, with_for_update=True)
    if box is None:
        raise NotFound("box", order.box)
    args = _checked(order)
    if order.not_after <= taken.at:
        raise Refused("command_late", not_after=order.not_after.isoformat())
    waiting = select(func.count(BoxCommand.id)).where(BoxCommand.box_id == box.id, BoxCommand.state.in_(OPEN))
    if (await session.scalar(waiting) or 0) >= MAX_OPEN:
        raise Refused("commands_full", box=box.id, open=str(MAX_OPEN))
    row = BoxCommand(
        id=order.id,
        box_id=box.id,
        op=order.op,
        args=args,
        created_by=taken.actor.name,
        created_at=taken.at,
        not_after=order.not_after,
        state=COMMAND.initial,
    )
    session.add(row)
    # Arguments stay out of the log: a configuration is long, and the row keeps it.
    await append_event(session, taken, action="issue", kind=KIND, ref=row.id, changes={"box": box.id, "op": row.op})
    await session.flush()
    return row


def _checked(order: Order) -> dict[str, Any]:
    try:
        args = arguments(order.op, dict(order.args)).model_dump(mode="json")
    except TextFault as exc:
        raise Refused("command_unfit", reason=str(exc)) from exc
    if len(json.dumps(args, ensure_ascii=False).encode()) > MAX_COMMAND_BYTES - 1024:
        raise Refused("command_too_large", limit=str(MAX_COMMAND_BYTES))
    return args


async def open_ids(session: AsyncSession, boxes: Sequence[str]) -> dict[str, list[str]]:
    """Ids of the commands without a result, oldest first, by box."""
    found: dict[str, list[str]] = {}
    rows = await session.execute(
        select(BoxCommand.box_id, BoxCommand.id)
        .where(BoxCommand.box_id.in_(boxes), BoxCommand.state.in_(OPEN))
        .order_by(BoxCommand.id)
    )
    for box, command in rows:
        found.setdefault(box, []).append(command)
    return found


async def hand_over(
    session: AsyncSession, *, box: str, lease: int, ids: Sequence[str], now: datetime
) -> list[contract.Command]:
    """The commands among `ids` as they go to the box now, noted as sent. None when `lease` is not the box's newest any more.

    One that nobody was told of in time is ended here as expired. One that was sent before goes again however late: the box's
    answer tells what became of it.
    """
    holder = await session.get(Box, box, with_for_update=True, populate_existing=True)
    if holder is None or holder.lease != lease:
        return []
    rows = await session.scalars(
        select(BoxCommand)
        .where(BoxCommand.id.in_(ids), BoxCommand.box_id == box, BoxCommand.state.in_(OPEN))
        .order_by(BoxCommand.id)
        .with_for_update()
    )
    given: list[contract.Command] = []
    taken = Taken(Actor.system("commands"), now)
    for row in rows.all():
        if row.state == "waiting" and now >= row.not_after:
            await transition(session, COMMAND, row, "lapse", taken)
            row.ended_at = now
            continue
        if row.state == "waiting":
            await transition(session, COMMAND, row, "send", taken)
        row.lease, row.sent_at = lease, now
        given.append(_on_the_wire(row, lease))
    return given


def _on_the_wire(row: BoxCommand, lease: int) -> contract.Command:
    return contract.Command(cmd_id=row.id, lease=lease, not_after=row.not_after.isoformat(), op=row.op, args=row.args)


async def record_result(session: AsyncSession, received: Received) -> None:
    """Take the box's record of a command. The first one counts; another box's, an unknown or a second one is only logged.

    `fenced` ends a command only when it speaks of the lease that it was handed over under last: it may lie in a newer session.
    """
    entry = received.entry
    if not isinstance(entry, CommandEntry):
        return
    taken = Taken(Actor.box(received.box), received.received_at)
    at = f"{received.run}:{received.seq}"
    row = await session.get(BoxCommand, clean(entry.cmd_id)[:40], with_for_update=True, populate_existing=True)
    if row is None or row.box_id != received.box:
        await record_refusal(session, taken, action="result_unknown", kind=KIND, ref=clean(entry.cmd_id)[:40], found=at)
        return
    if (row.run, row.seq) == (received.run, received.seq):
        return
    stale = entry.outcome == "fenced" and entry.lease != row.lease
    if row.state not in OPEN or stale:
        action = "result_fenced" if stale else "result_again"
        await record_refusal(session, taken, action=action, kind=KIND, ref=row.id, found=f"{entry.outcome} {at}")
        return
    await transition(session, COMMAND, row, entry.outcome, taken)
    row.run, row.seq, row.ended_at = received.run, min(received.seq, BIGGEST), received.received_at
    row.detail = None if entry.detail is None else clean(entry.detail)
    row.result = entry.data
    await session.flush()


async def commands_of(session: AsyncSession, box: str, limit: int) -> Sequence[BoxCommand]:
    """The newest commands of a box, newest first. Raises NotFound."""
    if await session.get(Box, box) is None:
        raise NotFound("box", box)
    rows = await session.scalars(select(BoxCommand).where(BoxCommand.box_id == box).order_by(BoxCommand.id.desc()).limit(limit))
    return rows.all()
