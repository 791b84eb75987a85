"""What was ordered, announced, received and rejected of each product, where these are not the same."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.masters.models import Product
from cloud.papers.reads.common import amount, in_unit, named
from cloud.papers.views import Amount, Differing, Goods, Name
from cloud.receiving.models import LineStanding, Receipt, ReceiptLine
from cloud.trade.models import Notice
from sync_protocol.receiving.settings import Severity

COUNTED = frozenset({"posted", "done"})
"""States of a receipt that its order's lines have in their sums already."""


@dataclass(slots=True)
class _Sum:
    """One product, everything in its own unit. None: nobody said."""

    sku: str
    name: Name
    unit: str | None
    ordered: Decimal | None = None
    announced: Decimal | None = None
    received: Decimal = Decimal(0)
    rejected: Decimal = Decimal(0)
    reasons: list[str] = field(default_factory=list)

    def add(self, column: str, value: Decimal | None, unit: str | None) -> None:
        """An amount that cannot be counted in the product's unit is left to the exceptions, which name it."""
        counted = None if value is None else in_unit(value, unit, self.unit)
        if counted is not None:
            setattr(self, column, (getattr(self, column) or Decimal(0)) + counted)

    @property
    def difference(self) -> Decimal | None:
        """Received, less what this delivery was announced with, else less what was open of the order."""
        wanted = self.announced if self.announced is not None else self.ordered
        return None if wanted is None else self.received - wanted


Sums = dict[str, _Sum]


async def differing(
    session: AsyncSession, receipt: Receipt, buckets: Mapping[int, Mapping[str, Decimal]]
) -> tuple[Differing, ...]:
    """By product in the order of their numbers; products with which all is well are left out."""
    sums: Sums = {}
    for line in receipt.lines:
        if line.standing == LineStanding.CONFIRMED:
            one = _of(sums, line.product, line.sku, line.unit)
            one.add("received", line.quantity, line.unit)
            one.add("rejected", _apart(line, buckets.get(line.number, {})), one.unit)
    _ordered(sums, receipt)
    await _announced(session, sums, receipt)
    _reasons(sums, receipt)
    return tuple(
        Differing(
            goods=Goods(one.sku, one.name),
            ordered=amount(one.ordered, one.unit),
            announced=amount(one.announced, one.unit),
            received=Amount(f"{one.received:f}", one.unit),
            rejected=amount(one.rejected, one.unit) if one.rejected else None,
            difference=amount(one.difference, one.unit) if one.difference else None,
            reasons=tuple(one.reasons),
        )
        for _, one in sorted(sums.items())
        if one.difference or one.rejected or one.reasons
    )


def _of(sums: Sums, product: Product | None, sku: str, unit: str | None) -> _Sum:
    if sku not in sums:
        sums[sku] = _Sum(sku, named(product) if product else Name(sku), product.unit if product else unit)
    return sums[sku]


def _apart(line: ReceiptLine, held: Mapping[str, Decimal]) -> Decimal | None:
    """What is kept from use; before posting that is a damaged line."""
    if held:
        return sum((held.get(name, Decimal(0)) for name in ("rejected", "returned", "scrapped")), Decimal(0))
    if line.condition != "damaged" or line.quantity is None:
        return None
    return in_unit(line.quantity, line.unit, line.product.unit if line.product else line.unit)


def _ordered(sums: Sums, receipt: Receipt) -> None:
    """What was still open of the order when this delivery came."""
    for row in receipt.order.lines if receipt.order else ():
        here = Decimal(0)
        for line in receipt.lines:
            counts = line.standing == LineStanding.CONFIRMED and line.order_line_id == row.id and line.quantity is not None
            if counts and receipt.state in COUNTED and line.quantity is not None:
                here += in_unit(line.quantity, line.unit, row.unit) or Decimal(0)
        still_open = max(Decimal(0), row.quantity - (row.received - here))
        if still_open or row.product.sku in sums:
            _of(sums, row.product, row.product.sku, row.unit).add("ordered", still_open, row.unit)


async def _announced(session: AsyncSession, sums: Sums, receipt: Receipt) -> None:
    if receipt.notice_uid is None:
        return
    notice = await session.scalar(select(Notice).where(Notice.uid == receipt.notice_uid))
    for row in notice.lines if notice is not None else ():
        _of(sums, row.product, row.product.sku, row.unit).add("announced", row.quantity, row.unit)


def _reasons(sums: Sums, receipt: Receipt) -> None:
    skus = {line.number: line.sku for line in receipt.lines}
    for row in sorted(receipt.exceptions, key=lambda one: one.check):
        one = sums.get(skus.get(row.line_number or 0, ""))
        if one is not None and row.severity != Severity.INFO and row.check not in one.reasons:
            one.reasons.append(row.check)
