"""Cross-checks of a finished receipt: what does not come out clean becomes an exception with a severity.

`CHECKS` lists all of them; their codes are translation keys. `expected` and `found` are values, not sentences.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.ingest.models import JournalEntry
from cloud.masters.lookup import products_of_code
from cloud.masters.models import OrderLine, Product
from cloud.people.accounts import user_by_login
from cloud.people.models import Role
from cloud.receiving.amounts import exact
from cloud.receiving.models import Evidence, LineStanding, ProjectionFault, Receipt, ReceiptLine
from sync_protocol.entries import ReadingEntry, parse
from sync_protocol.errors import TextFault
from sync_protocol.quantity import UNITS, Quantity, plain
from sync_protocol.receiving.settings import Severity

CHECKS: dict[str, Severity] = {
    "no_lines": Severity.DECISION,
    "steps_contradict": Severity.DECISION,
    "line_left_open": Severity.DECISION,
    "operator_unknown": Severity.DECISION,
    "station_unknown": Severity.DECISION,
    "order_missing": Severity.DECISION,
    "order_unknown": Severity.DECISION,
    "order_not_confirmed": Severity.DECISION,
    "supplier_differs": Severity.DECISION,
    "document_missing": Severity.DECISION,
    "document_again": Severity.DECISION,
    "product_unknown": Severity.STOP,
    "product_not_on_order": Severity.DECISION,
    "code_unknown": Severity.DECISION,
    "code_of_other_product": Severity.DECISION,
    "unit_differs": Severity.STOP,
    "over_tolerance": Severity.DECISION,
    "lot_missing": Severity.DECISION,
    "expiry_missing": Severity.DECISION,
    "expired": Severity.DECISION,
    "identity_not_measured": Severity.DECISION,
    "weight_not_measured": Severity.DECISION,
    "weight_not_stable": Severity.DECISION,
    "scale_out_of_calibration": Severity.DECISION,
    "kept_by_operator": Severity.INFO,
    "not_verified": Severity.STOP,
}

RECHECKED = frozenset({"order_unknown", "order_not_confirmed", "over_tolerance", "unit_differs", "document_again"})
"""What other receipts or staff can change between the finish and the posting: looked at again when posting."""

CLOCK_AHEAD = timedelta(hours=1)
"""A box whose set clock is further ahead of the cloud's than this is not believed about the day of arrival."""

SHOWN_PLACES = 6


@dataclass(frozen=True, slots=True)
class Finding:
    """One check that did not come out clean."""

    check: str
    line: int | None = None
    expected: str | None = None
    found: str | None = None

    @property
    def severity(self) -> Severity:
        return CHECKS[self.check]


async def all_findings(session: AsyncSession, receipt: Receipt) -> list[Finding]:
    """Every finding about a receipt whose rows are complete, but for its verification."""
    findings = [*_head(receipt), *await _faults(session, receipt), *await _operator(session, receipt)]
    findings += await changing_findings(session, receipt)
    arrival = arrival_day(receipt)
    for line in receipt.lines:
        if line.standing == LineStanding.COUNTING:
            findings.append(Finding("line_left_open", line.number))
        if line.standing == LineStanding.CONFIRMED:
            findings += _line(line, arrival)
            findings += await _evidence(session, receipt, line)
    return findings


async def changing_findings(session: AsyncSession, receipt: Receipt) -> list[Finding]:
    """Findings that depend on other records, RECHECKED: order, amounts already received, the same delivery note."""
    return [*_order(receipt), *_amounts(receipt), *await _document_again(session, receipt)]


def counted(receipt: Receipt) -> list[ReceiptLine]:
    """The lines that count."""
    return [line for line in receipt.lines if line.standing == LineStanding.CONFIRMED]


def quantity(line: ReceiptLine) -> Quantity | None:
    """A line's amount, None while it has none."""
    return Quantity(line.quantity, line.unit) if line.quantity is not None and line.unit is not None else None


def arrival_day(receipt: Receipt) -> date:
    """The day at the site on which the goods came: by the box's clock where it can be right, else the day of receipt here."""
    received = receipt.opened_received_at
    opened = receipt.opened_at if receipt.opened_at is not None and receipt.clock_set else None
    at = opened if opened is not None and opened <= received + CLOCK_AHEAD else received
    return _local(at, receipt.site.tz if receipt.site else "UTC").date()


def _local(at: datetime, zone: str) -> datetime:
    try:
        return at.astimezone(ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError):
        return at


def _head(receipt: Receipt) -> Iterator[Finding]:
    if not counted(receipt):
        yield Finding("no_lines")
    if receipt.station is None:
        yield Finding("station_unknown", found=receipt.station_code)
    if receipt.order_ref is None:
        yield Finding("order_missing")
    if receipt.order is not None and receipt.supplier_id != receipt.order.supplier_id:
        yield Finding(
            "supplier_differs",
            expected=receipt.order.supplier.ref,
            found=receipt.supplier.ref if receipt.supplier else None,
        )
    if receipt.document_no is None and not receipt.no_document_reason:
        yield Finding("document_missing")


async def _faults(session: AsyncSession, receipt: Receipt) -> list[Finding]:
    rows = await session.scalars(
        select(ProjectionFault)
        .where(ProjectionFault.job == receipt.uid, ProjectionFault.box_id == receipt.box_id)
        .order_by(ProjectionFault.run, ProjectionFault.seq)
    )
    return [Finding("steps_contradict", found=f"{row.code} {row.run}:{row.seq}") for row in rows]


async def _operator(session: AsyncSession, receipt: Receipt) -> list[Finding]:
    user = await user_by_login(session, receipt.operator)
    if user is not None and user.active and user.role != Role.VIEWER:
        return []
    return [Finding("operator_unknown", found=receipt.operator)]


def _order(receipt: Receipt) -> Iterator[Finding]:
    if receipt.order_ref is not None and receipt.order is None:
        yield Finding("order_unknown", found=receipt.order_ref)
    if receipt.order is not None and receipt.order.state != "confirmed":
        yield Finding("order_not_confirmed", expected="confirmed", found=receipt.order.state)


def _amounts(receipt: Receipt) -> Iterator[Finding]:
    """Ordered against everything posted so far plus this receipt, over all its lines of an order line together."""
    totals: dict[int, tuple[OrderLine, Fraction, int]] = {}
    for line in counted(receipt):
        amount, order_line = quantity(line), line.order_line
        target = order_line.unit if order_line else line.product.unit if line.product else None
        if amount is None or target is None:
            continue
        try:
            value = exact(amount, target)
            amount.to(target)
        except TextFault:
            yield Finding("unit_differs", line.number, expected=target, found=amount.unit)
            continue
        if order_line is not None:
            before = totals[order_line.id][1] if order_line.id in totals else Fraction(order_line.received)
            totals[order_line.id] = (order_line, before + value, line.number)
    for order_line, total, number in totals.values():
        limit = Fraction(order_line.quantity) * (1 + Fraction(order_line.product.over_tolerance))
        if total > limit:
            yield Finding("over_tolerance", number, expected=_shown(limit, order_line), found=_shown(total, order_line))


def _shown(amount: Fraction, order_line: OrderLine) -> str:
    # For a person's eye; the comparison was made on the fractions.
    rounded = Decimal(round(amount * 10**SHOWN_PLACES)).scaleb(-SHOWN_PLACES).normalize() + 0
    return f"{plain(rounded)} {order_line.unit}"


def _line(line: ReceiptLine, arrival: date) -> Iterator[Finding]:
    product = line.product
    if product is None:
        yield Finding("product_unknown", line.number, found=line.sku)
        return
    if line.order_line is None:
        yield Finding("product_not_on_order", line.number, found=product.sku)
    if product.tracking == "lot" and not line.lot:
        yield Finding("lot_missing", line.number)
    if product.expiry == "required" and line.expiry is None:
        yield Finding("expiry_missing", line.number)
    if line.expiry is not None and line.expiry < arrival:
        yield Finding("expired", line.number, expected=arrival.isoformat(), found=line.expiry.isoformat())
    if line.kept_reason:
        yield Finding("kept_by_operator", line.number, found=line.kept_reason)


async def _evidence(session: AsyncSession, receipt: Receipt, line: ReceiptLine) -> list[Finding]:
    if line.product is None:
        return []
    rows = {row.field: row for row in receipt.evidence if row.line is line}
    findings = list(_policies(line, line.product, rows))
    identity, amount = rows.get("identity"), rows.get("quantity")
    if identity is not None:
        findings += await _code(session, line, line.product, identity)
    if amount is not None and amount.mode == "device":
        findings += await _scale(session, line, amount)
    return findings


def _policies(line: ReceiptLine, product: Product, rows: dict[str, Evidence]) -> Iterator[Finding]:
    identity, amount = rows.get("identity"), rows.get("quantity")
    if product.identity_policy == "required" and (identity is None or identity.mode != "device"):
        yield Finding("identity_not_measured", line.number, found=identity.reason if identity else None)
    weighed = UNITS.get(product.unit, ("",))[0] == "mass"
    if weighed and product.weight_policy == "required" and (amount is None or amount.mode != "device"):
        yield Finding("weight_not_measured", line.number, found=amount.reason if amount else None)


async def _code(session: AsyncSession, line: ReceiptLine, product: Product, identity: Evidence) -> Iterable[Finding]:
    if identity.mode == "manual" and identity.value == product.sku:
        return []
    texts = [identity.value]
    reading = await reading_of(session, identity)
    if reading is not None and "gtin" in reading.details:
        texts.append(reading.details["gtin"])
    named: set[str] = set()
    for text in texts:
        named |= await products_of_code(session, text)
    if not named:
        return [Finding("code_unknown", line.number, expected=product.sku, found=identity.value)]
    if product.sku not in named:
        return [Finding("code_of_other_product", line.number, expected=product.sku, found=", ".join(sorted(named)))]
    return []


async def _scale(session: AsyncSession, line: ReceiptLine, amount: Evidence) -> list[Finding]:
    reading = await reading_of(session, amount)
    if reading is None:
        return []  # the verification says so, and louder
    flags = set(reading.flags)
    findings = []
    if flags & {"motion", "overload", "underload"} or (reading.kind == "mass" and "stable" not in flags):
        findings.append(Finding("weight_not_stable", line.number, expected="stable", found=" ".join(sorted(flags)) or None))
    if "out_of_calibration" in flags:
        findings.append(Finding("scale_out_of_calibration", line.number))
    return findings


async def reading_of(session: AsyncSession, evidence: Evidence) -> ReadingEntry | None:
    """The reading that evidence names, None when there is none that can be read."""
    if evidence.run is None or evidence.seq is None:
        return None
    row = await session.get(JournalEntry, (evidence.run, evidence.seq))
    if row is None:
        return None
    try:
        entry = parse(row.content)
    except TextFault:
        return None
    return entry if isinstance(entry, ReadingEntry) else None


async def _document_again(session: AsyncSession, receipt: Receipt) -> list[Finding]:
    if receipt.document_no is None or receipt.supplier_id is None:
        return []
    other = await session.scalar(
        select(Receipt.ref)
        .where(
            Receipt.supplier_id == receipt.supplier_id,
            Receipt.document_no == receipt.document_no,
            Receipt.id != receipt.id,
            or_(Receipt.state == "posted", and_(Receipt.state == "check", Receipt.id < receipt.id)),
        )
        .order_by(Receipt.id)
        .limit(1)
    )
    return [] if other is None else [Finding("document_again", found=other)]
