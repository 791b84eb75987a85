"""From a receipt's lines to the ledger: what was posted is what was received, and all of it is in one bucket or another."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from cloud.db.types import to_micro
from cloud.masters.models import OrderLine, PurchaseOrder
from cloud.receiving.evidence.amounts import in_unit, stocked
from cloud.receiving.models import LineStanding, Receipt, ReceiptLine
from cloud.stock.models import LineBucket, Move
from sync_protocol.bundle.form import canonical
from sync_protocol.quantity import UNITS, Quantity

POSTED = frozenset({"posted", "done"})
REVERSED = "reversed"
NOTHING = Decimal(0)


@dataclass(slots=True)
class _Moved:
    """What the moves of one line say."""

    posting: list[Move] = field(default_factory=list)
    taken_back: Decimal = NOTHING
    buckets: defaultdict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    rest: list[Move] = field(default_factory=list)

    def add(self, move: Move) -> None:
        if move.from_bucket is None:
            self.posting.append(move)
        else:
            self.rest.append(move)
            self.buckets[move.from_bucket] -= move.quantity
        if move.to_bucket is None:
            self.taken_back += move.quantity
        else:
            self.buckets[move.to_bucket] += move.quantity

    @property
    def posted(self) -> Decimal:
        return sum((each.quantity for each in self.posting), NOTHING)


async def moves_of(session: AsyncSession, receipt: Receipt) -> Sequence[Move]:
    """All moves in which goods of the receipt's lines changed their bucket, and those that its posting asked for."""
    rows = await session.scalars(
        select(Move)
        .where((Move.receipt == receipt.uid) | ((Move.document_kind == "receipt") & (Move.document == receipt.uid)))
        .order_by(Move.id)
    )
    return rows.all()


SAID = (
    "key",
    "document_kind",
    "document",
    "document_ref",
    "line",
    "receipt",
    "receipt_line",
    "to_bucket",
    "by",
    "via",
    "run",
    "seq",
    "reason",
)
"""Columns of a move that refer to no other row, beside its times and its quantity. The others are compared with the lines."""


def moves_digest(moves: Iterable[Move]) -> str:
    """SHA-256 (hex) over what a posting's moves say, for the log of the posting: canonical JSON, in the order of their keys."""
    said = [
        {name: getattr(move, name) for name in SAID}
        | {"at": _moment(move.at), "effective_at": _moment(move.effective_at), "quantity": to_micro(move.quantity)}
        for move in sorted(moves, key=lambda one: one.key)
        if move.from_bucket is None and move.reverses_id is None
    ]
    return hashlib.sha256(canonical(said)).hexdigest()


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


async def posted_digest(session: AsyncSession, receipt: Receipt) -> str:
    """Of the receipt's own posting, within its transaction or later."""
    return moves_digest(await moves_of(session, receipt))


async def ledger_problems(session: AsyncSession, receipt: Receipt) -> list[str]:
    """Where ledger and lines differ: `line_<what>:<number>`, `moves_without_line`, `order_received_differs:<line>`."""
    moves = await moves_of(session, receipt)
    rows = await session.scalars(select(LineBucket).where(LineBucket.receipt == receipt.uid))
    problems = compare_ledger(receipt, moves, rows.all())
    if receipt.state in POSTED:
        problems += await _orders(session, receipt)
    return problems


def compare_ledger(receipt: Receipt, moves: Iterable[Move], buckets: Iterable[LineBucket]) -> list[str]:
    """As `ledger_problems`, of rows at hand and without the order."""
    moved: defaultdict[int, _Moved] = defaultdict(_Moved)
    problems: list[str] = []
    for move in moves:
        if move.receipt != receipt.uid or move.receipt_line is None:
            problems.append(f"moves_without_line:{move.key}")
        else:
            moved[move.receipt_line].add(move)
    filled: defaultdict[int, dict[str, Decimal]] = defaultdict(dict)
    for row in buckets:
        filled[row.line][row.bucket] = row.quantity
    lines = {line.number: line for line in receipt.lines if line.standing == LineStanding.CONFIRMED}
    if not moved and not filled and all(line.stock_quantity is None for line in lines.values()):
        # Posted before there was a ledger; where there is one, the log of the posting names its moves (evidence.deciding).
        return problems
    for number in sorted({*lines, *moved, *filled}):
        line, its = lines.get(number), moved[number]
        problems += [f"{code}:{number}" for code in _line(receipt, line, its, filled[number])]
    return problems


def _line(receipt: Receipt, line: ReceiptLine | None, moved: _Moved, buckets: dict[str, Decimal]) -> Iterator[str]:
    posted = receipt.state in POSTED or receipt.state == REVERSED
    if line is None or not posted:
        if moved.posting or moved.rest or any(buckets.values()):
            yield "line_moved_unposted"
        return
    if {name: each for name, each in moved.buckets.items() if each} != {name: each for name, each in buckets.items() if each}:
        yield "line_buckets_differ"
    if not moved.posting:
        yield "line_moves_missing"
    elif not _same_goods(receipt, line, moved):
        yield "line_moves_differ"
    yield from _amounts(line, moved)
    if sum(buckets.values(), NOTHING) != (NOTHING if receipt.state == REVERSED else moved.posted - moved.taken_back):
        yield "line_buckets_differ"


def _quantity(value: Decimal | None, unit: str | None) -> Quantity | None:
    """None also for a unit that nobody knows: somebody wrote it there."""
    return Quantity(value, unit) if value is not None and unit in UNITS else None


def _amounts(line: ReceiptLine, moved: _Moved) -> Iterator[str]:
    quantity = _quantity(line.quantity, line.unit)
    said = stocked(quantity, line.product.unit) if quantity is not None and line.product is not None else None
    if said is None or said.quantity != line.stock_quantity or moved.posted != line.stock_quantity:
        yield "line_posted_differs"
    elif said.rounded != line.stock_rounded:
        yield "line_rounding_differs"


def _same_goods(receipt: Receipt, line: ReceiptLine, moved: _Moved) -> bool:
    lots = {(each.product_id, each.lot_id) for each in moved.posting}
    posted = all(_is_posting_of(receipt, line, each) for each in moved.posting)
    return posted and all((each.product_id, each.lot_id) in lots for each in moved.rest)


def _is_posting_of(receipt: Receipt, line: ReceiptLine, move: Move) -> bool:
    """Whether a move brought the line's goods in as the line says."""
    single = {each.lot_id for each in line.serials if each.lot_id is not None}
    lots = {None, *single} if single else {line.lot_id}
    return (
        (move.document_kind, move.document, move.document_ref) == ("receipt", receipt.uid, receipt.ref)
        and (move.product_id, move.owner_id) == (line.product_id, line.owner_id)
        and (move.target_id, move.to_unit_id) == (line.location_id, line.handling_unit_id)
        and move.lot_id in lots
        and (move.by, move.at) == (receipt.posted_by, receipt.posted_at)
    )


async def _orders(session: AsyncSession, receipt: Receipt) -> list[str]:
    """Of the order's lines that a posted receipt adds to: received is at least what this one added. That it is the sum over
    all of them is asked of the orders: what is wrong with another receipt says nothing of this one."""
    if receipt.state not in POSTED:
        return []
    amounts: defaultdict[int, list[Quantity]] = defaultdict(list)
    for line in receipt.lines:
        quantity = _quantity(line.quantity, line.unit)
        if line.order_line_id is not None and line.standing == LineStanding.CONFIRMED and quantity is not None:
            amounts[line.order_line_id].append(quantity)
    order_lines = await session.scalars(select(OrderLine).where(OrderLine.id.in_(amounts)).order_by(OrderLine.id))
    return [f"order_received_differs:{row.line}" for row in order_lines if row.received < _sum(row, amounts[row.id])]


async def orders_that_differ(session: AsyncSession) -> list[str]:
    """Order and line (`PO-2026-0041/1`) where received is not the sum over all posted receipts; of orders that are open, since
    the others receive nothing any more."""
    running = select(OrderLine.id).join(PurchaseOrder).where(PurchaseOrder.state.in_(("confirmed", "on_hold")))
    rows = await session.execute(
        select(ReceiptLine.order_line_id, ReceiptLine.quantity, ReceiptLine.unit)
        .join(Receipt, Receipt.id == ReceiptLine.receipt_id)
        .where(
            ReceiptLine.order_line_id.in_(running),
            ReceiptLine.standing == LineStanding.CONFIRMED,
            Receipt.state.in_(POSTED),
        )
    )
    amounts: defaultdict[int, list[Quantity]] = defaultdict(list)
    for order_line_id, value, unit in rows:
        quantity = _quantity(value, unit)
        if order_line_id is not None and quantity is not None:
            amounts[order_line_id].append(quantity)
    query = select(OrderLine).where(OrderLine.id.in_(running)).options(joinedload(OrderLine.order)).order_by(OrderLine.id)
    order_lines = await session.scalars(query)
    return [f"{row.order.ref}/{row.line}" for row in order_lines if row.received != _sum(row, amounts[row.id])]


def _sum(order_line: OrderLine, amounts: Iterable[Quantity]) -> Decimal:
    return sum((in_unit(each, order_line.unit) for each in amounts), NOTHING)
