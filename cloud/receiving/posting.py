"""Posting a receipt and taking it back: lots, units, moves, what order and notice had so far. One transaction, which is the
caller's; said again it is the same moves."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import ROUND_FLOOR, Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.db.types import MICRO
from cloud.errors import GuardFailed
from cloud.kernel.actor import Taken
from cloud.masters.models import OrderLine, Product
from cloud.masters.order_progress import refresh_progress
from cloud.receiving.evidence.amounts import stocked
from cloud.receiving.facts import CLOCK_AHEAD, counted, quantity
from cloud.receiving.models import Receipt, ReceiptLine
from cloud.receiving.places import Ground, ground, line_owner, line_target
from cloud.stock.ledger import BucketMove, Document, Wanted, post, reverse
from cloud.stock.lots import lot_of, unit_of
from cloud.stock.models import Lot, Move
from cloud.trade.notices import Came, note_received
from sync_protocol.errors import TextFault
from sync_protocol.ids import EntryId, RunId
from sync_protocol.quantity import Quantity

ONE = Decimal(1)
NOTHING = Decimal(0)
STEP = Decimal(1).scaleb(-MICRO)


@dataclass(frozen=True, slots=True)
class _Part:
    """So much of a line with one lot. `name` tells the parts of a line apart in the keys of their moves."""

    name: str
    quantity: Decimal
    lot_id: int | None


def document_of(receipt: Receipt) -> Document:
    """The receipt as what asked for moves."""
    return Document("receipt", receipt.uid, receipt.ref)


async def lock_order_lines(session: AsyncSession, receipt: Receipt) -> list[OrderLine]:
    """The order lines that the receipt adds to, locked in the order of their ids and read anew."""
    wanted = {line.order_line_id for line in counted(receipt) if line.order_line_id is not None}
    rows = await session.scalars(
        select(OrderLine)
        .where(OrderLine.id.in_(wanted))
        .order_by(OrderLine.id)
        .with_for_update(of=OrderLine, key_share=True)
        .execution_options(populate_existing=True)
    )
    return list(rows)


async def post_receipt(session: AsyncSession, receipt: Receipt, taken: Taken) -> Mapping[str, Any]:
    """Bring the receipt's goods into stock; gives changes for the event. Raises Refused: a lot of another expiry, no site."""
    order_lines = await lock_order_lines(session, receipt)
    at = await ground(session, receipt)
    wanted: list[Wanted] = []
    for line in counted(receipt):
        wanted += await _line(session, at, receipt, line, taken)
    await post(session, wanted, taken)
    changes = _add(order_lines, counted(receipt), 1)
    await _tell(session, receipt, order_lines, 1, taken)
    return changes


async def reverse_receipt(session: AsyncSession, receipt: Receipt, taken: Taken) -> Mapping[str, Any]:
    """Take the receipt's goods out of stock again by opposite moves. Raises NotEnough, or Refused `bucket_not_enough`, where
    they are not any more where the receipt put them."""
    order_lines = await lock_order_lines(session, receipt)
    moves = await session.scalars(
        select(Move).where(Move.document_kind == "receipt", Move.document == receipt.uid, Move.reverses_id.is_(None))
    )
    await reverse(session, list(moves), taken, document=document_of(receipt), reason=taken.reason or "")
    changes = _add(order_lines, counted(receipt), -1)
    await _tell(session, receipt, order_lines, -1, taken)
    return changes


def happened_at(receipt: Receipt) -> datetime:
    """When the goods were taken in: when the box finished, by its clock where that can be right, else when we heard of it."""
    heard = receipt.finished_received_at or receipt.opened_received_at
    said = receipt.finished_at if receipt.clock_set else None
    return said if said is not None and said <= heard + CLOCK_AHEAD else heard


async def _line(session: AsyncSession, at: Ground, receipt: Receipt, line: ReceiptLine, taken: Taken) -> list[Wanted]:
    amount, product = quantity(line), line.product
    stock = stocked(amount, product.unit) if amount is not None and product is not None else None
    if product is None or stock is None:
        raise GuardFailed("line_unfit", ref=receipt.ref, line=str(line.number))
    owner = await line_owner(session, at, receipt, line)
    place, bucket = await line_target(session, at, line)
    unit = await unit_of(session, line.sscc, taken=taken, receipt=receipt.uid, packaging=line.packaging) if line.sscc else None
    lot = await _lot(session, receipt, line, product, taken)
    parts = await _parts(session, receipt, line, stock.quantity, lot, taken)
    line.location, line.owner, line.handling_unit, line.stock_lot = place, owner, unit, lot
    line.stock_quantity, line.stock_rounded = stock.quantity, stock.rounded
    return [
        Wanted(
            key=f"receipt {receipt.uid} line {line.number}{part.name}",
            product_id=product.id,
            owner_id=owner.id,
            quantity=part.quantity,
            source_id=at.supplier.id,
            target_id=place.id,
            document=document_of(receipt),
            effective_at=happened_at(receipt),
            lot_id=part.lot_id,
            to_unit_id=unit.id if unit is not None else None,
            line=line.number,
            bucket=BucketMove(receipt.uid, line.number, None, bucket),
            entry=_said_in(receipt, line),
        )
        for part in parts
        if part.quantity > NOTHING
    ]


def _said_in(receipt: Receipt, line: ReceiptLine) -> EntryId | None:
    row = next((each for each in receipt.evidence if each.line is line and each.field == "quantity"), None)
    return None if row is None else EntryId(RunId(row.step_run), row.step_seq)


async def _lot(session: AsyncSession, receipt: Receipt, line: ReceiptLine, product: Product, taken: Taken) -> Lot | None:
    """The line's lot, made by the scan: of products that are tracked by lot; and of others that keep a date, which lies on the
    lot alone, by that date where no lot is named."""
    code = line.lot
    if product.tracking == "serial" or (product.tracking == "none" and product.expiry == "none"):
        return None
    if code is None and product.tracking == "none" and line.expiry is not None:
        code = line.expiry.isoformat()
    if code is None:
        return None
    return await lot_of(
        session,
        product,
        code,
        taken=taken,
        expires_on=line.expiry,
        supplier_id=receipt.supplier_id,
        receipt=receipt.uid,
        state="pending" if product.quarantine else "released",
    )


async def _parts(
    session: AsyncSession, receipt: Receipt, line: ReceiptLine, whole: Decimal, lot: Lot | None, taken: Taken
) -> list[_Part]:
    """One part for each serial number, and one for what has none."""
    product = line.product
    if product is None or product.tracking != "serial" or not line.serials:
        return [_Part("", whole, lot.id if lot is not None else None)]
    shares = _shares(whole, len(line.serials), weighed=(line.unit or "") not in {"1", "{pcs}"})
    parts: list[_Part] = []
    for serial, share in zip(line.serials, shares, strict=True):
        made = await lot_of(
            session,
            product,
            serial.serial,
            taken=taken,
            expires_on=line.expiry,
            is_serial=True,
            supplier_id=receipt.supplier_id,
            receipt=receipt.uid,
            state="pending" if product.quarantine else "released",
        )
        serial.lot_id = made.id
        parts.append(_Part(f" serial {serial.n}", share, made.id))
    rest = whole - sum(shares, NOTHING)
    return [*parts, _Part("", rest, None)]


def _shares(whole: Decimal, pieces: int, *, weighed: bool) -> list[Decimal]:
    """One each as far as the amount goes; of goods counted by weight equal parts, the last one with what is left over."""
    if not weighed:
        return [min(ONE, max(NOTHING, whole - n)) for n in range(pieces)]
    each = (whole / pieces).quantize(STEP, ROUND_FLOOR)  # rounded up, many small parts would be more than there is
    return [*([each] * (pieces - 1)), whole - each * (pieces - 1)]


def _add(order_lines: Sequence[OrderLine], lines: Iterable[ReceiptLine], sign: int) -> dict[str, Any]:
    """Add what came to what the order's lines had received, in their units."""
    changes: dict[str, Any] = {}
    amounts: defaultdict[int | None, list[Quantity]] = defaultdict(list)
    for line in lines:
        amount = quantity(line)
        if amount is not None:
            amounts[line.order_line_id].append(amount)
    for order_line in order_lines:
        before = order_line.received
        for amount in amounts[order_line.id]:
            order_line.received += sign * _in_order_unit(amount, order_line.unit)
        changes[f"received of order line {order_line.line}"] = [format(before, "f"), format(order_line.received, "f")]
    return changes


def _in_order_unit(amount: Quantity, unit: str) -> Decimal:
    """Exact where that has an end, else half to even at a millionth; nothing across dimensions, which is a check's to say."""
    try:
        return amount.to(unit).value
    except TextFault:
        rounded = stocked(amount, unit)
        return rounded.quantity if rounded is not None else NOTHING


async def _tell(session: AsyncSession, receipt: Receipt, order_lines: Sequence[OrderLine], sign: int, taken: Taken) -> None:
    await refresh_progress(session, {line.order_id for line in order_lines})
    if receipt.notice_uid is None:
        return
    came = [
        Came(line.notice_line, sign * amount.value, amount.unit)
        for line in counted(receipt)
        if line.notice_line is not None and (amount := quantity(line)) is not None
    ]
    await note_received(session, receipt.notice_uid, came, replace(taken, reason=None))
