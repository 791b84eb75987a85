"""Parts of a receipt's page beside its proofs: its lines with what became of them, and what came with the goods."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.receiving.models import Receipt, ReceiptLine
from cloud.stock.models import LineBucket
from cloud.web import views

BUCKETS = ("pending_qc", "released", "put_away", "rejected", "returned", "scrapped")
"""In the order in which goods pass through them."""


class Named(Protocol):
    """A record of master data with a name in one or two languages."""

    @property
    def name(self) -> str: ...

    @property
    def name_he(self) -> str | None: ...


def name_of(row: Named | None) -> views.Name | None:
    """The name in both languages."""
    return views.Name(row.name, row.name_he) if row is not None else None


def arrival_of(row: Receipt) -> views.Arrival:
    """What came with the goods."""
    return views.Arrival(
        arrived_at=row.arrived_at,
        shipped_at=row.shipped_at,
        vehicle=row.vehicle,
        container=row.container,
        seal=row.seal,
        temperature=_amount(row.temperature, row.temperature_unit),
        weighbridge=_amount(row.weighbridge, row.weighbridge_unit),
    )


@dataclass(frozen=True, slots=True)
class Lines:
    """What is needed for any line of one receipt."""

    buckets: Mapping[int, tuple[views.Bucket, ...]]

    def line(self, row: ReceiptLine) -> views.Line:
        """The line without its proofs."""
        product = row.product
        return views.Line(
            number=row.number,
            sku=row.sku,
            product=name_of(product) or views.Name(row.sku),
            lot=row.lot,
            expiry=row.expiry.isoformat() if row.expiry else None,
            quantity=row.quantity,
            unit=row.unit,
            standing=row.standing,
            discard_reason=row.discard_reason,
            kept_reason=row.kept_reason,
            condition=row.condition,
            condition_reason=row.condition_reason,
            sscc=row.sscc,
            gross=_amount(row.gross, row.gross_unit),
            tare=_amount(row.tare, row.tare_unit),
            packaging=row.packaging,
            pieces=_amount(row.pieces, row.pieces_unit),
            serials=tuple(one.serial for one in row.serials),
            notice_line=row.notice_line,
            stock=_amount(row.stock_quantity, product.unit if product else None),
            rounded=row.stock_rounded,
            location=name_of(row.location),
            owner=name_of(row.owner),
            buckets=self.buckets.get(row.number, ()),
        )


async def lines_of(session: AsyncSession, receipt: Receipt) -> Lines:
    """What became of the receipt's lines."""
    rows = await session.execute(
        select(LineBucket.line, LineBucket.bucket, LineBucket.quantity).where(
            LineBucket.receipt == receipt.uid, LineBucket.quantity != Decimal(0)
        )
    )
    found: dict[int, list[views.Bucket]] = defaultdict(list)
    for line, bucket, quantity in rows:
        found[line].append(views.Bucket(bucket, quantity))
    ordered = {line: tuple(sorted(ones, key=lambda one: BUCKETS.index(one.name))) for line, ones in found.items()}
    return Lines(ordered)


def _amount(value: Decimal | None, unit: str | None) -> views.Amount | None:
    return views.Amount(value, unit) if value is not None else None
