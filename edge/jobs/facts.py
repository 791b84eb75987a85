"""What the shared checks look at, gathered from a receipt at the box and from the mirror. Pure; the core uses its rows."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Final

from edge.jobs.learned import LEARNED_REV
from edge.jobs.moment import Context
from edge.jobs.receive import Line, ReceiveJob
from edge.mirror.view import MasterView
from sync_protocol.masters import CheckSetting, Code, Delivery, Location, Lot, Order, OrderLine, Product, Unit
from sync_protocol.quantity import Quantity, decimal
from sync_protocol.receiving.facts import LineFacts, LotFact, ReadingFact, ReceiptFacts
from sync_protocol.receiving.settings import Severity
from sync_protocol.steps import Amount, FieldValue

# AI 01 stands first in an element string that names a trade item (GS1 General Specifications 3.3.2); plain codes are EAN-8,
# UPC-A, EAN-13 and ITF-14, whose numbers are filled up with zeros to 14 digits.
_GS1_GTIN: Final = re.compile(r"(?:\][A-Za-z][0-9])?01([0-9]{14})")
_PLAIN_GTIN: Final = re.compile(r"[0-9]{8}|[0-9]{12,14}")

_KNOWN_TARES: Final = frozenset({"packaging"})
"""Reasons of a typed tare that is not the operator's own figure."""


_Uses = Mapping[str, Sequence[int]]
"""Readings, and the numbers of the lines that rest on each."""


def facts_of(job: ReceiveJob, context: Context) -> ReceiptFacts:
    """The receipt with all its lines that were not discarded, the one in hand as well."""
    masters, opened, arrival = context.masters, job.opened, job.arrival
    document = opened.document.value if opened is not None and opened.document is not None else None
    notice, uses = masters.notice(job.notice) if job.notice else None, _uses_of(job)
    order = masters.order(job.order) if job.order else None
    temperature = arrival.temperature if arrival is not None else None
    return ReceiptFacts(
        arrival=context.today,
        now=context.at,
        lines=tuple(_line(job, line, order, uses, context) for line in job.lines if line.live),
        order_given=job.order,
        order=order,
        order_state="confirmed" if order is not None else None,
        notice_given=job.notice,
        notice=notice,
        supplier=job.supplier,
        owner=job.owner,
        document=document,
        no_document_reason=opened.no_document_reason if opened is not None else None,
        document_received=_delivery(masters, job, document),
        operator=job.by,
        container=_said(arrival.container if arrival is not None else None),
        seal=_said(arrival.seal if arrival is not None else None),
        temperature=quantity_of(temperature) if temperature is not None else None,
        arrived_at=_time(arrival.arrived_at if arrival is not None else None),
        shipped_at=_time(arrival.shipped_at if arrival is not None else None),
        severities=severities(masters),
    )


def severities(masters: MasterView) -> dict[tuple[str, str | None], Severity]:
    """How grave the house wants failed checks to be."""
    return {(row.check, row.product): Severity(row.severity) for _, row in masters.table(CheckSetting)}


def quantity_of(field: FieldValue) -> Quantity:
    """The amount that a field holds; raises TextFault when it is none."""
    return Quantity(decimal(field.value), field.unit or "1")


def _line(job: ReceiveJob, line: Line, order: Order | None, uses: _Uses, context: Context) -> LineFacts:
    item, masters, measured = line.item, context.masters, line.measured
    product = masters.product(item.product)
    notice = masters.notice(job.notice) if job.notice else None
    lot, unit = item.lot.value if item.lot else None, item.unit.value if item.unit else None
    serials = tuple(one.value for one in line.serials)
    means, learned = _means(job, line, masters)
    facts = LineFacts(
        number=line.number,
        sku=item.product,
        product=product,
        order_line=_order_line(order, item.order_line, item.product),
        notice_line=next((row for row in notice.lines if row.line == item.notice_line), None) if notice else None,
        code=item.identity.value if item.identity.mode == "device" else None,
        code_means=means,
        learned=learned,
        identity_mode=item.identity.mode,
        lot=lot,
        lot_known=_lot(masters, item.product, lot),
        expiry=date.fromisoformat(item.expiry.value) if item.expiry is not None else None,
        serials=serials,
        serials_in_stock=frozenset(one for one in serials if _in_stock(masters, item.product, one)),
        sscc=unit,
        sscc_received=_unit_received(masters, job, unit),
        condition=line.condition.condition if line.condition is not None else "good",
        photos=len(line.photos),
        location=_place(masters, line, product),
        owner=job.owner or (product.owner if product is not None else None) or _house(masters),
        kept_reason=line.kept,
    )
    return _with_amounts(facts, uses, line, measured) if measured is not None else facts


def _with_amounts(facts: LineFacts, uses: _Uses, line: Line, measured: Amount) -> LineFacts:
    def of(field: FieldValue | None) -> Quantity | None:
        return quantity_of(field) if field is not None else None

    tare = measured.tare
    return replace(
        facts,
        quantity_mode=measured.quantity.mode,
        quantity=of(measured.quantity),
        gross=of(measured.gross),
        tare=of(tare),
        tare_known=tare is not None and (tare.mode == "device" or tare.reason in _KNOWN_TARES),
        pieces=of(measured.pieces),
        weight=_weight(uses, line, measured),
    )


def _weight(uses: _Uses, line: Line, measured: Amount) -> ReadingFact | None:
    """The box takes only what the scale calls stable and what is at most two seconds old (edge.jobs.weighing)."""
    mine = tuple(_readings(measured))
    if not mine:
        return None
    used = next((number for reading in mine for number in uses[reading] if number != line.number), None)
    return ReadingFact("mass", frozenset({"stable"}), age_s=0.0, used_by=str(used) if used is not None else None)


def _uses_of(job: ReceiveJob) -> _Uses:
    found: dict[str, list[int]] = {}
    for line in job.lines:
        if line.live and line.measured is not None:
            for reading in _readings(line.measured):
                found.setdefault(reading, []).append(line.number)
    return found


def _readings(measured: Amount) -> Iterator[str]:
    for field in (measured.quantity, measured.gross, measured.pieces):
        if field is not None and field.reading is not None:
            yield field.reading


def _order_line(order: Order | None, number: str | None, sku: str) -> OrderLine | None:
    rows = order.lines if order is not None else []
    return next((row for row in rows if row.line == number and row.product == sku), None)


def _means(job: ReceiveJob, line: Line, masters: MasterView) -> tuple[frozenset[str], bool]:
    """Which products the scanned text stands for, leaving out what boxes learned, and whether this receipt learned it."""
    item = line.item
    if item.identity.mode != "device":
        return frozenset(), False
    rows = list(_codes(masters, item.identity.value, job.supplier))
    known = [code for rev, code in rows if rev != LEARNED_REV]
    if known:
        return frozenset(sku for code in known for sku in (code.product, *code.others)), False
    learned = any(one.product == item.product and one.code in _texts(item.identity.value) for one in job.learned)
    if rows or learned:
        return frozenset(), learned
    # A line cannot begin with a code that names nothing: the reader's driver told more of it than its text does.
    return frozenset({item.product}), False


def _codes(masters: MasterView, text: str, supplier: str | None) -> Iterator[tuple[int, Code]]:
    for one in _texts(text):
        for key in (f"gtin:{one}", f"own:{one}", f"supplier:{one}", f"supplier:{one}:{supplier}"):
            found = masters.rows.get(("code", key))
            if found is not None and isinstance(found[1], Code):
                yield found[0], found[1]


def _texts(text: str) -> tuple[str, ...]:
    if (gs1 := _GS1_GTIN.match(text)) is not None:
        return text, gs1.group(1)
    return (text, text.zfill(14)) if _PLAIN_GTIN.fullmatch(text) else (text,)


def _lot(masters: MasterView, sku: str, lot: str | None) -> LotFact | None:
    found = masters.rows.get(("lot", f"{sku}:{lot}")) if lot is not None else None
    if found is None or not isinstance(found[1], Lot):
        return None
    return LotFact(date.fromisoformat(found[1].expiry) if found[1].expiry else None, found[1].status)


def _in_stock(masters: MasterView, sku: str, serial: str) -> bool:
    found = masters.rows.get(("lot", f"{sku}:{serial}"))
    return found is not None and isinstance(found[1], Lot) and found[1].serial and found[1].in_stock


def _unit_received(masters: MasterView, job: ReceiveJob, sscc: str | None) -> str | None:
    found = masters.rows.get(("unit", sscc)) if sscc is not None else None
    if found is None or not isinstance(found[1], Unit) or found[1].receipt in {None, job.id}:
        return None
    return found[1].receipt


def _delivery(masters: MasterView, job: ReceiveJob, document: str | None) -> str | None:
    found = masters.rows.get(("delivery", f"{job.supplier}:{document}")) if document is not None else None
    if found is None or not isinstance(found[1], Delivery) or found[1].receipt == job.id:
        return None
    return found[1].ref


def _place(masters: MasterView, line: Line, product: Product | None) -> Location | None:
    """Where the goods go; None where the core chooses a place for them (quarantine, damaged goods)."""
    station = masters.station()
    if station is None or station.location is None or line.damaged or (product is not None and product.quarantine):
        return None
    return masters.location(station.location)


def _house(masters: MasterView) -> str | None:
    station = masters.station()
    return station.house if station is not None else None


def _said(field: FieldValue | None) -> str | None:
    return field.value if field is not None else None


def _time(field: FieldValue | None) -> datetime | None:
    """An ISO date or time; without zone it is UTC's."""
    if field is None:
        return None
    try:
        at = datetime.fromisoformat(field.value)
    except ValueError:
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
