"""How a supplier delivers: on the day, what went wrong, and what the scale said beside the notice."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.masters.models import Product, PurchaseOrder, Site
from cloud.masters.units import convert, units_of
from cloud.receiving.models import LineStanding, Receipt, ReceiptException, ReceiptLine
from cloud.trade.models import Notice, NoticeLine

DELIVERED = ("posted", "done", "reversed")
"""States of receipts that were posted, also those that were taken back later."""

MAX_RECEIPTS = 5000
"""The newest of a period: a supplier who delivers three times a working day for six years."""

KILOGRAM_PLACES = 3


@dataclass(frozen=True, slots=True)
class WeightDifference:
    """Over `lines` whose weight was announced and received as a mass: kilograms of both. More than nothing: more came."""

    lines: int = 0
    announced: Decimal = Decimal(0)
    received: Decimal = Decimal(0)

    @property
    def difference(self) -> Decimal:
        return self.received - self.announced


@dataclass(frozen=True, slots=True)
class SupplierFigures:
    """Of one supplier and period. `expected` deliveries are those of which a day was named, `on_time` those of them that came
    on that day or before, by the site's calendar; `exceptions` are checks with how often they did not come out clean."""

    deliveries: int = 0
    expected: int = 0
    on_time: int = 0
    reversed: int = 0
    clean: int = 0
    """Deliveries without any exception."""
    exceptions: Mapping[str, int] = field(default_factory=dict)
    weight: WeightDifference = WeightDifference()

    @property
    def on_time_share(self) -> Decimal | None:
        """None where no day was ever named."""
        return None if not self.expected else Decimal(self.on_time) / Decimal(self.expected)


async def supplier_figures(session: AsyncSession, supplier_id: int, since: datetime, until: datetime) -> SupplierFigures:
    """Of receipts that the core got from `since` up to before `until`. Reads only."""
    rows = (
        await session.execute(
            select(
                Receipt.id, Receipt.state, Receipt.arrived_at, Receipt.opened_at, Receipt.opened_received_at, Site.tz,
                Notice.expected_at, PurchaseOrder.expected_on,
            )
            .outerjoin(Site, Site.id == Receipt.site_id)
            .outerjoin(Notice, Notice.uid == Receipt.notice_uid)
            .outerjoin(PurchaseOrder, PurchaseOrder.id == Receipt.order_id)
            .where(*_period(supplier_id, since, until))
            .order_by(Receipt.id.desc())
            .limit(MAX_RECEIPTS)
        )
    ).all()  # fmt: skip
    timed = [
        _on_time(arrived or opened or received, ZoneInfo(tz or "UTC"), expected_at, expected_on)
        for _, _, arrived, opened, received, tz, expected_at, expected_on in rows
        if expected_at is not None or expected_on is not None
    ]
    return SupplierFigures(
        deliveries=len(rows),
        expected=len(timed),
        on_time=sum(timed),
        reversed=sum(1 for row in rows if row.state == "reversed"),
        clean=len(rows) - await _with_exceptions(session, supplier_id, since, until),
        exceptions=await _exceptions(session, supplier_id, since, until),
        weight=await _weight(session, supplier_id, since, until),
    )


def _period(supplier_id: int, since: datetime, until: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        Receipt.supplier_id == supplier_id,
        Receipt.state.in_(DELIVERED),
        Receipt.opened_received_at >= since,
        Receipt.opened_received_at < until,
    )


def _on_time(arrived: datetime, zone: ZoneInfo, expected_at: datetime | None, expected_on: date | None) -> bool:
    """By the notice where it names a time, else by the order."""
    day = expected_at.astimezone(zone).date() if expected_at is not None else expected_on
    return day is None or arrived.astimezone(zone).date() <= day


async def _with_exceptions(session: AsyncSession, supplier_id: int, since: datetime, until: datetime) -> int:
    query = (
        select(func.count(ReceiptException.receipt_id.distinct()))
        .join(Receipt, Receipt.id == ReceiptException.receipt_id)
        .where(*_period(supplier_id, since, until))
    )
    return await session.scalar(query) or 0


async def _exceptions(session: AsyncSession, supplier_id: int, since: datetime, until: datetime) -> Mapping[str, int]:
    """The most frequent first."""
    count = func.count()
    rows = await session.execute(
        select(ReceiptException.check, count)
        .join(Receipt, Receipt.id == ReceiptException.receipt_id)
        .where(*_period(supplier_id, since, until))
        .group_by(ReceiptException.check)
        .order_by(count.desc(), ReceiptException.check)
    )
    return {str(row[0]): int(row[1]) for row in rows}


async def _weight(session: AsyncSession, supplier_id: int, since: datetime, until: datetime) -> WeightDifference:
    units = await units_of(session)
    rows = await session.execute(
        select(NoticeLine.weight, ReceiptLine.stock_quantity, Product.unit)
        .join(Receipt, Receipt.id == ReceiptLine.receipt_id)
        .join(Notice, Notice.uid == Receipt.notice_uid)
        .join(NoticeLine, and_(NoticeLine.notice_id == Notice.id, NoticeLine.line == ReceiptLine.notice_line))
        .join(Product, Product.id == ReceiptLine.product_id)
        .where(
            *_period(supplier_id, since, until),
            ReceiptLine.standing == LineStanding.CONFIRMED,
            ReceiptLine.stock_quantity.is_not(None),
            NoticeLine.weight.is_not(None),
        )
        .order_by(ReceiptLine.id.desc())
        .limit(MAX_RECEIPTS)
    )
    lines, announced, received = 0, Decimal(0), Decimal(0)
    for weight, quantity, unit in rows:
        known = units.get(unit)
        if weight is not None and quantity is not None and known is not None and known.dimension == "mass":
            lines += 1
            announced += weight
            received += convert(quantity, unit, "kg", units, decimals=KILOGRAM_PLACES)
    return WeightDifference(lines, announced, received)
