"""Numbers about receiving over some days: how much came, what was wrong with it, and weights beside what was announced."""

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.masters.models import Party, Product
from cloud.receiving.models import LineStanding, Receipt, ReceiptException, ReceiptLine
from cloud.trade.models import Notice, NoticeLine
from cloud.web.reach import Reach
from cloud.web.reads.receipt_parts import name_of
from cloud.web.views import Name
from sync_protocol.errors import TextFault
from sync_protocol.quantity import Quantity
from sync_protocol.receiving.settings import Severity

MOST = 50_000
"""Receipts or lines that one picture is drawn from: a busy house's quarter."""

RANKED = 12
"""Rows of a ranking."""

SERIES = ("good", "asked", "cancelled")
"""Of receipts on a day: closed without a question, with one that a person had to look at, given up or taken back."""

PLACES = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Span:
    """Days from `since` to `until`, both included, at the house."""

    since: dt.date
    until: dt.date
    zone: ZoneInfo

    @classmethod
    def back(cls, days: int, now: dt.datetime, zone: ZoneInfo) -> "Span":
        """The last so many days, today among them."""
        today = now.astimezone(zone).date()
        return cls(today - dt.timedelta(days=days - 1), today, zone)

    @property
    def days(self) -> list[dt.date]:
        return [self.since + dt.timedelta(days=n) for n in range((self.until - self.since).days + 1)]

    def holds(self) -> ColumnElement[bool]:
        """Whether a receipt reached the core within these days."""
        return and_(
            Receipt.opened_received_at >= _midnight(self.since, self.zone),
            Receipt.opened_received_at < _midnight(self.until + dt.timedelta(days=1), self.zone),
        )

    def day(self, at: dt.datetime) -> dt.date:
        return at.astimezone(self.zone).date()


@dataclass(frozen=True, slots=True)
class DayCount:
    """Receipts of one day, by SERIES."""

    day: dt.date
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Ranked:
    """How often something was: a check by its code, or a supplier by name."""

    key: str
    name: Name | None
    count: int


@dataclass(frozen=True, slots=True)
class Weighed:
    """One line's net weight beside what its notice said: `share` by how many per cent it is more (or less)."""

    receipt: str
    line: int
    supplier: Name | None
    product: Name
    day: dt.date
    net: Decimal
    announced: Decimal
    share: Decimal
    tolerance: Decimal | None
    """Per cent, as the product allows."""


async def per_day(session: AsyncSession, reach: Reach, span: Span) -> list[DayCount]:
    """One entry for each day, also for those of nothing."""
    asked = (
        select(ReceiptException.id)
        .where(ReceiptException.receipt_id == Receipt.id, ReceiptException.severity != Severity.INFO)
        .exists()
    )
    rows = await session.execute(
        select(Receipt.opened_received_at, Receipt.state, asked)
        .where(span.holds(), reach.where(Receipt.site_id))
        .order_by(Receipt.id.desc())
        .limit(MOST)
    )
    found: Counter[tuple[dt.date, str]] = Counter()
    for at, state, with_question in rows:
        name = "cancelled" if state in {"cancelled", "reversed"} else "asked" if with_question else "good"
        found[span.day(at), name] += 1
    return [DayCount(day, tuple(found[day, name] for name in SERIES)) for day in span.days]


async def by_check(session: AsyncSession, reach: Reach, span: Span) -> list[Ranked]:
    """What was found most often, all severities but mere information."""
    count = func.count()
    rows = await session.execute(
        select(ReceiptException.check, count)
        .join(Receipt, Receipt.id == ReceiptException.receipt_id)
        .where(span.holds(), reach.where(Receipt.site_id), ReceiptException.severity != Severity.INFO)
        .group_by(ReceiptException.check)
        .order_by(count.desc(), ReceiptException.check)
        .limit(RANKED)
    )
    return [Ranked(check, None, number) for check, number in rows]


async def by_supplier(session: AsyncSession, reach: Reach, span: Span) -> list[Ranked]:
    """Whose deliveries asked for a person most often."""
    count = func.count()
    rows = await session.execute(
        select(Party.ref, Party.name, Party.name_he, count)
        .select_from(ReceiptException)
        .join(Receipt, Receipt.id == ReceiptException.receipt_id)
        .join(Party, Party.id == Receipt.supplier_id)
        .where(span.holds(), reach.where(Receipt.site_id), ReceiptException.severity != Severity.INFO)
        .group_by(Party.id, Party.ref, Party.name, Party.name_he)
        .order_by(count.desc(), Party.ref)
        .limit(RANKED)
    )
    return [Ranked(ref, Name(name, name_he), number) for ref, name, name_he, number in rows]


async def weighed(
    session: AsyncSession, reach: Reach, span: Span, *, supplier: int | None = None, limit: int = 2000
) -> list[Weighed]:
    """Lines whose notice announced a weight and whose quantity is one, newest receipts first, given oldest first."""
    conditions = [span.holds(), reach.where(Receipt.site_id), ReceiptLine.standing == LineStanding.CONFIRMED]
    if supplier is not None:
        conditions.append(Receipt.supplier_id == supplier)
    rows = await session.execute(
        select(Receipt, ReceiptLine, NoticeLine.weight, Product)
        .join(ReceiptLine, ReceiptLine.receipt_id == Receipt.id)
        .join(Notice, Notice.uid == Receipt.notice_uid)
        .join(NoticeLine, and_(NoticeLine.notice_id == Notice.id, NoticeLine.line == ReceiptLine.notice_line))
        .join(Product, Product.id == ReceiptLine.product_id)
        .where(*conditions, NoticeLine.weight > Decimal(0), Receipt.state != "cancelled")
        .order_by(Receipt.id.desc(), ReceiptLine.number)
        .limit(limit)
    )
    found = [one for row in rows if (one := _weighed(span, *row)) is not None]
    return list(reversed(found))


def _weighed(span: Span, receipt: Receipt, line: ReceiptLine, announced: Decimal | None, product: Product) -> Weighed | None:
    net = _kilograms(line.quantity, line.unit)
    if net is None or not announced:
        return None
    share = (Fraction(net) / Fraction(announced) - 1) * 100
    allowed = product.weight_tolerance
    return Weighed(
        receipt=receipt.ref,
        line=line.number,
        supplier=name_of(receipt.supplier),
        product=Name(product.name, product.name_he),
        day=span.day(receipt.opened_received_at),
        net=net,
        announced=announced,
        share=Decimal(round(share * 100)) * PLACES,
        tolerance=allowed * 100 if allowed is not None else None,
    )


def _kilograms(value: Decimal | None, unit: str | None) -> Decimal | None:
    try:
        return Quantity(value, unit).to("kg", decimals=6).value if value is not None and unit is not None else None
    except TextFault:
        return None  # not a weight


def total(days: Sequence[DayCount]) -> int:
    """Receipts of all the days."""
    return sum(sum(one.counts) for one in days)


def _midnight(day: dt.date, zone: ZoneInfo) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), zone)
