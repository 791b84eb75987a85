"""Makes a receipt's rows say what its draft says. Master data is looked up by the codes that the box used."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy.ext.asyncio import AsyncSession

from cloud.clock import from_wall_ns
from cloud.db.settings_table import next_number
from cloud.masters.lookup import order_by_ref, party_by_ref, product_by_sku, station_by_code
from cloud.masters.models import OrderLine, PurchaseOrder
from cloud.receiving import said
from cloud.receiving.fold import AMOUNTS, Claim, Draft, DraftLine, Step
from cloud.receiving.models import (
    Evidence,
    LearnedCode,
    Receipt,
    ReceiptLine,
    ReceiptNumber,
    ReceiptPhoto,
    ReceiptRemainder,
    ReceiptSerial,
)
from cloud.trade.notices import notice_by_ref
from sync_protocol.entries import Clk
from sync_protocol.ids import EntryId

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
    notice = await notice_by_ref(session, draft.opened.notice)
    supplier = await party_by_ref(session, draft.opened.supplier)
    entry = arrived.step.entry
    receipt = Receipt(
        uid=draft.job,
        ref=await _number(session, draft.job, arrived.received_at.year),
        box_id=arrived.box,
        station_code=draft.station,
        order_ref=draft.opened.order,
        notice_ref=draft.opened.notice,
        notice_uid=notice.uid if notice is not None else None,
        owner_ref=draft.opened.owner,
        owner=await party_by_ref(session, draft.opened.owner),
        number=draft.opened.number,
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
        photos=[],
        learned=[],
        remainders=[],
    )
    session.add(receipt)
    _write_evidence(receipt, None, draft.claims())
    await session.flush()
    return receipt


async def write_head(session: AsyncSession, receipt: Receipt, draft: Draft) -> None:
    """Bring what came with the goods, and its evidence, to what the draft says."""
    given = draft.arrival
    texts = {name: given[name].value.value for name in ("vehicle", "container", "seal") if name in given}
    for name, text in texts.items():
        setattr(receipt, name, text)
    for name in ("temperature", "weighbridge"):
        if name in given:
            amount = said.measure(given[name].value)
            setattr(receipt, name, amount.value)
            setattr(receipt, f"{name}_unit", amount.unit)
    zone = receipt.site.tz if receipt.site is not None else "UTC"
    for name in ("shipped_at", "arrived_at"):
        if name in given:
            setattr(receipt, name, _moment(said.moment(given[name].value), zone))
    _write_evidence(receipt, None, draft.claims())
    await session.flush()


async def write_beside(session: AsyncSession, receipt: Receipt, before: Draft, after: Draft) -> None:
    """Add the photos, learned codes and remainders that the draft has and had not."""
    if (before.photos, before.learned, before.remainders) == (after.photos, after.learned, after.remainders):
        return
    for shot in after.photos[len(before.photos) :]:
        photo = shot.photo
        shown = {"line_number": photo.line, "subject": photo.subject, "sha256": photo.sha256}
        receipt.photos.append(ReceiptPhoto(**shown, **_said(shot.by, shot.step, shot.reading)))
    for one in after.learned[len(before.learned) :]:
        learn = one.learn
        product = await product_by_sku(session, learn.product)
        named: dict[str, Any] = {"scheme": learn.scheme, "code": learn.code, "sku": learn.product, "pack": learn.pack}
        named |= {"product": product, "standing": "proposed"}
        receipt.learned.append(LearnedCode(**named, **_said(one.by, one.step, one.reading)))
    for rest in after.remainders[len(before.remainders) :]:
        receipt.remainders.append(ReceiptRemainder(order_line=rest.order_line, policy=rest.policy, reason=rest.reason))
    await session.flush()


def _said(by: str, step: EntryId, reading: EntryId | None) -> Mapping[str, Any]:
    named = {"run": reading.run, "seq": reading.seq} if reading is not None else {}
    return {"by": by, "step_run": step.run, "step_seq": step.seq, **named}


def _moment(at: datetime | date, zone: str) -> datetime:
    """A time, or the begin of a day at the site."""
    if isinstance(at, datetime):
        return at.astimezone(UTC)
    try:
        there = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        return datetime.combine(at, time(), UTC)
    return datetime.combine(at, time(), there).astimezone(UTC)


def _can_be_right(clk: Clk) -> bool:
    """Whether the box's wall clock may say which day it is: `cloud` alone means only that its error is known."""
    return clk.s in {"ntp", "rtc"} or (clk.s == "cloud" and clk.err_ms is not None and clk.err_ms <= MINUTE_MS)


async def write_line(session: AsyncSession, receipt: Receipt, line: DraftLine) -> None:
    """Bring one line and its evidence to what the draft says."""
    row = next((row for row in receipt.lines if row.number == line.number), None)
    if row is None:
        row = ReceiptLine(number=line.number, serials=[])
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
    row.condition, row.condition_reason = line.condition, line.condition_reason
    row.notice_line, row.sscc, row.pack = item.notice_line, line.unit.value.value if line.unit else None, item.pack
    row.packaging = line.packaging
    for name in AMOUNTS:
        amount = line.amounts.get(name)
        setattr(row, name, amount.value if amount else None)
        setattr(row, f"{name}_unit", amount.unit if amount else None)
    _write_serials(row, line)
    _write_evidence(receipt, row, line.claims())
    await session.flush()


def _write_serials(row: ReceiptLine, line: DraftLine) -> None:
    wanted = {n: claim.value.value for n, claim in line.serials}
    for old in [each for each in row.serials if wanted.get(each.n) != each.serial]:
        row.serials.remove(old)
    known = {each.n for each in row.serials}
    row.serials.extend(ReceiptSerial(n=n, serial=serial) for n, serial in wanted.items() if n not in known)


def _write_evidence(receipt: Receipt, row: ReceiptLine | None, claims: Mapping[str, Claim]) -> None:
    known = {each.field: each for each in receipt.evidence if each.line is row}
    for field, old in known.items():
        if field not in claims:
            receipt.evidence.remove(old)
    for field, claim in claims.items():
        if field in known:
            _fill(known[field], claim)
        else:
            receipt.evidence.append(_evidence(field, claim, row))


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
    row.formula = value.formula
    row.run, row.seq = (claim.reading.run, claim.reading.seq) if claim.reading else (None, None)
    row.step_run, row.step_seq = claim.step.run, claim.step.seq


async def _number(session: AsyncSession, uid: str, year: int) -> str:
    known = await session.get(ReceiptNumber, uid)
    if known is None:
        count = await next_number(session, f"{NUMBER_SERIES}-{year}")
        known = ReceiptNumber(uid=uid, ref=f"{NUMBER_SERIES}-{year}-{count:06d}")
        session.add(known)
    return known.ref
