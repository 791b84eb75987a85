"""What is announced to the invented house, in which packaging, and which containers stand there."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.kernel.actor import Taken
from cloud.kernel.transition import transition
from cloud.masters.demo_products import COMPANY
from cloud.masters.models import Location, OrderLine, Party, Product, PurchaseOrder, Site
from cloud.trade.container_events import apply_event
from cloud.trade.models import CheckSetting, Container, ContainerEvent, Notice, NoticeLine, Packaging
from cloud.trade.notices import NOTICE
from sync_protocol.identifiers import check_digit


def pallet(serial: int) -> str:
    """An SSCC of the invented company."""
    body = f"1{COMPANY}{serial:07}"
    return body + check_digit(body)


PACKAGING = (
    ("EUR", "Euro pallet 120 x 80", "משטח יורו 120×80", "pallet", "25"),
    ("TUB-60", "Food tub, 60 litres", "מכל מזון 60 ליטר", "tub", "2.85"),
    ("CRT-450", "Crate 450 mm", "ארגז 450 מ״מ", "crate", "1.4"),
)

SETTINGS: tuple[tuple[str, str | None, str, list[str], bool], ...] = (
    ("temperature_out_of_range", "CHK-CUB", "stop", ["supervisor", "quality"], False),
    ("weight_off_notice", None, "decision", ["supervisor"], True),
    ("kept_by_operator", None, "info", [], False),
    ("life_too_short", "SLM-FIL", "stop", [], False),
)
"""Check, product, severity, who decides, and whether somebody else than the counter has to."""


@dataclass(frozen=True, slots=True)
class DemoLine:
    """`days`: until it expires."""

    sku: str
    quantity: str
    unit: str
    lot: str
    days: int
    sscc: str
    weight: str | None = None


@dataclass(frozen=True, slots=True)
class DemoNotice:
    """`hours`: until it is expected, and 8 more since it was shipped."""

    ref: str
    supplier: str
    order: str
    document: str
    hours: int
    carrier: str
    vehicle: str
    lines: tuple[DemoLine, ...]
    container: str | None = None
    seal: str | None = None
    weight: str | None = None


NOTICES = (
    DemoNotice(
        "NT-2026-0011", "SUP-014", "PO-2026-0041", "GP-88120", 2, "CAR-02", "81-402-33",
        (
            DemoLine("CHK-CUB", "80", "kg", "L2611A", 9, pallet(101), "80"),
            DemoLine("CHK-CUB", "40", "kg", "L2612A", 10, pallet(102), "40"),
            DemoLine("SLM-FIL", "40", "kg", "S4471", 8, pallet(103), "40"),
        ),
        weight="235",
    ),
    DemoNotice(
        "NT-2026-0012", "SUP-027", "PO-2026-0042", "KH-2207", -20, "CAR-01", "14-556-70",
        (
            DemoLine("ALM-WHL", "25", "kg", "A-1090", 300, pallet(201), "25"),
            # A mixed pallet: two products under one number.
            DemoLine("TAH-RAW", "240", "{pcs}", "T-0911", 240, pallet(202), "120"),
            DemoLine("OIL-OLV", "96", "{pcs}", "O-2025", 400, pallet(202), "66.24"),
        ),
        container="CSQU3054383", seal="GL-771204",
    ),
)  # fmt: skip
"""The second comes in the container that stands at the site; its pallets 201 and 202 are what is in it."""

CONTAINERS: tuple[dict[str, Any], ...] = (
    {
        "number": "CSQU3054383", "iso_type": "22G1", "direction": "import", "line": "Levant Lines", "client": "SUP-027",
        "booking": "LL-40021", "bill": "LLBL-99120", "tare": "2200", "seals": ["GL-771204"], "laden": True,
        "events": (("discharged", -50, "Haifa port"), ("gate_in", -20, None), ("stored", -19, None)),
    },
    {
        "number": "MSKU6011672", "iso_type": "45R1", "direction": "import", "line": "North Sea Reefer", "client": "CUS-100",
        "booking": "NSR-1189", "bill": "NSRBL-20417", "tare": "4600", "seals": ["NS-00912", "NS-00913"], "laden": True,
        "holds": ["customs"], "events": (("discharged", -30, "Ashdod port"), ("gate_in", 30, None)),
    },
)  # fmt: skip
"""Events: code, hours from now (those to come are planned) and where, if that is no place of ours."""


async def load_trade(session: AsyncSession, taken: Taken) -> bool:
    """Add to the invented house (cloud.masters.demo) two notices, packaging, settings of checks and two containers with their
    milestones. False when they are there already, and nothing is changed then."""
    if await session.scalar(select(Packaging.id).where(Packaging.code == PACKAGING[0][0])) is not None:
        return False
    products = {row.sku: row for row in await session.scalars(select(Product))}
    parties = {row.ref: row for row in await session.scalars(select(Party))}
    site = (await session.scalars(select(Site).order_by(Site.id).limit(1))).one()
    _add(session, taken, [
        Packaging(code=code, name=name, name_he=name_he, kind=kind, tare=Decimal(tare))
        for code, name, name_he, kind, tare in PACKAGING
    ])  # fmt: skip
    _add(session, taken, [
        CheckSetting(
            check=check, product_id=products[sku].id if sku else None, severity=severity, decide_roles=roles,
            needs_other_person=other,
        )
        for check, sku, severity, roles, other in SETTINGS
    ])  # fmt: skip
    await session.flush()
    for one in NOTICES:
        await _notice(session, taken, one, site, parties, products)
    for spec in CONTAINERS:
        await _container(session, taken, spec, site, parties)
    return True


def _add(session: AsyncSession, taken: Taken, rows: Iterable[Any]) -> None:
    for row in rows:
        row.created_at = row.updated_at = taken.at
        row.created_by = row.updated_by = taken.actor.name
        session.add(row)


async def _notice(
    session: AsyncSession,
    taken: Taken,
    one: DemoNotice,
    site: Site,
    parties: Mapping[str, Party],
    products: Mapping[str, Product],
) -> None:
    order = (await session.scalars(select(PurchaseOrder).where(PurchaseOrder.ref == one.order))).one()
    ordered = {row.product_id: row for row in await session.scalars(select(OrderLine).where(OrderLine.order_id == order.id))}
    notice = Notice(
        ref=one.ref,
        supplier=parties[one.supplier],
        order=order,
        site=site,
        document_no=one.document,
        carrier=parties[one.carrier],
        vehicle=one.vehicle,
        container_no=one.container,
        seals=[{"number": one.seal}] if one.seal else [],
        shipped_at=taken.at + timedelta(hours=one.hours - 8),
        expected_at=taken.at + timedelta(hours=one.hours),
        weight=Decimal(one.weight) if one.weight else None,
        currency=order.currency,
    )
    notice.lines = [
        _line(number, line, taken.at.date(), products[line.sku], ordered) for number, line in enumerate(one.lines, 1)
    ]
    _add(session, taken, [notice, *notice.lines])
    await session.flush()
    await transition(session, NOTICE, notice, "announce", taken)


def _line(number: int, line: DemoLine, today: date, product: Product, ordered: Mapping[int, OrderLine]) -> NoticeLine:
    return NoticeLine(
        line=str(number),
        order_line=ordered[product.id],
        product=product,
        quantity=Decimal(line.quantity),
        unit=line.unit,
        lot=line.lot,
        expires_on=today + timedelta(days=line.days),
        sscc=line.sscc,
        weight=Decimal(line.weight) if line.weight else None,
    )


async def _container(
    session: AsyncSession, taken: Taken, spec: Mapping[str, Any], site: Site, parties: Mapping[str, Party]
) -> None:
    yard = await session.scalar(select(Location.id).where(Location.code == "GAL-YRD"))
    container = Container(
        number=spec["number"],
        iso_type=spec["iso_type"],
        direction=spec["direction"],
        line=spec["line"],
        client=parties[spec["client"]],
        booking=spec["booking"],
        bill=spec["bill"],
        site=site,
        tare=Decimal(spec["tare"]),
        seals=[{"number": one} for one in spec["seals"]],
        holds=list(spec.get("holds", [])),
        laden=spec["laden"],
        expected_at=taken.at + timedelta(hours=30),
        free_until=taken.at + timedelta(days=7),
    )
    _add(session, taken, [container])
    await session.flush()
    for code, hours, place in spec["events"]:
        event = ContainerEvent(
            container_id=container.id,
            number=container.number,
            code=code,
            certainty="planned" if hours > 0 else "actual",
            at=taken.at + timedelta(hours=hours),
            location_id=None if place else yard,
            place=place,
            photos=[],
            by=taken.actor.name,
            said_by="system",
        )
        _add(session, taken, [event])
        await session.flush()
        await apply_event(session, event, taken)
