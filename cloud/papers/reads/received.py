"""Goods-received notes and discrepancy reports, read from a receipt."""

from collections.abc import Mapping
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.papers.reads.common import Reading, amount, house, named, people, side
from cloud.papers.reads.differing import differing
from cloud.papers.views import (
    Amount,
    Discrepancy,
    Exceptional,
    Goods,
    GoodsReceived,
    Name,
    Origin,
    Photo,
    Proof,
    ReceivedLine,
)
from cloud.receiving.models import LineStanding, Receipt, ReceiptLine
from cloud.receiving.verify import verify
from cloud.stock.models import LineBucket

QUANTITY = "quantity"
BESIDE = ("identity", "lot", "expiry", "gross", "tare", "pieces", "unit_weight", "unit")
"""Fields of which a line says when a person typed them."""

BUCKETS = ("pending_qc", "released", "rejected", "put_away", "returned", "scrapped")


async def goods_received(reading: Reading, receipt: Receipt) -> GoodsReceived:
    """The note of this receipt, verified now."""
    session = reading.session
    names = await people(session, [receipt.operator, receipt.posted_by, *(one.by for one in receipt.exceptions)])
    held = await _buckets(session, receipt)
    return GoodsReceived(
        house=await house(reading),
        ref=receipt.ref,
        number=receipt.number,
        state=receipt.state,
        supplier=side(receipt.supplier) if receipt.supplier else None,
        site=named(receipt.site) if receipt.site else None,
        station=receipt.station_code,
        order=receipt.order_ref,
        notice=receipt.notice_ref,
        document_no=receipt.document_no,
        no_document_reason=receipt.no_document_reason,
        operator=names.get(receipt.operator, receipt.operator),
        opened_at=receipt.opened_at,
        received_at=receipt.opened_received_at,
        posted_at=receipt.posted_at,
        posted_by=names.get(receipt.posted_by or "", receipt.posted_by),
        container=receipt.container,
        seal=receipt.seal,
        vehicle=receipt.vehicle,
        temperature=amount(receipt.temperature, receipt.temperature_unit),
        lines=tuple(_line(receipt, line, held.get(line.number, {})) for line in confirmed(receipt)),
        exceptions=_exceptions(receipt, names),
        proof=await _proof(session, receipt),
    )


async def discrepancy(reading: Reading, receipt: Receipt) -> Discrepancy:
    """What of this receipt is not as it was ordered and announced."""
    session = reading.session
    names = await people(session, [one.by for one in receipt.exceptions])
    return Discrepancy(
        house=await house(reading),
        ref=receipt.ref,
        state=receipt.state,
        supplier=side(receipt.supplier) if receipt.supplier else None,
        order=receipt.order_ref,
        notice=receipt.notice_ref,
        document_no=receipt.document_no,
        received_at=receipt.opened_received_at,
        lines=await differing(session, receipt, await _buckets(session, receipt)),
        exceptions=_exceptions(receipt, names),
        photos=tuple(Photo(one.sha256, one.subject, one.line_number) for one in receipt.photos),
        proof=await _proof(session, receipt),
    )


def confirmed(receipt: Receipt) -> list[ReceiptLine]:
    """Lines that count."""
    return [line for line in receipt.lines if line.standing == LineStanding.CONFIRMED]


def goods(line: ReceiptLine) -> Goods:
    """What a line says that it is."""
    return Goods(
        line.sku,
        named(line.product) if line.product else Name(line.sku),
        lot=line.lot,
        expiry=line.expiry,
        serials=tuple(one.serial for one in line.serials),
        sscc=line.sscc,
        owner=named(line.owner) if line.owner else None,
    )


def _line(receipt: Receipt, line: ReceiptLine, held: Mapping[str, Decimal]) -> ReceivedLine:
    modes = {row.field: row.mode for row in receipt.evidence if row.line_id == line.id}
    unit = line.product.unit if line.product else line.unit
    return ReceivedLine(
        number=line.number,
        goods=goods(line),
        quantity=amount(line.quantity, line.unit) or Amount("0", line.unit),
        origin=_origin(modes.get(QUANTITY)),
        condition=line.condition,
        condition_reason=line.condition_reason,
        gross=amount(line.gross, line.gross_unit),
        tare=amount(line.tare, line.tare_unit),
        pieces=amount(line.pieces, line.pieces_unit),
        typed=tuple(field for field in BESIDE if modes.get(field) in {"manual", "override"}),
        buckets=tuple((name, Amount(f"{held[name]:f}", unit)) for name in BUCKETS if held.get(name)),
    )


def _origin(mode: str | None) -> Origin:
    """A value with nothing under it was typed by somebody."""
    match mode:
        case "device" | "derived" | "override":
            return mode
        case _:
            return "manual"


async def _buckets(session: AsyncSession, receipt: Receipt) -> dict[int, dict[str, Decimal]]:
    rows = await session.scalars(select(LineBucket).where(LineBucket.receipt == receipt.uid).order_by(LineBucket.line))
    found: dict[int, dict[str, Decimal]] = {}
    for row in rows:
        found.setdefault(row.line, {})[row.bucket] = row.quantity
    return found


def _exceptions(receipt: Receipt, names: Mapping[str, str]) -> tuple[Exceptional, ...]:
    return tuple(
        Exceptional(
            check=one.check,
            severity=one.severity,
            line=one.line_number,
            expected=one.expected,
            found=one.found,
            decision=one.decision,
            by=names.get(one.by or "", one.by),
            at=one.decided_at,
            reason=one.reason,
        )
        for one in sorted(receipt.exceptions, key=lambda one: (one.line_number or 0, one.check))
    )


async def _proof(session: AsyncSession, receipt: Receipt) -> Proof:
    report = await verify(session, receipt)
    modes = [str(field.mode) for field in report.fields]
    device, manual = modes.count("device"), modes.count("manual") + modes.count("override")
    problems = len(report.problems) + sum(1 for field in report.fields if not field.ok)
    return Proof(report.ok, device, manual, len(modes) - device - manual, problems)
