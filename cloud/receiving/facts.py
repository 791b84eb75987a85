"""Gathers what the checks look at from a receipt's rows and from what else is known here."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.masters.models import Location, Party, Product
from cloud.people.accounts import user_by_login
from cloud.people.models import Role
from cloud.receiving.known import (
    location_known,
    notice_known,
    notice_line_known,
    order_known,
    order_line_known,
    product_known,
)
from cloud.receiving.lookups import Around
from cloud.receiving.models import Evidence, LineStanding, Receipt, ReceiptLine
from cloud.stock.places import house_of
from cloud.trade.models import CheckSetting, Notice
from sync_protocol import masters
from sync_protocol.quantity import Quantity
from sync_protocol.receiving.facts import LineFacts, ReceiptFacts
from sync_protocol.receiving.settings import Severity

CLOCK_AHEAD = timedelta(hours=1)
"""A box whose set clock is further ahead of the cloud's than this is not believed about the day of arrival."""

PLACES = {"damaged": "rejected", "quarantine": "quarantine", "good": "receiving"}
"""How goods came, and the usage of the place they are posted to."""


def counted(receipt: Receipt) -> list[ReceiptLine]:
    """The lines that count."""
    return [line for line in receipt.lines if line.standing == LineStanding.CONFIRMED]


def quantity(line: ReceiptLine) -> Quantity | None:
    """A line's amount, None while it has none."""
    return Quantity(line.quantity, line.unit) if line.quantity is not None and line.unit is not None else None


def arrival_day(receipt: Receipt) -> date:
    """The day at the site on which the goods came: as said, by the box's clock where it can be right, else of receipt here."""
    received = receipt.opened_received_at
    opened = receipt.opened_at if receipt.opened_at is not None and receipt.clock_set else None
    at = opened if opened is not None and opened <= received + CLOCK_AHEAD else received
    return _local(receipt.arrived_at or at, receipt.site.tz if receipt.site else "UTC").date()


def _local(at: datetime, zone: str) -> datetime:
    try:
        return at.astimezone(ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError):
        return at


def goes_to(line: ReceiptLine) -> str:
    """The usage of the place for a line's goods: key of PLACES."""
    if line.condition == "damaged":
        return "damaged"
    return "quarantine" if line.product is not None and line.product.quarantine else "good"


@dataclass(frozen=True, slots=True)
class _Head:
    """What all lines of one receipt share."""

    receipt: Receipt
    arrival: date
    notice: Notice | None
    house: Party | None
    around: Around
    parties: Mapping[int, str]
    places: Mapping[str, Location]


async def gather(session: AsyncSession, receipt: Receipt) -> ReceiptFacts:
    """The facts of a receipt whose rows are complete."""
    arrival = arrival_day(receipt)
    notice = await notice_of(session, receipt)
    lines = counted(receipt)
    around = await Around.load(session, receipt, lines, arrival)
    places = await _places(session, receipt)
    head = _Head(receipt, arrival, notice, await house_of(session), around, await _refs(session, lines, places), places)
    user = await user_by_login(session, receipt.operator)
    temperature = receipt.temperature
    return ReceiptFacts(
        arrival=arrival,
        now=receipt.finished_received_at,
        lines=tuple(_line(head, line) for line in lines),
        order_given=receipt.order_ref,
        order=order_known(receipt.order) if receipt.order is not None else None,
        order_state=receipt.order.state if receipt.order is not None else None,
        notice_given=receipt.notice_ref,
        notice=notice_known(notice) if notice is not None else None,
        notice_state=notice.state if notice is not None else None,
        supplier=receipt.supplier.ref if receipt.supplier is not None else None,
        owner=receipt.owner.ref if receipt.owner is not None else None,
        document=receipt.document_no,
        no_document_reason=receipt.no_document_reason,
        document_received=around.document,
        station=receipt.station_code,
        station_known=receipt.station is not None,
        operator=receipt.operator,
        operator_known=user is not None and user.active and user.role != Role.VIEWER,
        left_open=tuple(line.number for line in receipt.lines if line.standing == LineStanding.COUNTING),
        container=receipt.container,
        seal=receipt.seal,
        temperature=Quantity(temperature, receipt.temperature_unit or "Cel") if temperature is not None else None,
        arrived_at=receipt.arrived_at,
        shipped_at=receipt.shipped_at,
        severities=await severities(session),
    )


async def notice_of(session: AsyncSession, receipt: Receipt) -> Notice | None:
    """The notice that the receipt is of."""
    if receipt.notice_uid is None:
        return None
    return await session.scalar(select(Notice).where(Notice.uid == receipt.notice_uid))


async def severities(session: AsyncSession) -> dict[tuple[str, str | None], Severity]:
    """What the house set: (check, sku or None for all)."""
    rows = await session.execute(
        select(CheckSetting.check, Product.sku, CheckSetting.severity)
        .outerjoin(Product, Product.id == CheckSetting.product_id)
        .where(CheckSetting.archived.is_(False))
    )
    known = {each.value for each in Severity}
    return {(check, sku): Severity(value) for check, sku, value in rows if value in known}


def owner_of(receipt: Receipt, line: ReceiptLine, notice: Notice | None) -> int | None:
    """Whose goods a line's are, by id: as the receipt, its order or notice, or the product says. None: the house's."""
    said = (
        receipt.owner_id,
        receipt.order.owner_id if receipt.order is not None else None,
        notice.owner_id if notice is not None else None,
        line.product.owner_id if line.product is not None else None,
    )
    return next((each for each in said if each is not None), None)


async def _places(session: AsyncSession, receipt: Receipt) -> dict[str, Location]:
    """By the keys of PLACES, as far as such places are there."""
    found: dict[str, Location] = {}
    if receipt.site_id is not None:
        rows = await session.scalars(
            select(Location)
            .where(Location.site_id == receipt.site_id, Location.usage.in_(PLACES.values()), Location.archived.is_(False))
            .order_by(Location.id.desc())
        )
        usages = {row.usage: row for row in rows}
        found = {key: usages[usage] for key, usage in PLACES.items() if usage in usages}
    own = receipt.station.location_id if receipt.station is not None else None
    station = await session.get(Location, own) if own is not None else None
    return found if station is None else {**found, "good": station}


async def _refs(session: AsyncSession, lines: list[ReceiptLine], places: Mapping[str, Location]) -> dict[int, str]:
    """Refs of the parties whose products and places these are."""
    wanted = {line.product.owner_id for line in lines if line.product is not None}
    wanted |= {place.owner_id for place in places.values()}
    rows = await session.execute(select(Party.id, Party.ref).where(Party.id.in_({each for each in wanted if each is not None})))
    return {key: value for key, value in rows}  # noqa: C416 - a row unpacks, and is no tuple to the type checker


def _line(head: _Head, line: ReceiptLine) -> LineFacts:
    evidence = {row.field: row for row in head.receipt.evidence if row.line is line}
    identity, amount, gross = evidence.get("identity"), evidence.get("quantity"), evidence.get("gross")
    around, product = head.around, line.product
    code = _code(line, identity)
    weighed = amount if amount is not None and amount.run is not None else gross
    named = [row for row in (head.notice.lines if head.notice is not None else []) if row.line == line.notice_line]
    return LineFacts(
        number=line.number,
        sku=line.sku,
        product=_product(head, product) if product is not None else None,
        order_line=order_line_known(line.order_line) if line.order_line is not None else None,
        notice_line=notice_line_known(named[0]) if named else None,
        code=code,
        code_means=around.means(line, identity) if code is not None else frozenset(),
        learned=any(each.sku == line.sku and each.code in around.texts(identity) for each in head.receipt.learned),
        identity_mode=identity.mode if identity is not None else "manual",
        quantity_mode=amount.mode if amount is not None else "manual",
        quantity=quantity(line),
        gross=_amount(line, "gross"),
        tare=_amount(line, "tare"),
        tare_known=around.tare_known(line, evidence.get("tare")),
        pieces=_amount(line, "pieces"),
        lot=line.lot,
        lot_known=around.lot(line),
        expiry=line.expiry,
        serials=tuple(each.serial for each in line.serials),
        serials_in_stock=around.serials_here(line),
        sscc=line.sscc,
        sscc_received=around.units.get(line.sscc or ""),
        condition=line.condition,
        photos=sum(1 for each in head.receipt.photos if each.line_number == line.number),
        weight=around.reading(weighed) if weighed is not None else None,
        location=_place(head, line),
        owner=_owner(head, line),
        kept_reason=line.kept_reason,
    )


def _code(line: ReceiptLine, identity: Evidence | None) -> str | None:
    """The scanned text; None where the product was chosen by its own number."""
    if identity is None or (identity.mode == "manual" and identity.value == line.sku):
        return None
    return identity.value


def _amount(line: ReceiptLine, name: str) -> Quantity | None:
    value, unit = getattr(line, name), getattr(line, f"{name}_unit")
    return Quantity(value, unit) if value is not None and unit is not None else None


def _product(head: _Head, product: Product) -> masters.Product:
    return product_known(product, head.parties.get(product.owner_id) if product.owner_id is not None else None)


def _place(head: _Head, line: ReceiptLine) -> masters.Location | None:
    place = line.location or head.places.get(goes_to(line))
    if place is None:
        return None
    return location_known(place, head.parties.get(place.owner_id) if place.owner_id is not None else None)


def _owner(head: _Head, line: ReceiptLine) -> str | None:
    owner = owner_of(head.receipt, line, head.notice)
    if owner is None:
        return head.house.ref if head.house is not None else None
    parties = (head.receipt.owner, head.receipt.order and head.receipt.order.owner, head.notice and head.notice.owner)
    known = {party.id: party.ref for party in parties if party is not None}
    return known.get(owner) or head.parties.get(owner)
