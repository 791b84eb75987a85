"""What becomes of posted goods by quantity: released or rejected, until nothing of them waits. A split is two such steps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.db.types import to_micro
from cloud.errors import GuardFailed
from cloud.kernel.actor import SYSTEM, Taken
from cloud.kernel.models import fresh_uid
from cloud.kernel.transition import transition
from cloud.masters.models import Location, OrderLine
from cloud.masters.order_progress import refresh_progress
from cloud.receiving.models import Receipt, ReceiptLine
from cloud.receiving.places import ground, target
from cloud.receiving.posting import document_of
from cloud.stock.buckets import of_receipt
from cloud.stock.ledger import BucketMove, Wanted, post
from cloud.stock.lot_machine import LOT
from cloud.stock.models import Lot, Move, Quant
from cloud.stock.verdicts import demand_sound
from sync_protocol.quantity import plain
from sync_protocol.receiving.checks import bucket_finding

VALUES = frozenset({"line", "quantity", "bucket", "serials", "key"})
"""Of `Taken.values`: number of the line; amount in the product's unit; from which bucket, where not the usual one; serial
numbers with commas between; and what tells this step apart from the next (kept when records are made again)."""

FROM: Mapping[str, tuple[str, ...]] = {"release": ("pending_qc", "rejected"), "reject": ("pending_qc", "released")}
"""By action the buckets from which goods may be taken, the usual one first."""

TO: Mapping[str, str] = {"release": "released", "reject": "rejected"}
HOW: Mapping[str, str] = {"release": "good", "reject": "damaged"}
"""By action the sort of place (cloud.receiving.places) to which the goods go."""

USAGES: Mapping[str, tuple[str, ...]] = {
    "pending_qc": ("quarantine",),
    "released": ("receiving", "stock"),
    "rejected": ("rejected",),
}
"""By bucket where its goods lie."""

OPEN = ("pending_qc", "released", "rejected")
"""Buckets that ask for something to be done: the receipt is not done while anything is in them."""

NOTHING = Decimal(0)

MAX_KEY = 64

CLOSED_AT_BOX = "closed_at_receipt"
"""Reason of an order's line that was closed short without one."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """One judgement, read from its values."""

    line: ReceiptLine
    quantity: Decimal
    source: str
    serials: frozenset[str]


async def judge(session: AsyncSession, receipt: Receipt, taken: Taken, action: str) -> Mapping[str, Any]:
    """Release or reject so much of a line. Raises GuardFailed where the values do not fit, where the receipt is blocked, or
    where so much does not lie there any more."""
    await demand_sound(session, receipt.uid, receipt.ref)
    line, key = _line(receipt, taken), taken.values.get("key") or fresh_uid()
    prefix = f"receipt {receipt.uid} line {line.number} {action} {key} "
    old = (await session.scalars(select(Move).where(Move.key.startswith(prefix, autoescape=True)).order_by(Move.id))).all()
    if old:
        # Records that are made again: what was moved then is moved, and lies elsewhere by now.
        return _said(line, sum((move.quantity for move in old), NOTHING), (old[0].from_bucket or "", TO[action]), key)
    asked = await _asked(session, receipt, line, taken, action)
    place = await target(session, await ground(session, receipt), HOW[action])
    await post(session, await _wanted(session, receipt, asked, prefix, place, action, taken), taken)
    await _settle_lots(session, line, taken)
    return _said(line, asked.quantity, (asked.source, TO[action]), key)


def _said(line: ReceiptLine, quantity: Decimal, buckets: tuple[str, str], key: str) -> Mapping[str, Any]:
    return {"line": line.number, "quantity": plain(quantity), "bucket": list(buckets), "key": key}


def _line(receipt: Receipt, taken: Taken) -> ReceiptLine:
    number, key = taken.values.get("line", ""), taken.values.get("key", "")
    line = next((each for each in receipt.lines if str(each.number) == number), None)
    if line is None or line.stock_quantity is None:
        raise GuardFailed("no_such_line", line=number[:20])
    if len(key) > MAX_KEY or not key.isascii() or " " in key:
        raise GuardFailed("key_form", key=key[:MAX_KEY])
    return line


async def _asked(session: AsyncSession, receipt: Receipt, line: ReceiptLine, taken: Taken, action: str) -> _Asked:
    values = taken.values
    there = (await of_receipt(session, receipt.uid)).get(line.number, {})
    usual = next((bucket for bucket in FROM[action] if there.get(bucket)), FROM[action][0])
    source = values.get("bucket") or usual
    if source not in FROM[action]:
        raise GuardFailed("no_such_bucket", bucket=source[:20])
    text = values.get("quantity") or plain(there.get(source, NOTHING))
    quantity = _amount(text)
    if quantity > there.get(source, NOTHING):
        values = {"line": str(line.number), "bucket": source, "wanted": text[:40], "there": plain(there.get(source, NOTHING))}
        raise GuardFailed("bucket_not_enough", **values)
    serials = frozenset(text.strip() for text in values.get("serials", "").split(",") if text.strip())
    if serials and len(serials) != quantity:
        raise GuardFailed("serial_count", count=str(len(serials)))
    return _Asked(line, quantity, source, serials)


def _amount(text: str) -> Decimal:
    try:
        found = Decimal(text)
        good = found > NOTHING and to_micro(found) > 0
    except (InvalidOperation, ValueError) as exc:
        raise GuardFailed("quantity_form", quantity=text[:40]) from exc
    if not good:
        raise GuardFailed("quantity_form", quantity=text[:40])
    return found


async def _wanted(
    session: AsyncSession, receipt: Receipt, asked: _Asked, prefix: str, place: Location, action: str, taken: Taken
) -> list[Wanted]:
    """Moves from where the goods lie now, the place to which they were posted first."""
    line, left = asked.line, asked.quantity
    wanted: list[Wanted] = []
    for quant in await _lying(session, asked):
        take = min(left, quant.quantity - quant.reserved)
        if take <= NOTHING or quant.location_id == place.id:
            continue
        wanted.append(
            Wanted(
                key=f"{prefix}{len(wanted)}",
                product_id=quant.product_id,
                owner_id=quant.owner_id,
                quantity=take,
                source_id=quant.location_id,
                target_id=place.id,
                document=document_of(receipt),
                effective_at=taken.at,
                lot_id=quant.lot_id,
                unit_id=quant.unit_id,
                to_unit_id=quant.unit_id,
                line=line.number,
                bucket=BucketMove(receipt.uid, line.number, asked.source, TO[action]),
            )
        )
        left -= take
        if left == NOTHING:
            return wanted
    raise GuardFailed("not_enough_there", line=str(line.number), wanted=plain(asked.quantity), missing=plain(left))


async def _lying(session: AsyncSession, asked: _Asked) -> Sequence[Quant]:
    """Where goods of the line's product, lots and owner lie that can be in this bucket: what is there decides, no document."""
    line = asked.line
    lots = [each.lot_id for each in line.serials if not asked.serials or each.serial in asked.serials]
    which = Quant.lot_id.in_(lots) if line.serials else Quant.lot_id.is_not_distinct_from(line.lot_id)
    rows = await session.scalars(
        select(Quant)
        .join(Location, Location.id == Quant.location_id)
        .where(
            Quant.product_id == line.product_id,
            Quant.owner_id == line.owner_id,
            Quant.internal.is_(True),
            Location.usage.in_(USAGES[asked.source]),
            which,
        )
        .execution_options(populate_existing=True)
    )
    mine = (line.location_id, line.handling_unit_id)
    return sorted(rows, key=lambda row: (row.location_id != mine[0], row.unit_id != mine[1], row.lot_id or 0, row.id))


async def _settle_lots(session: AsyncSession, line: ReceiptLine, taken: Taken) -> None:
    """A lot that waited is judged once nothing of it waits any more: released where any of it was, else rejected."""
    ids = [each for each in (line.lot_id, *(serial.lot_id for serial in line.serials)) if each is not None]
    lots = await session.scalars(select(Lot).where(Lot.id.in_(ids), Lot.state == "pending"))
    itself = replace(taken, actor=replace(taken.actor, role=SYSTEM), access=None)
    for lot in list(lots):
        waiting = await _somewhere(session, lot, ("quarantine",))
        good = await _somewhere(session, lot, ("receiving", "stock"))
        if not waiting:
            await transition(
                session, LOT, lot, "release" if good else "reject", replace(itself, reason=taken.reason or "judged")
            )


async def _somewhere(session: AsyncSession, lot: Lot, usages: Sequence[str]) -> bool:
    query = (
        select(Quant.id)
        .join(Location, Location.id == Quant.location_id)
        .where(Quant.lot_id == lot.id, Quant.quantity > NOTHING, Location.usage.in_(usages))
    )
    return await session.scalar(query.limit(1)) is not None


async def may_complete(session: AsyncSession, receipt: Receipt, _taken: Taken) -> None:
    """Raises GuardFailed while goods wait, are not put away, or were rejected and are still here; and where the buckets of a
    line do not add up to what was posted."""
    buckets = await of_receipt(session, receipt.uid)
    waiting = sorted({name for line in buckets.values() for name, amount in line.items() if name in OPEN and amount})
    if waiting:
        raise GuardFailed("goods_waiting", buckets=", ".join(waiting))
    for line in receipt.lines:
        if line.stock_quantity is not None and bucket_finding(line.number, line.stock_quantity, buckets.get(line.number, {})):
            raise GuardFailed("buckets_differ", line=str(line.number))


async def complete(session: AsyncSession, receipt: Receipt, taken: Taken) -> Mapping[str, Any]:
    """The receipt is done: what stays open of its order is awaited further, or given up where the operator said so."""
    receipt.done_at = taken.at
    closing = {each.order_line: each.reason for each in receipt.remainders if each.policy == "close_short"}
    if receipt.order_id is None or not closing:
        return {}
    rows = await session.scalars(
        select(OrderLine)
        .where(OrderLine.order_id == receipt.order_id, OrderLine.line.in_(closing), OrderLine.closed.is_(False))
        .order_by(OrderLine.id)
        .with_for_update(of=OrderLine, key_share=True)
    )
    short = [row for row in rows if row.received < row.quantity]
    for row in short:
        row.closed, row.closed_reason = True, closing[row.line] or CLOSED_AT_BOX
    await refresh_progress(session, {receipt.order_id})
    return {"closed short": [row.line for row in short]}
