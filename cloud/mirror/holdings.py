"""What lies at a station's site, and where: places, lots, stock, units and containers."""

from collections.abc import Mapping
from decimal import Decimal

from sqlalchemy import and_, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from cloud.masters.models import Location, Party, Product
from cloud.mirror.goods import said
from cloud.mirror.here import Here, Made, bare, rows_of
from cloud.receiving.models import Receipt, ReceiptLine, ReceiptSerial
from cloud.stock.models import HandlingUnit, LineBucket, Lot, Quant
from cloud.trade.models import Container
from sync_protocol import masters
from sync_protocol.quantity import plain

MAX_STOCK = 20_000
"""Rows of stock that a box holds in memory beside everything else: some ten megabytes. Those that moved last come first."""
MAX_LOTS = 20_000
MAX_UNITS = 20_000
"""The newest of each; the core knows them all."""

AT_SITE = ("announced", "gate_in", "stored", "stripped", "stuffed", "ready")
"""States of containers that are expected or here."""

BLOCKED = ("pending", "hold", "rejected", "recalled")

_HERE = (Quant.internal, Quant.quantity > Decimal(0))


async def locations(session: AsyncSession, here: Here) -> list[Made]:
    """Table `location`."""
    above = aliased(Location)
    rows = await session.execute(
        select(Location, above.code, Party.ref)
        .outerjoin(above, above.id == Location.parent_id)
        .outerjoin(Party, Party.id == Location.owner_id)
        .where(Location.site_id == here.site, Location.archived.is_(False))
    )
    return rows_of("location", [(row.code, _location(row, parent, owner)) for row, parent, owner in rows])


def _location(row: Location, parent: str | None, owner: str | None) -> masters.Location:
    return masters.Location(
        code=row.code,
        name=row.name,
        name_he=row.name_he,
        usage=row.usage,
        parent=parent,
        hold=row.hold,
        temperature_class=row.temperature_class,
        temp_min=said(row.temp_min),
        temp_max=said(row.temp_max),
        owner=owner,
    )


async def lots(session: AsyncSession, here: Here) -> list[Made]:
    """Table `lot`: what lies at the site, what is not free anywhere, and serial numbers that lie anywhere."""
    anywhere = exists().where(Quant.lot_id == Lot.id, *_HERE)
    at_site = exists().where(Quant.lot_id == Lot.id, *_HERE, Location.id == Quant.location_id, Location.site_id == here.site)
    rows = await session.execute(
        select(Product.sku, Lot.code, Lot.expires_on, Lot.state, Lot.is_serial, anywhere.label("there"))
        .join(Product, Product.id == Lot.product_id)
        .where(Lot.archived.is_(False), or_(at_site, Lot.state.in_(BLOCKED), and_(Lot.is_serial, anywhere)))
        .order_by(Lot.id.desc())
        .limit(MAX_LOTS)
    )
    return [
        (
            "lot",
            f"{sku}:{code}",
            bare(
                product=sku,
                code=code,
                expiry=expires_on.isoformat() if expires_on else None,
                status=state,
                serial=is_serial,
                in_stock=bool(there),
            ),
        )
        for sku, code, expires_on, state, is_serial, there in rows
    ]


async def stock(session: AsyncSession, here: Here) -> list[Made]:
    """Table `stock`, MAX_STOCK rows at most."""
    waiting = await _waiting(session, here)
    rows = await session.execute(
        select(
            Quant.product_id, Quant.lot_id, Quant.unit_id, Quant.owner_id, Quant.quantity, Quant.reserved,
            Location.code, Location.usage, Product.sku, Lot.code, HandlingUnit.sscc, Party.ref,
        )
        .join(Location, Location.id == Quant.location_id)
        .join(Product, Product.id == Quant.product_id)
        .join(Party, Party.id == Quant.owner_id)
        .outerjoin(Lot, Lot.id == Quant.lot_id)
        .outerjoin(HandlingUnit, HandlingUnit.id == Quant.unit_id)
        .where(Location.site_id == here.site, *_HERE)
        .order_by(Quant.moved_at.desc(), Quant.id.desc())
        .limit(MAX_STOCK)
    )  # fmt: skip
    made: list[Made] = []
    for product_id, lot_id, unit_id, owner_id, quantity, reserved, place, usage, sku, lot, sscc, owner in rows:
        whose = waiting.get((product_id, lot_id, unit_id, owner_id)) if usage == "receiving" else None
        value = bare(
            location=place,
            product=sku,
            lot=lot,
            sscc=sscc,
            owner=owner,
            quantity=plain(quantity),
            reserved=plain(reserved) if reserved else None,
            receipt=whose[0] if whose else None,
            receipt_line=whose[1] if whose else None,
        )
        made.append(("stock", ":".join((place, sku, lot or "", sscc or "", owner)), value))
    return made


_Goods = tuple[int | None, int | None, int | None, int | None]
"""Ids of product, lot, unit and owner."""


async def _waiting(session: AsyncSession, here: Here) -> Mapping[_Goods, tuple[str, int]]:
    """Goods that are released and not put away, by the oldest receipt's line that says so."""
    rows = await session.execute(
        select(
            ReceiptLine.product_id, ReceiptLine.lot_id, ReceiptLine.handling_unit_id, ReceiptLine.owner_id, Receipt.uid,
            ReceiptLine.number, ReceiptSerial.lot_id,
        )
        .join(Receipt, Receipt.id == ReceiptLine.receipt_id)
        .join(LineBucket, and_(LineBucket.receipt == Receipt.uid, LineBucket.line == ReceiptLine.number))
        .outerjoin(ReceiptSerial, ReceiptSerial.line_id == ReceiptLine.id)
        .where(LineBucket.bucket == "released", LineBucket.quantity > Decimal(0), Receipt.site_id == here.site)
        .order_by(Receipt.id, ReceiptLine.number)
        .limit(MAX_STOCK)
    )  # fmt: skip
    found: dict[_Goods, tuple[str, int]] = {}
    for product, lot, unit, owner, uid, number, serial in rows:
        found.setdefault((product, serial if serial is not None else lot, unit, owner), (uid, number))
    return found


async def units(session: AsyncSession, _here: Here) -> list[Made]:
    """Table `unit`: the newest handling units that were received, wherever they are now."""
    rows = await session.execute(
        select(HandlingUnit.sscc, HandlingUnit.first_receipt, Location.code)
        .outerjoin(Location, Location.id == HandlingUnit.location_id)
        .where(HandlingUnit.first_receipt.is_not(None))
        .order_by(HandlingUnit.id.desc())
        .limit(MAX_UNITS)
    )
    return [("unit", sscc, bare(sscc=sscc, receipt=receipt, location=place)) for sscc, receipt, place in rows]


async def containers(session: AsyncSession, here: Here) -> list[Made]:
    """Table `container`."""
    wanted = (Container.site_id == here.site, Container.state.in_(AT_SITE), Container.archived.is_(False))
    rows = await session.scalars(select(Container).where(*wanted))
    return rows_of(
        "container",
        [
            (
                row.number,
                masters.Container(
                    number=row.number,
                    status=row.state,
                    holds=row.holds,
                    seals=[one["number"] for one in row.seals],
                    tare=said(row.tare),
                    client=row.client.ref if row.client else None,
                ),
            )
            for row in rows
        ],
    )
