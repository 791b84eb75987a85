"""States of transfers and of their lines, what has to hold for each step between them, and what it does to stock."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from cloud.errors import GuardFailed
from cloud.kernel.actor import SYSTEM, Taken
from cloud.kernel.models import Event
from cloud.kernel.transition import Guard, Machine, Transition, transition
from cloud.people.models import Role
from cloud.stock import ledger
from cloud.stock.models import Move
from cloud.transfers import naming
from cloud.transfers.asking import DOCUMENT, Asking, document_of
from cloud.transfers.models import (
    CUSTOMER_RETURN,
    INTERNAL,
    OWNERSHIP,
    PUT_AWAY,
    SCRAP,
    SUPPLIER_RETURN,
    Transfer,
    TransferLine,
)

_STAFF = frozenset({Role.ADMIN, Role.SUPERVISOR})
_ANYONE = _STAFF | {Role.OPERATOR}
_PROGRAM = frozenset({SYSTEM})

DONE = frozenset({"posted", "shipped", "received", "closed"})
"""States of a transfer whose goods have moved."""


def by_program(taken: Taken) -> Taken:
    """The same person's act, in a step that only the program takes."""
    return replace(taken, actor=replace(taken.actor, role=SYSTEM), access=None)


async def lines_of(session: AsyncSession, transfer: Transfer) -> list[TransferLine]:
    """The lines as they are now, locked in their order."""
    rows = await session.scalars(
        select(TransferLine)
        .where(TransferLine.transfer_id == transfer.id, TransferLine.archived.is_(False))
        .order_by(TransferLine.number)
        .with_for_update(of=TransferLine)
        .execution_options(populate_existing=True)
    )
    return list(rows.all())


async def _has_lines(session: AsyncSession, transfer: Transfer) -> None:
    line = await session.scalar(
        select(TransferLine.id).where(TransferLine.transfer_id == transfer.id, TransferLine.archived.is_(False)).limit(1)
    )
    if line is None:
        raise GuardFailed("transfer_without_lines", ref=transfer.ref)


def _of(*kinds: str, party: bool = False) -> Guard[Transfer]:
    """A guard: of one of these kinds, with lines, and (`party`) with somebody at the other side."""

    async def guard(session: AsyncSession, transfer: Transfer, _taken: Taken) -> None:
        if transfer.kind not in kinds:
            raise GuardFailed("not_for_this_kind", ref=transfer.ref)
        if party and transfer.party_id is None:
            raise GuardFailed("party_missing", ref=transfer.ref)
        await _has_lines(session, transfer)

    return guard


async def _second_person(session: AsyncSession, transfer: Transfer, taken: Taken) -> None:
    """Whoever wrote any of it down, or changed it since, does not hand the goods over."""
    await _of(OWNERSHIP, party=True)(session, transfer, taken)
    lines = await lines_of(session, transfer)
    rows: list[Transfer | TransferLine] = [transfer, *lines]
    writers = {name for row in rows for name in (row.created_by, row.updated_by)}
    refs = [(DOCUMENT, transfer.ref), *((TRANSFER_LINE.kind, line.uid) for line in lines)]
    told = select(Event.id).where(tuple_(Event.kind, Event.ref).in_(refs), Event.actor == taken.actor.name)
    if taken.actor.name in writers or await session.scalar(told.limit(1)) is not None:
        raise GuardFailed("second_person_needed", ref=transfer.ref)


async def _can_leave(session: AsyncSession, transfer: Transfer, taken: Taken) -> None:
    """Its goods may go back, as things are now: of the right sort and decided."""
    await _of(SUPPLIER_RETURN, party=True)(session, transfer, taken)
    await Asking(session, transfer, taken).all(await lines_of(session, transfer))


async def _post_all(session: AsyncSession, transfer: Transfer, taken: Taken) -> Mapping[str, Any]:
    """The moves of all lines, in one post."""
    lines = [line for line in await lines_of(session, transfer) if line.state == "planned"]
    await ledger.post(session, await Asking(session, transfer, taken).all(lines), taken)
    for line in lines:
        await transition(session, TRANSFER_LINE, line, "post", by_program(taken))
    transfer.posted_at, transfer.posted_by = taken.at, taken.actor.name
    return {"lines": len(lines)}


async def _approve(_session: AsyncSession, transfer: Transfer, taken: Taken) -> Mapping[str, Any]:
    transfer.approved_at, transfer.approved_by = taken.at, taken.actor.name
    return {}


async def _drop_lines(session: AsyncSession, transfer: Transfer, taken: Taken) -> Mapping[str, Any]:
    for line in await lines_of(session, transfer):
        if line.state == "planned":
            await transition(session, TRANSFER_LINE, line, "drop", by_program(taken))
    return {}


async def _finish(_session: AsyncSession, transfer: Transfer, taken: Taken) -> Mapping[str, Any]:
    transfer.posted_at, transfer.posted_by = taken.at, taken.actor.name
    return {}


async def _seen(session: AsyncSession, transfer: Transfer, _taken: Taken) -> Mapping[str, Any]:
    before = transfer.review_reason
    transfer.review_reason = None
    await settle(session, transfer)
    return {"review_reason": [before, transfer.review_reason]}


async def _reverse(session: AsyncSession, transfer: Transfer, taken: Taken) -> Mapping[str, Any]:
    moves = await moves_of(session, transfer)
    await ledger.reverse(session, moves, taken, document=document_of(transfer), reason=taken.reason or "")
    for line in await lines_of(session, transfer):
        if line.state == "posted":
            await transition(session, TRANSFER_LINE, line, "reverse", by_program(taken))
    return {"moves": len(moves)}


async def _nothing_open(session: AsyncSession, transfer: Transfer, _taken: Taken) -> None:
    waiting = [line for line in await lines_of(session, transfer) if line.state == "needs_review"]
    if waiting:
        raise GuardFailed("lines_to_review", ref=transfer.ref, lines=", ".join(str(one.number) for one in waiting[:20]))


async def moves_of(session: AsyncSession, transfer: Transfer) -> list[Move]:
    """What a transfer moved and nobody took back yet, in its order."""
    again = aliased(Move)
    rows = await session.scalars(
        select(Move)
        .where(
            Move.document_kind == DOCUMENT,
            Move.document == transfer.uid,
            Move.reverses_id.is_(None),
            ~select(again.id).where(again.reverses_id == Move.id).exists(),
        )
        .order_by(Move.id)
    )
    return list(rows.all())


OWN_REASONS = frozenset({"steps_missing", "station_unknown"})
"""What can be the matter with a transfer itself, beside its lines. It stays until somebody says that it was seen."""


async def settle(session: AsyncSession, transfer: Transfer, *, but: TransferLine | None = None) -> None:
    """Let the transfer say whether anything of it waits for a person; `but` is a line that is being dealt with."""
    await session.flush()
    waiting = await session.scalar(
        select(TransferLine.review_code)
        .where(
            TransferLine.transfer_id == transfer.id,
            TransferLine.state == "needs_review",
            TransferLine.id != (but.id if but is not None else 0),
        )
        .order_by(TransferLine.number)
        .limit(1)
    )
    own = transfer.review_reason if transfer.review_reason in OWN_REASONS else None
    reason = own or waiting
    if (transfer.needs_review, transfer.review_reason) != (reason is not None, reason):
        transfer.needs_review, transfer.review_reason = reason is not None, reason
        transfer.version += 1


async def _posted(_session: AsyncSession, line: TransferLine, taken: Taken) -> Mapping[str, Any]:
    line.posted_at = taken.at
    return {}


async def _ask(_session: AsyncSession, line: TransferLine, taken: Taken) -> Mapping[str, Any]:
    before, line.review_code, line.review_detail = line.review_code, taken.values["code"], taken.values.get("detail")
    return {"review_code": [before, line.review_code]}


async def _retry(session: AsyncSession, line: TransferLine, taken: Taken) -> Mapping[str, Any]:
    transfer = await session.get_one(Transfer, line.transfer_id)
    await naming.mend(session, line)
    moves = await ledger.post(session, await Asking(session, transfer, taken).one(line), taken)
    line.posted_at = taken.at
    await settle(session, transfer, but=line)
    return {"moves": len(moves)}


async def _discard(session: AsyncSession, line: TransferLine, _taken: Taken) -> Mapping[str, Any]:
    await settle(session, await session.get_one(Transfer, line.transfer_id), but=line)
    return {"review_code": [line.review_code, None]}


async def _retriable(_session: AsyncSession, line: TransferLine, _taken: Taken) -> None:
    if line.transfer.state in {"cancelled", "reversed"}:
        raise GuardFailed("transfer_ended", ref=line.transfer.ref)


TRANSFER_LINE: Machine[TransferLine] = Machine(
    kind="transfer_line",
    initial="planned",
    transitions=(
        Transition("post", frozenset({"planned"}), "posted", _PROGRAM, effect=_posted),
        Transition("question", frozenset({"planned"}), "needs_review", _PROGRAM, effect=_ask),
        Transition("drop", frozenset({"planned"}), "discarded", _PROGRAM),
        Transition("retry", frozenset({"needs_review"}), "posted", _STAFF | _PROGRAM, guard=_retriable, effect=_retry),
        Transition("discard", frozenset({"needs_review"}), "discarded", _STAFF, effect=_discard, needs_reason=True),
        Transition("reverse", frozenset({"posted"}), "reversed", _PROGRAM),
    ),
)
"""A line that a box wrote is posted at once, or waits for a person with what stood against it; `retry` asks the ledger anew."""

TRANSFER: Machine[Transfer] = Machine(
    kind="transfer",
    initial="draft",
    transitions=(
        Transition("post", frozenset({"draft"}), "posted", _ANYONE, guard=_of(INTERNAL, PUT_AWAY), effect=_post_all),
        Transition("scrap", frozenset({"draft"}), "posted", _STAFF, guard=_of(SCRAP), effect=_post_all, needs_reason=True),
        Transition(
            "hand_over", frozenset({"draft"}), "posted", _STAFF, guard=_second_person, effect=_post_all, needs_reason=True
        ),
        Transition("approve", frozenset({"draft"}), "approved", _STAFF, guard=_can_leave, effect=_approve),
        Transition("pack", frozenset({"approved"}), "packed", _ANYONE, guard=_can_leave),
        Transition("ship", frozenset({"packed"}), "shipped", _ANYONE, guard=_can_leave, effect=_post_all),
        Transition(
            "receive", frozenset({"draft"}), "received", _ANYONE, guard=_of(CUSTOMER_RETURN, party=True), effect=_post_all
        ),
        Transition("close", frozenset({"shipped", "received"}), "closed", _STAFF),
        Transition(
            "cancel", frozenset({"draft", "approved", "packed"}), "cancelled", _STAFF, effect=_drop_lines, needs_reason=True
        ),
        Transition("begin", frozenset({"draft"}), "moving", _PROGRAM),
        Transition("finish", frozenset({"moving"}), "posted", _STAFF | _PROGRAM, effect=_finish),
        Transition("review", frozenset({"moving"}), "moving", _STAFF, guard=_nothing_open, effect=_seen, needs_reason=True),
        Transition("review", frozenset({"posted"}), "posted", _STAFF, guard=_nothing_open, effect=_seen, needs_reason=True),
        Transition("reverse", DONE, "reversed", _STAFF, guard=_nothing_open, effect=_reverse, needs_reason=True),
    ),
)
"""Goods of a return leave the house when it is shipped. What boxes write is posted line by line while it is `moving`."""
