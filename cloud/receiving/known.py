"""Rows of master data as the checks see them: the same models that a box's mirror holds."""

from decimal import Decimal

from cloud.masters.models import Location, OrderLine, Party, Product, PurchaseOrder
from cloud.trade.models import Notice, NoticeLine
from sync_protocol import masters
from sync_protocol.quantity import plain


def product_known(row: Product, owner: str | None = None) -> masters.Product:
    """`owner`: ref of the party whose product it is."""
    return masters.Product.model_validate(
        {
            "sku": row.sku,
            "name": row.name,
            "name_he": row.name_he,
            "unit": row.unit,
            "tracking": row.tracking,
            "expiry": row.expiry,
            "identity_policy": row.identity_policy,
            "weight_policy": row.weight_policy,
            "over_tolerance": plain(row.over_tolerance),
            "under_tolerance": plain(row.under_tolerance),
            "weight_tolerance": _text(row.weight_tolerance),
            "unit_weight": _text(row.unit_weight),
            "tare": _text(row.tare),
            "min_life_days": row.min_life_days,
            "temp_min": _text(row.temp_min),
            "temp_max": _text(row.temp_max),
            "owner": owner,
            "quarantine": row.quarantine,
            "archived": row.archived,
        }
    )


def order_line_known(row: OrderLine) -> masters.OrderLine:
    return masters.OrderLine(
        line=row.line,
        product=row.product.sku,
        quantity=plain(row.quantity),
        unit=row.unit,
        received=plain(row.received),
        over_tolerance=_text(row.over_tolerance),
        under_tolerance=_text(row.under_tolerance),
        closed=row.closed,
    )


def order_known(row: PurchaseOrder) -> masters.Order:
    return masters.Order(
        ref=row.ref,
        supplier=row.supplier.ref,
        lines=[order_line_known(line) for line in row.lines if not line.archived],
        currency=row.currency,
        owner=_ref(row.owner),
    )


def notice_line_known(row: NoticeLine) -> masters.NoticeLine:
    return masters.NoticeLine(
        line=row.line,
        product=row.product.sku,
        quantity=plain(row.quantity),
        unit=row.unit,
        order_line=row.order_line.line if row.order_line is not None else None,
        lot=row.lot,
        expiry=row.expires_on.isoformat() if row.expires_on is not None else None,
        serials=[each["number"] for each in row.serials if each.get("number")],
        sscc=row.sscc,
        weight=_text(row.weight),
    )


def notice_known(row: Notice) -> masters.Notice:
    return masters.Notice(
        ref=row.ref,
        supplier=row.supplier.ref,
        order=row.order.ref if row.order is not None else None,
        owner=_ref(row.owner),
        document=row.document_no,
        currency=row.currency,
        shipped_at=row.shipped_at.isoformat() if row.shipped_at is not None else None,
        expected_at=row.expected_at.isoformat() if row.expected_at is not None else None,
        carrier=_ref(row.carrier),
        vehicle=row.vehicle,
        container=row.container_no,
        seals=[each["number"] for each in row.seals if each.get("number")],
        lines=[notice_line_known(line) for line in row.lines if not line.archived],
    )


def location_known(row: Location, owner: str | None = None) -> masters.Location:
    """`owner`: ref of the party whose goods alone may lie there."""
    return masters.Location(
        code=row.code,
        name=row.name,
        name_he=row.name_he,
        usage=row.usage,
        hold=row.hold,
        temperature_class=row.temperature_class,
        temp_min=_text(row.temp_min),
        temp_max=_text(row.temp_max),
        owner=owner,
    )


def _text(value: Decimal | None) -> str | None:
    return None if value is None else plain(value)


def _ref(party: Party | None) -> str | None:
    return None if party is None else party.ref
