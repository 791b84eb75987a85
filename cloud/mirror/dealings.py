"""What is ordered and announced, by whom, and how grave checks are: what a receipt is compared with."""

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.masters.models import Party, PurchaseOrder
from cloud.mirror.goods import said
from cloud.mirror.here import Here, Made, bare, rows_of
from cloud.receiving.models import Receipt
from cloud.trade.models import CheckSetting, Notice, NoticeLine, Packaging
from cloud.trade.notices import OPEN
from sync_protocol import masters
from sync_protocol.quantity import UNITS, plain

MAX_PARTIES = 5000
"""Suppliers and owners of goods; a house with more finds the rest by their orders and notices."""

REMEMBERED = timedelta(days=365)
MAX_DELIVERIES = 20_000
"""Delivery notes of a year, the newest first: some 80 a working day. Older ones and more the core alone knows."""

RECEIVED = ("check", "posted", "done")
"""States of receipts whose delivery note came already."""


async def orders(session: AsyncSession, here: Here) -> list[Made]:
    """Table `order`."""
    wanted = (PurchaseOrder.state == "confirmed", PurchaseOrder.site_id == here.site)
    rows = await session.scalars(select(PurchaseOrder).where(*wanted).order_by(PurchaseOrder.ref))
    return rows_of("order", [(row.ref, _order(row)) for row in rows])


def _order(row: PurchaseOrder) -> masters.Order:
    lines = [
        masters.OrderLine(
            line=line.line,
            product=line.product.sku,
            quantity=plain(line.quantity),
            unit=line.unit,
            received=plain(line.received),
            over_tolerance=said(line.over_tolerance),
            under_tolerance=said(line.under_tolerance),
            closed=line.closed,
        )
        for line in row.lines
        if line.unit in UNITS and not line.archived
    ]
    owner = row.owner.ref if row.owner else None
    return masters.Order(ref=row.ref, supplier=row.supplier.ref, lines=lines, currency=row.currency, owner=owner)


async def notices(session: AsyncSession, here: Here) -> list[Made]:
    """Table `notice`."""
    wanted = (Notice.state.in_(OPEN), Notice.site_id == here.site, Notice.archived.is_(False))
    rows = await session.scalars(select(Notice).where(*wanted).order_by(Notice.ref))
    return rows_of("notice", [(row.ref, _notice(row)) for row in rows])


def _notice(row: Notice) -> masters.Notice:
    return masters.Notice(
        ref=row.ref,
        supplier=row.supplier.ref,
        order=row.order.ref if row.order else None,
        owner=row.owner.ref if row.owner else None,
        document=row.document_no,
        currency=row.currency,
        shipped_at=row.shipped_at.isoformat() if row.shipped_at else None,
        expected_at=row.expected_at.isoformat() if row.expected_at else None,
        carrier=row.carrier.name if row.carrier else None,
        vehicle=row.vehicle,
        container=row.container_no,
        seals=[one["number"] for one in row.seals],
        lines=[_notice_line(line) for line in row.lines if line.unit in UNITS and not line.archived],
    )


def _notice_line(line: NoticeLine) -> masters.NoticeLine:
    return masters.NoticeLine(
        line=line.line,
        product=line.product.sku,
        quantity=plain(line.quantity),
        unit=line.unit,
        order_line=line.order_line.line if line.order_line else None,
        lot=line.lot,
        expiry=line.expires_on.isoformat() if line.expires_on else None,
        serials=[one["number"] for one in line.serials],
        sscc=line.sscc,
        weight=said(line.weight),
    )


async def parties(session: AsyncSession, here: Here) -> list[Made]:
    """Table `party`: who may send goods or own them here. Goods come without an order, too."""
    columns = (
        Party.ref,
        Party.name,
        Party.name_he,
        Party.has_role("supplier"),
        Party.has_role("owner"),
        Party.has_role("house"),
    )
    live = (Party.archived.is_(False), Party.status != "blocked", Party.kind == "company")
    anybody = Party.has_role("supplier") | Party.has_role("owner") | Party.has_role("house")
    rows = list(await session.execute(select(*columns).where(*live, anybody).order_by(Party.id).limit(MAX_PARTIES)))
    known = {row[0] for row in rows}
    for model, states in ((PurchaseOrder, ("confirmed",)), (Notice, tuple(OPEN))):
        query = select(*columns).join(model, model.supplier_id == Party.id)
        named = await session.execute(query.where(model.site_id == here.site, model.state.in_(states)).distinct())
        rows += [row for row in named if row[0] not in known and not known.add(row[0])]  # type: ignore[func-returns-value]
    return [
        ("party", ref, bare(ref=ref, name=name, name_he=name_he, supplier=bool(supplier), owner=bool(owner or house)))
        for ref, name, name_he, supplier, owner, house in rows
    ]


async def packaging(session: AsyncSession, _here: Here) -> list[Made]:
    """Table `packaging`."""
    rows = await session.scalars(select(Packaging).where(Packaging.archived.is_(False)))
    return rows_of(
        "packaging",
        [
            (row.code, masters.Packaging(code=row.code, name=row.name, name_he=row.name_he, tare=plain(row.tare)))
            for row in rows
        ],
    )


async def checks(session: AsyncSession, _here: Here) -> list[Made]:
    """Table `check`."""
    rows = (await session.scalars(select(CheckSetting).where(CheckSetting.archived.is_(False)))).all()
    made = []
    for row in rows:
        sku = row.product.sku if row.product else None
        made.append(("check", f"{row.check}:{sku or ''}", bare(check=row.check, product=sku, severity=row.severity)))
    return made


async def deliveries(session: AsyncSession, here: Here) -> list[Made]:
    """Table `delivery`."""
    rows = await session.execute(
        select(Party.ref, Receipt.document_no, Receipt.uid, Receipt.ref)
        .join(Party, Party.id == Receipt.supplier_id)
        .where(
            Receipt.document_no.is_not(None),
            Receipt.state.in_(RECEIVED),
            Receipt.opened_received_at > here.now - REMEMBERED,
        )
        .order_by(Receipt.opened_received_at.desc())
        .limit(MAX_DELIVERIES)
    )
    found: dict[str, Made] = {}
    for supplier, document, uid, ref in rows:
        key = f"{supplier}:{document}"
        found[key] = ("delivery", key, bare(supplier=supplier, document=document, receipt=uid, ref=ref))
    return list(found.values())
