"""Makes a receipt's rows say what its draft says. Master data is looked up by the codes that the box used."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from cloud.clock import from_wall_ns
from cloud.db.settings_table import next_number
from cloud.masters.lookup import order_by_ref, party_by_ref, product_by_sku, station_by_code
from cloud.masters.models import OrderLine, PurchaseOrder
from cloud.receiving.fold import Claim, Draft, DraftLine, Step
from cloud.receiving.models import Evidence, Receipt, ReceiptLine, ReceiptNumber
from sync_protocol.entries import Clk

NUMBER_SERIES = "GR"

MINUTE_MS = 60_000
"""A clock that is off by less says the right day but around midnight, as every clock may."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A step with when and from whom the cloud has it."""

    step: Step
    box: str
    received_at: datetime


async def new_receipt(session: AsyncSession, draft: Draft, arrived: Arrived) -> Receipt:
    """The row of a receipt that begins, with its head and the head's evidence."""
    station = await station_by_code(session, draft.station)
    order = await order_by_ref(session, draft.opened.order)
    supplier = await party_by_ref(session, draft.opened.supplier)
    entry = arrived.step.entry
    receipt = Receipt(
        uid=draft.job,
        ref=await _number(session, draft.job, arrived.received_at.year),
        box_id=arrived.box,
        station_code=draft.station,
        order_ref=draft.opened.order,
        station=station,
        site=station.site if station else None,
        order=order,
        supplier=supplier,
        document_no=draft.document.value.value if draft.document else None,
        no_document_reason=draft.opened.no_document_reason,
        operator=draft.operator,
        needs_review=False,
        opened_at=from_wall_ns(entry.wall_ns),
        clock_set=_can_be_right(entry.clk),
        opened_received_at=arrived.received_at,
        lines=[],
        evidence=[],
        exceptions=[],
    )
    session.add(receipt)
    for field, claim in draft.claims().items():
        receipt.evidence.append(_evidence(field, claim, None))
    await session.flush()
    return receipt


def _can_be_right(clk: Clk) -> bool:
    """Whether the box's wall clock may say which day it is: `cloud` alone means only that its error is known."""
    return clk.s in {"ntp", "rtc"} or (clk.s == "cloud" and clk.err_ms is not None and clk.err_ms <= MINUTE_MS)


async def write_line(session: AsyncSession, receipt: Receipt, line: DraftLine) -> None:
    """Bring one line and its evidence to what the draft says."""
    row = next((row for row in receipt.lines if row.number == line.number), None)
    if row is None:
        row = ReceiptLine(number=line.number)
        receipt.lines.append(row)
    item = line.item
    row.sku, row.product_rev, row.standing = item.product, item.product_rev, line.standing
    if row.product is None or row.product.sku != item.product:
        row.product = await product_by_sku(session, item.product)
    row.order_line = _order_line(receipt.order, item.order_line, item.product)
    row.lot = line.lot.value.value if line.lot else None
    row.expiry = line.expiry_date
    row.quantity, row.unit = (line.amount.value, line.amount.unit) if line.amount else (None, None)
    row.discard_reason, row.kept_reason = line.discard_reason, line.kept_reason
    claims = line.claims()
    for old in [each for each in receipt.evidence if each.line is row and each.field not in claims]:
        receipt.evidence.remove(old)
    for field, claim in claims.items():
        known = next((each for each in receipt.evidence if each.line is row and each.field == field), None)
        if known is None:
            receipt.evidence.append(_evidence(field, claim, row))
        else:
            _fill(known, claim)
    await session.flush()


def _order_line(order: PurchaseOrder | None, named: str | None, sku: str) -> OrderLine | None:
    """The order's line for a product: the named one, else the first that still waits for goods, else the last."""
    rows = [row for row in order.lines if row.product.sku == sku] if order else []
    if named is not None and any(row.line == named for row in rows):
        return next(row for row in rows if row.line == named)
    return next((row for row in rows if row.received < row.quantity), rows[-1] if rows else None)


def _evidence(field: str, claim: Claim, line: ReceiptLine | None) -> Evidence:
    row = Evidence(field=field, line=line)
    _fill(row, claim)
    return row


def _fill(row: Evidence, claim: Claim) -> None:
    value = claim.value
    row.mode, row.value, row.unit, row.reason, row.by = value.mode, value.value, value.unit, value.reason, claim.by
    row.run, row.seq = (claim.reading.run, claim.reading.seq) if claim.reading else (None, None)
    row.step_run, row.step_seq = claim.step.run, claim.step.seq


async def _number(session: AsyncSession, uid: str, year: int) -> str:
    known = await session.get(ReceiptNumber, uid)
    if known is None:
        count = await next_number(session, f"{NUMBER_SERIES}-{year}")
        known = ReceiptNumber(uid=uid, ref=f"{NUMBER_SERIES}-{year}-{count:06d}")
        session.add(known)
    return known.ref
